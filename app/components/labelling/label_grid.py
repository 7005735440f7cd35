"""The label grid: a page of pictures and the keys that label them (the browser's half is the .js file)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.kit import palette
from app.kit.browser_half import browser_half
from app.kit.gallery import thumbnail
from app.state import outbox, work_lists
from app.state.work_lists import WorkList
from avion_core.data.recipe import RenderingRecipe
from avion_core.usecases.projects.summaries import ClassInfo

PAGE = 18
"""Pictures shown at once: three rows of six. The browser holds the next page as well, so that keys need not wait."""

PRESSES = (*"1234567890", *"qwertyiopdfgjklzxcvbnm")
"""Keys for classes, in their order; A, S, U and H have other meanings, and further classes are found by name."""

_SIDE = 176

_component = browser_half("avion_label_grid", __file__)


@dataclass
class LabelList(WorkList):
    """One person's place among images to label; the order stays as it is while labels are given.

    done: images that want no label any more.
    """

    guesses: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Image id -> what the teacher guessed when the list was made."""
    sentence: str = ""
    """What the guesses came from."""
    seen: dict[str, str] = field(default_factory=dict)
    """Image id -> its label when the list was made, "" for none."""
    again: int = 0
    """Rises with labels given beside the grid: its own memory of what to undo is stale then."""


def class_keys(classes: Sequence[ClassInfo]) -> list[dict[str, str]]:
    """What the grid shows of the classes: key, name, code, colour, and the key to press ("" past the last one)."""
    colours = palette.class_colours(classes)
    presses = [*PRESSES, *[""] * len(classes)]
    return [
        {
            "key": entry.key,
            "name": entry.prompt_name,
            "code": f"{entry.code} {entry.local_name}",
            "colour": colours[entry.key],
            "press": press,
        }
        for entry, press in zip(classes, presses, strict=False)
    ]


def tile(row: dict[str, Any], recipe: RenderingRecipe, *, place: int, done: bool) -> dict[str, Any]:
    """What the grid shows of one image: a row of the image table with the teacher's guess and its probability."""
    picture = thumbnail(row["path"], recipe, _SIDE)
    return {
        "id": row["image_id"],
        "name": row["name"],
        "picture": picture and f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}",
        "label": row["class_key"] or None,
        "guess": row["guess"],
        "share": row["probability"],
        "place": place,
        "done": done,
    }


def label_grid(work_list: LabelList, tiles: Sequence[dict[str, Any]], classes: Sequence[ClassInfo]) -> None:
    """Draw the grid at the work list's cursor. Labels given in it go to the outbox."""
    _component(
        key=work_lists.LABEL_GRID,
        data={
            "items": list(tiles),
            "classes": class_keys(classes),
            "cursor": work_list.cursor,
            "again": work_list.again,
            "total": len(work_list.order),
            "page": PAGE,
            **outbox.sender(work_list),
        },
    )
