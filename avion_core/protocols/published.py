"""Published figures, for a report's column of their own (docs/method.md section 8); never mixed with measured ones.

They hold for the paper's pair of models on the whole published data set, its test images. The paper gives AVION's
figures as averages over six data sets; the zero-shot figures are of single data sets.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from avion_core.config import RunConfig
from avion_core.data.catalog import DATA_SETS

PAIR = ("georsclip-vit-h-14", "georsclip-vit-b-32")
SIX_SETS = "average of six data sets"

_FEW_SHOT = {1: 74.27, 8: 91.85, 16: 93.69}
_BASE_TO_NOVEL = {"harmonic_mean": 87.05, "novel_accuracy": 79.94}
_ZERO_SHOT = {"eurosat": (61.40, 67.47), "resisc45": (72.74, 73.83), "aid": (74.42, 76.33)}  # student, teacher
_MISSING_SHARE = 0.01  # files of one content count once here, so a published set may be a little smaller


@dataclass(frozen=True)
class PublishedFigure:
    """A figure in percent, and what it is of."""

    percent: float
    of: str


def published_figures(config: RunConfig, class_keys: Collection[str], images: int) -> dict[str, PublishedFigure]:
    """Figures to print beside a run's own, by the names of `protocols.evaluate`; empty where none may be compared.

    Args:
        config: the run's settings; the pair of models, the protocol and the shots decide.
        class_keys, images: the project's classes and number of images, by which its data set is known.
    """
    name = data_set(class_keys, images)
    if name is None or (config.teacher, config.student) != PAIR:
        return {}
    figures: dict[str, PublishedFigure] = {}
    if config.protocol.name == "few-shot":
        if config.data.shots in _FEW_SHOT:
            figures["accuracy"] = PublishedFigure(_FEW_SHOT[config.data.shots], SIX_SETS)
        if name in _ZERO_SHOT:
            student, teacher = (PublishedFigure(percent, DATA_SETS[name].title) for percent in _ZERO_SHOT[name])
            figures |= {"zero_shot_accuracy": student, "teacher_zero_shot_accuracy": teacher}
    else:
        figures |= {key: PublishedFigure(percent, SIX_SETS) for key, percent in _BASE_TO_NOVEL.items()}
    return figures


def data_set(class_keys: Collection[str], images: int) -> str | None:
    """The catalog's name of the published data set that these classes and images are the whole of, or None."""
    for entry in DATA_SETS.values():
        complete = (1 - _MISSING_SHARE) * entry.images <= images <= entry.images
        if entry.task == "classification" and complete and set(class_keys) == set(entry.classes):
            return entry.name
    return None
