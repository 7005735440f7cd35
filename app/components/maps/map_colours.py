"""By what the points of a map are coloured: the value of every point, and the legend's colours and shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from app.components.maps.map_charts import Legend
from app.kit.palette import CATEGORICAL, CUT, FOCUS, KEPT, NEUTRAL, colours, symbols
from avion_core.usecases.projects.summaries import ClassInfo

COLOUR_BY = {
    "class": "class",
    "part": "split",
    "set": "base or novel",
    "correct": "right or wrong",
    "kept": "kept or cut",
    "verdict": "verdict",
    "writer": "writer",
    "kind": "kind",
}
PARTS = {
    "train": "training shot",
    "validation": "validation",
    "pool": "other labelled",
    "unlabelled": "unlabelled",
    "test": "sealed test",
}
_FIXED = {
    "part": dict(zip(PARTS.values(), CATEGORICAL, strict=False)),
    "set": {"base": KEPT, "novel": FOCUS, "all": KEPT},
    "correct": {"right": KEPT, "wrong": CUT},
    "kept": {"kept": KEPT, "cut": CUT, "not judged by the run, or hidden": FOCUS},
    "verdict": {"accepted": KEPT, "rejected": CUT, "undecided": FOCUS},
    "kind": {"image": KEPT, "description": FOCUS, "prototype": CATEGORICAL[2]},
}


def choices(points: pd.DataFrame) -> list[str]:
    """The ways of colouring that tell anything of these points."""
    kinds = set(points["kind"])
    useful = {
        "set": points["set"].replace("", np.nan).nunique() > 1,
        "part": "image" in kinds,
        "correct": "image" in kinds,
        "kept": "description" in kinds,
        "verdict": "description" in kinds,
        "writer": "description" in kinds,
        "kind": len(kinds) > 1,
    }
    return [name for name in COLOUR_BY if useful.get(name, True)]


def values(
    points: pd.DataFrame, by: str, view: str, classes: Sequence[ClassInfo], verdicts: Mapping[str, str]
) -> pd.Series:
    """What each point is, in words, by one way of colouring; "-" where the question does not apply.

    Args:
        view: teacher, before or after: whether an image is right or wrong depends on who looks.
        verdicts: description id -> verdict as it now stands.
    """
    image, text = points["kind"] == "image", points["kind"] == "description"
    none = pd.Series("-", index=points.index, dtype=object)
    if by == "class":
        named = points["class_key"].map({entry.key: entry.prompt_name for entry in classes})
        return named.fillna(points["class_key"]).where(points["class_key"] != "", "no label")
    if by == "part":
        return none.mask(image, points["part"].map(PARTS))
    if by == "set":
        return points["set"].replace("", "no label")
    if by == "correct":
        right = points[f"nearest_{view}"] == points["class_key"]
        labelled = image & (points["class_key"] != "") & (points[f"nearest_{view}"] != "")
        return none.mask(labelled, right.map({True: "right", False: "wrong"}))
    if by == "kept":
        kept = points["kept"].astype(object).map({True: "kept", False: "cut"})
        return none.mask(text, kept.fillna("not judged by the run, or hidden"))
    if by == "verdict":
        return none.mask(text, points["id"].map(dict(verdicts)).fillna("undecided"))
    if by == "writer":
        return none.mask(text, points["writer"].replace("", "not named"))
    return points["kind"].astype(object)


def legend(by: str, present: Sequence[str], classes: Sequence[ClassInfo]) -> Legend:
    """Colours and shapes of the values that are there; a class has the same ones on every page and every map."""
    if by == "class":
        names = [entry.prompt_name for entry in classes]
        colour = colours(names) | {entry.prompt_name: entry.colour for entry in classes if entry.colour}
        shape = symbols(names)
    elif by in _FIXED:
        colour, shape = _FIXED[by], {}
    else:
        colour, shape = colours([value for value in present if value != "-"]), {}
    return Legend(
        present,
        [colour.get(value, NEUTRAL) for value in present],
        [shape.get(value, "circle") for value in present],
    )
