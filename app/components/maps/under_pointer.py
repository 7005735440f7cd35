"""What lies under the pointer on a map: the picture or the whole text, its class, and where that class ranks.

The browser's half tells which point it is, and shows what comes back beside the pointer. Nothing else of the page is
drawn for that, and a point that was looked at before is not asked for again.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.kit.browser_half import browser_half
from app.kit.gallery import thumbnail
from app.state import map_choices
from avion_core.usecases.insight.alignment import MapResult
from avion_core.usecases.projects.summaries import ProjectSummary

_component = browser_half("avion_under_pointer", __file__)
_SIDE = 192
_WHO = {"teacher": "The teacher", "before": "The student before training", "after": "The student after training"}


@st.fragment
def under_pointer(project: ProjectSummary, result: MapResult, seen_by: Mapping[str, str]) -> None:
    """Draw it, below the map's views.

    Args:
        seen_by: view on the page -> the model (teacher, before, after) whose view it is.
    """
    asked = map_choices.pointed_at()
    known = asked.get("map") == result.folder.name and asked.get("view") in seen_by
    found = None
    if known and 0 <= asked["row"] < len(result.points):
        found = asked | point_card(project, result.points.iloc[asked["row"]], seen_by[asked["view"]])
    data = {"map": result.folder.name, "views": list(seen_by), "found": found}
    _component(key=map_choices.UNDER_POINTER, data=data, on_asked_change=lambda: None, height=1)


def point_card(project: ProjectSummary, point: pd.Series, model: str) -> dict[str, Any]:
    """What the card says of a point: title, picture (a data URI, or None), text, and how the model ranks its class."""
    names = {entry.key: entry.prompt_name for entry in project.classes}
    kind, key = str(point["kind"]), str(point["class_key"])
    name = names.get(key, key) or "no label"
    picture = None
    if kind == "image" and project.pictures:
        jpeg = thumbnail(str(project.image_root / point["path"]), project.recipe, _SIDE)
        picture = jpeg and f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    nearest = str(point[f"nearest_{model}"])
    lines = []
    if nearest:
        rank = int(point.get(f"rank_{model}", 0))
        if rank == 1:
            lines.append(f"{_WHO[model]}: nearest to its own class.")
        else:
            own = f"; its own class is at place {rank} of {len(names)}" if rank else ""
            lines.append(f"{_WHO[model]}: nearest to {names.get(nearest, nearest)}{own}.")
    if kind == "description" and pd.notna(point["kept"]):
        lines.append("Kept." if point["kept"] else "Cut.")
    return {"title": f"{name} · {kind}", "picture": picture, "text": str(point["text"]), "lines": lines}
