"""Cross-dataset transfer: train on one project, measure on others (docs/method.md section 7).

Each other project is measured in two ways: on the classes that meet those that were trained on, told apart among
themselves by what was learnt of them, and on all of its classes by their names, which a method can do that tells any
classes apart. Nothing of the other projects is used in training, nor to set a temperature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from avion_core.config import RunConfig
from avion_core.data.class_aliases import shared_classes
from avion_core.data.project import ProjectData
from avion_core.data.splits import Splits
from avion_core.protocols.protocol import Part, Protocol

FEWEST_SHARED = 2
OWN = "own"


class CrossDataset(Protocol):
    name = "cross-dataset"
    title = "Cross-dataset"
    what = "Trains on this project; measures on others, where class names meet and on all of their classes."
    spans_projects = True

    def parts(self, project: ProjectData, others: Sequence[ProjectData], config: RunConfig) -> list[Part]:
        trained = self.trained_classes(project.class_names, config)
        found = [Part(OWN, f"{project.name}, trained on", project, trained, trained=True)]
        for other in others:
            met = shared_classes(project.class_names, other.class_names, config.protocol.aliases)
            if len(met) >= FEWEST_SHARED:
                seen = seen_as(other, met, project.class_names)
                title = f"{other.name}, classes that meet"
                found.append(Part(f"{other.name}, shared", title, seen, list(seen.class_names), trained=True))
            title = f"{other.name}, all classes by name"
            found.append(Part(f"{other.name}, all", title, other, list(other.class_names), trained=False))
        return found

    def summary(self, accuracies: Mapping[str, float]) -> dict[str, float]:
        """Means over the other projects."""
        means: dict[str, float] = {}
        for metric, ending in (("transfer_shared", ", shared"), ("transfer_all", ", all")):
            values = [value for part, value in accuracies.items() if part != OWN and part.endswith(ending)]
            if values:
                means[metric] = sum(values) / len(values)
        return means

    def check(self, config: RunConfig) -> None:
        super().check(config)
        shared_classes({}, {}, config.protocol.aliases)


def seen_as(other: ProjectData, met: Mapping[str, str], class_names: Mapping[str, str]) -> ProjectData:
    """Another project under the classes that were trained on: its images of those that meet, with their keys and names.

    Args:
        met: its class key -> the trained one's. class_names: of the trained ones.
    """
    manifest = other.manifest.assign(label=other.manifest["label"].map(met).fillna(""))

    def renamed(part: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {met[key]: images for key, images in part.items() if key in met}

    splits = other.splits
    known = set(manifest.loc[manifest["label"] != "", "image_id"])
    return replace(
        other,
        manifest=manifest,
        splits=Splits(
            tuple(image for image in splits.test if image in known),
            {seed: renamed(part) for seed, part in splits.validation.items()},
            {seed: renamed(part) for seed, part in splits.train.items()},
            splits.max_shots,
        ),
        class_names={key: class_names[key] for key in met.values()},
        descriptions=other.descriptions.iloc[:0],
    )
