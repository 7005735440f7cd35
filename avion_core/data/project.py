"""What a run needs to know of a project: images, splits, class names and curated descriptions, as values."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from pydantic import BaseModel

from avion_core.config import RunConfig
from avion_core.data.captions import CAPTION_COLUMNS, no_captions
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.sources import Images, ImageSource
from avion_core.data.split_names import SPLITS
from avion_core.data.splits import Splits
from avion_core.errors import DataError
from avion_core.files import write_json
from avion_core.reading import Subject, fitted, read_json, read_parquet, read_text

DESCRIPTION_COLUMNS = ["description_id", "class_key", "text", "verdict", "writer"]
"""What a run knows of a description; text as it reads now."""


CAPTION_FILE = "captions.parquet"
"""In a project's folder, and in a run's inputs."""
_OTHERS = "others"
_RESTORE = "Restore the run's folder from a copy, or start a new run."
_INPUTS = Subject("a file of the run's inputs", hint=_RESTORE)


class _Facts(BaseModel):
    name: str
    recipe: RenderingRecipe
    class_names: dict[str, str]


@dataclass(frozen=True)
class ProjectData:
    """A project frozen at one moment; saved into the run's folder, so that later edits do not change a run."""

    name: str
    source: ImageSource
    """Where the images lie now. It is the project's, not the run's: whoever loads a run's folder passes it in."""
    manifest: pd.DataFrame
    """One row per image: image_id, path (as it was), label, group, ... (data/scan.py)."""
    splits: Splits
    recipe: RenderingRecipe
    class_names: dict[str, str]
    """Class key -> prompt name, in class order."""
    descriptions: pd.DataFrame
    """The columns of DESCRIPTION_COLUMNS, and what else is known of each; a run's folder keeps the former."""
    captions: pd.DataFrame = field(default_factory=no_captions)
    """Columns CAPTION_COLUMNS, a row per caption; none in most projects."""

    def images(self, image_ids: list[str]) -> Images:
        """These images, in the order given."""
        return Images(image_ids, self.source)

    def save(self, folder: Path) -> None:
        """Write everything but where the images lie."""
        folder.mkdir(parents=True, exist_ok=True)
        self.manifest.to_parquet(folder / "manifest.parquet")
        self.descriptions[DESCRIPTION_COLUMNS].to_parquet(folder / "descriptions.parquet")
        facts = {
            "name": self.name,
            "recipe": self.recipe.model_dump(mode="json"),
            "class_names": self.class_names,
        }
        if len(self.captions):
            self.captions[list(CAPTION_COLUMNS)].to_parquet(folder / CAPTION_FILE)
        (folder / "splits.json").write_text(self.splits.to_json())
        # Written last and at once: where it stands, the whole snapshot does.
        write_json(folder / "project.json", facts, indent=1)

    @classmethod
    def load(cls, folder: Path, source: ImageSource) -> ProjectData:
        """As `save` left it.

        Raises:
            DataError: the folder holds no inputs, or one of its files is damaged; it is named.
        """
        if not (folder / "project.json").is_file():
            raise DataError("the run's inputs no longer exist", "Start a new run.", value=str(folder))
        about = folder / "project.json"
        facts = fitted(_Facts, read_json(about, _INPUTS), _INPUTS, value=str(about))
        return cls(
            name=facts.name,
            source=source,
            manifest=_table(folder / "manifest.parquet", ["image_id", "path", "label"]),
            splits=_splits(folder / "splits.json"),
            recipe=facts.recipe,
            class_names=facts.class_names,
            descriptions=_table(folder / "descriptions.parquet", DESCRIPTION_COLUMNS),
            captions=read_captions_kept(folder, _INPUTS),
        )


def read_captions_kept(folder: Path, subject: Subject) -> pd.DataFrame:
    """The captions in a folder of a project or of a run's inputs; none where it has no such file.

    Raises:
        DataError: the file is damaged, or does not have CAPTION_COLUMNS.
    """
    path = folder / CAPTION_FILE
    if not path.is_file():
        return no_captions()
    table = read_parquet(path, subject, CAPTION_COLUMNS)
    kinds = {pd.api.types.infer_dtype(table[name], skipna=False) for name in table}
    if table.isna().to_numpy().any() or not kinds <= {"string", "empty"} or not set(table["split"]) <= set(SPLITS):
        raise subject.refused("holds something else than texts of train, validation and test images", value=str(path))
    return table


def _table(path: Path, columns: list[str]) -> pd.DataFrame:
    table = read_parquet(path, _INPUTS)
    if lacking := [name for name in columns if name not in table]:
        raise _INPUTS.refused(f"lacks the column {lacking[0]}", value=str(path))
    return table


def _splits(path: Path) -> Splits:
    try:
        return Splits.from_json(read_text(path, _INPUTS))
    except DataError as error:
        raise DataError(error.what, _RESTORE, value=str(path)) from None


@dataclass(frozen=True)
class LabelledImages:
    """Image ids of some classes with their class indices, in a fixed order."""

    image_ids: list[str]
    labels: list[int]

    @classmethod
    def of(cls, by_class: dict[str, list[str]], class_keys: list[str]) -> LabelledImages:
        pairs = [(image, index) for index, key in enumerate(class_keys) for image in by_class.get(key, [])]
        return cls([image for image, _ in pairs], [index for _, index in pairs])


def save_inputs(folder: Path, project: ProjectData, others: Sequence[ProjectData] = ()) -> None:
    """Freeze what a run works on: its project, and those that its protocol measures on as well, in order."""
    for place, other in enumerate(others):
        other.save(folder / _OTHERS / str(place))
    project.save(folder)


def load_others(folder: Path, sources: Sequence[ImageSource]) -> list[ProjectData]:
    """The other projects that `save_inputs` froze, in order, with the sources of their images."""
    return [ProjectData.load(folder / _OTHERS / str(place), source) for place, source in enumerate(sources)]


def training_images(project: ProjectData, config: RunConfig, class_keys: list[str]) -> LabelledImages:
    """The labelled training shots of some classes."""
    return LabelledImages.of(project.splits.shots(config.data.seed, config.data.shots), class_keys)


def held_out_images(project: ProjectData, config: RunConfig, class_keys: list[str], split: str) -> LabelledImages:
    """Validation images (min(K, 4) a class) or the sealed test images of some classes."""
    if split == "validation":
        return LabelledImages.of(project.splits.validation_images(config.data.seed, config.data.shots), class_keys)
    if split != "test":
        raise DataError("there is no such split", "Choose validation or test.", value=split)
    label_of = dict(zip(project.manifest["image_id"], project.manifest["label"], strict=True))
    by_class: dict[str, list[str]] = {}
    for image in project.splits.test:
        by_class.setdefault(label_of[image], []).append(image)
    return LabelledImages.of(by_class, class_keys)


def unlabelled_images(project: ProjectData, config: RunConfig, class_keys: list[str]) -> list[str]:
    """Images that a training may look at without their labels: at most `distillation.unlabelled_images` of those that
    `free_images` gives, drawn with the run's seed."""
    found = free_images(project.manifest, project.splits, config, class_keys, project.class_names)
    return sorted(random.Random(config.data.seed).sample(found, min(config.distillation.unlabelled_images, len(found))))


def free_images(
    manifest: pd.DataFrame, splits: Splits, config: RunConfig, class_keys: list[str], every: Iterable[str]
) -> list[str]:
    """Images outside the shots, the validation images and the sealed test set, and of no group with a test image.

    Args:
        class_keys: classes that are trained.
        every: all classes. Where some are kept for the measuring alone (base-to-novel), images of those, and such as
            nobody has labelled, are left out.
    """
    seed, sealed = config.data.seed, set(splits.test)
    groups = manifest["group"] if "group" in manifest else pd.Series("", index=manifest.index)
    near = set(groups[manifest["image_id"].isin(sealed)]) - {""}
    held_out = {image for images in splits.validation.get(seed, {}).values() for image in images}
    shots = LabelledImages.of(splits.shots(seed, config.data.shots), class_keys).image_ids
    free = ~manifest["image_id"].isin(sealed | held_out | set(shots)) & ~groups.isin(near)
    if set(class_keys) != set(every):
        free &= manifest["label"].isin(class_keys)
    return sorted(set(manifest.loc[free, "image_id"]))


def class_texts(class_names: dict[str, str], class_keys: list[str], template: str) -> list[str]:
    """The sentence that stands for each class."""
    return [template.format(class_names[key]) for key in class_keys]
