"""Published figures as a table, for a report's "paper" column (docs/method.md section 8); never measured ones.

They hold for the paper's pair of models on the whole published data set, its test images. The paper gives AVION's
figures, and those of the methods it compares with, as averages over six data sets; the zero-shot figures are of single
data sets and were made with about 105 templates, where this project's ensemble has thirty. Where two summaries of the
paper disagree on a figure, it is left out.
"""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from avion_core.config import RunConfig
from avion_core.data.catalog import DATA_SETS
from avion_core.protocols.report import OVERALL
from avion_core.protocols.retrieval import OWN as RETRIEVAL

PAIR = ("georsclip-vit-h-14", "georsclip-vit-b-32")
COLUMNS = ("protocol", "shots", "data_set", "method", "model", "part", "metric", "value", "source", "note")
_AVION = "AVION (CVPR 2026)"
_GEORSCLIP = "GeoRSCLIP (Zhang et al., 2024)"
_SIX_SETS = "average of six data sets"
_TEMPLATES = "about 105 templates, ours are thirty"

_ROWS = [
    *(
        ("few-shot", shots, "", "avion", "student", "all", "accuracy", value, _AVION, _SIX_SETS)
        for shots, value in ((1, 74.27), (8, 91.85), (16, 93.69))
    ),
    *(
        ("few-shot", shots, "", method, "student", "all", "accuracy", value, _AVION, _SIX_SETS)
        for method, values in (
            ("coop", {1: 69.98, 2: 78.95, 4: 84.52, 8: 87.57, 16: 90.24}),
            ("cocoop", {1: 70.27, 2: 80.56, 4: 85.74, 8: 88.93, 16: 91.41}),
            ("applenet", {1: 74.27, 8: 89.20}),
        )
        for shots, value in values.items()
    ),
    *(
        ("few-shot", None, name, "zero_shot_ensemble", model, "all", "accuracy", value, _GEORSCLIP, _TEMPLATES)
        for name, student, teacher in (
            ("eurosat", 61.40, 67.47),
            ("resisc45", 72.74, 73.83),
            ("aid", 74.42, 76.33),
        )
        for model, value in (("student", student), ("teacher", teacher))
    ),
    ("base-to-novel", None, "", "avion", "student", OVERALL, "harmonic_mean", 87.05, _AVION, _SIX_SETS),
    ("base-to-novel", None, "", "avion", "student", "novel", "accuracy", 79.94, _AVION, _SIX_SETS),
    ("base-to-novel", None, "", "applenet", "student", OVERALL, "harmonic_mean", 83.84, _AVION, _SIX_SETS),
    ("base-to-novel", None, "", "prompt_kd", "student", OVERALL, "harmonic_mean", 84.20, _AVION, _SIX_SETS),
    *(
        ("base-to-novel", None, "", method, "student", "novel", "accuracy", value, _AVION, _SIX_SETS)
        for method, value in (("coop", 69.52), ("cocoop", 70.69), ("applenet", 75.75))
    ),
    *(
        ("retrieval", None, name, method, model, RETRIEVAL, "mr", value, source, note)
        for name, values in (("rsitmd", (52.92, 35.33, 40.38)), ("rsicd", (39.80, 26.06, 28.48)))
        for (method, model, source, note), value in zip(
            (
                ("avion", "student", _AVION, "tie-breaking not stated"),
                ("zero_shot", "student", _GEORSCLIP, "tie-breaking not stated"),
                ("zero_shot", "teacher", _GEORSCLIP, "tie-breaking not stated"),
            ),
            values,
            strict=True,
        )
    ),
]
PUBLISHED = pd.DataFrame(_ROWS, columns=list(COLUMNS))
"""Every published figure. shots: NaN for any; data_set: a name in the catalog, "" for all six."""

_MISSING_SHARE = 0.01  # files of one content count once here, so a published set may be a little smaller


def published_figures(config: RunConfig, class_keys: Collection[str], images: int) -> pd.DataFrame:
    """The rows of PUBLISHED that may stand beside a run's own report; none where nothing may be compared.

    Args:
        config: the run's settings; the pair of models, the protocol and the shots decide.
        class_keys, images: the project's classes and number of images, by which its data set is known.
    """
    by_captions = config.protocol.name == "retrieval"
    name = caption_set(images) if by_captions else data_set(class_keys, images)
    table = PUBLISHED
    if name is None or (config.teacher, config.student) != PAIR:
        return table.iloc[:0]
    fits = (table["protocol"] == config.protocol.name) & table["data_set"].isin(["", name])
    fits &= table["shots"].isna() | (table["shots"] == config.data.shots)
    return table[fits].reset_index(drop=True)


def caption_set(images: int) -> str | None:
    """The catalog's name of the published data set of captions that has so many images, or None."""
    fits = [
        entry.name
        for entry in DATA_SETS.values()
        if entry.task == "retrieval" and (1 - _MISSING_SHARE) * entry.images <= images <= entry.images
    ]
    return fits[0] if fits else None


def data_set(class_keys: Collection[str], images: int) -> str | None:
    """The catalog's name of the published data set that these classes and images are the whole of, or None."""
    for entry in DATA_SETS.values():
        complete = (1 - _MISSING_SHARE) * entry.images <= images <= entry.images
        if entry.task == "classification" and complete and set(class_keys) == set(entry.classes):
            return entry.name
    return None
