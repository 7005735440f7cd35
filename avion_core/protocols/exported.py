"""A trained student outside the studio: a folder of three files that goes anywhere the library is installed.

adapter.safetensors   the trained prompts and scale, about 0.4 MB for ViT-B/32
student.json          the run's settings, the rendering recipe, and the temperature of its probabilities
README.md             how to load it, for people
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, Field

from avion_core.backbones.load import WeightStore
from avion_core.backbones.terms import Terms
from avion_core.config import RunConfig
from avion_core.data.recipe import RenderingRecipe
from avion_core.errors import CheckpointError
from avion_core.protocols.predict import TrainedStudent, load_student, predict
from avion_core.reading import Subject, fitted, read_json

ADAPTER, FACTS, README = "adapter.safetensors", "student.json", "README.md"


class _Facts(BaseModel):
    config: RunConfig
    recipe: RenderingRecipe
    temperature: float = Field(gt=0)


@dataclass(frozen=True)
class ExportedStudent:
    """A student with all it needs to classify pictures."""

    trained: TrainedStudent
    recipe: RenderingRecipe
    temperature: float
    """What its logits are divided by; 1 where none could be fitted."""

    def predict(self, images: list[Path]) -> pd.DataFrame:
        """Classify image files (see `protocols.predict.predict`)."""
        return predict(self.trained, images, self.recipe, temperature=self.temperature)


def student_files(
    config: RunConfig,
    folder: Path,
    recipe: RenderingRecipe,
    temperature: float | None,
    class_names: dict[str, str],
    terms: Sequence[Terms],
) -> dict[str, bytes]:
    """The files of an exported student by name; `folder` is the run's, `terms` those of its models."""
    facts = {
        "config": config.model_dump(mode="json"),
        "recipe": recipe.model_dump(mode="json"),
        "temperature": temperature or 1.0,
        "class_names": class_names,
        "models": [asdict(one) for one in terms],
    }
    return {
        ADAPTER: (folder / ADAPTER).read_bytes(),
        FACTS: json.dumps(facts, indent=1, ensure_ascii=False).encode(),
        README: _readme(config, class_names, terms).encode(),
    }


def open_exported(folder: Path, weights: WeightStore, *, device: str = "cpu") -> ExportedStudent:
    """Load what `student_files` wrote.

    Args:
        weights: where the backbone's checkpoint is found.

    Raises:
        CheckpointError: not an exported student, or another backbone than it was trained on.
        NotFoundError: the backbone's weights are not installed.
    """
    hint = f"Give the unpacked folder that holds {FACTS} and {ADAPTER}."
    subject = Subject("the exported student", CheckpointError, hint)
    facts = fitted(_Facts, read_json(folder / FACTS, subject), subject, value=str(folder / FACTS))
    return ExportedStudent(load_student(facts.config, folder, weights, device=device), facts.recipe, facts.temperature)


def _readme(config: RunConfig, class_names: dict[str, str], terms: Sequence[Terms]) -> str:
    models = "\n".join(f"- {one.role}: {one.sentence}" for one in terms)
    classes = "\n".join(f"- {name} (`{key}`)" for key, name in class_names.items())
    return f"""# A student trained with AVION

{len(class_names)} classes on the frozen backbone `{config.student}`, distilled from `{config.teacher}` with
{config.data.shots} labelled images per class. This folder holds the trained prompts alone, not the backbone:
`avion models list` shows whether its weights are installed.

```python
from pathlib import Path

from avion_core.backbones.load import WeightStore
from avion_core.protocols.exported import open_exported

student = open_exported(Path("."), WeightStore(Path.home() / ".avion" / "weights"))
table = student.predict([Path("scene.png")])
print(table[["path", "predicted", "probability", "margin"]])
```

Pictures are rendered by the project's recipe (bands and stretch of a GeoTIFF, say), which is in `{FACTS}`.
The student reads any class names: `predict(student.trained, images, student.recipe, class_names={{"key": "words"}})`
of `avion_core.protocols.predict` classifies among others than these.

## Licences

What was learned comes from these models, whose terms hold for it too:

{models}

## Classes

{classes}
"""
