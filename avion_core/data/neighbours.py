"""Images that belong together, as groups: no split divides a group (docs/method.md section 7)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from avion_core.data.labels import ImageLabel
from avion_core.data.near_copies import joined
from avion_core.data.problems import Problem

_LISTED = 4
_IN_A_ROW = 10
_PART = r"[-_. ]+[a-z]{0,4}\d+"
_TILE = re.compile(rf"(?P<scene>.*?[a-z0-9])[-_. ]*?{_PART}{_PART}", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<name>.*?)(?P<number>\d{1,12})")


def series_of(path: str) -> str:
    """The series that a picture's name puts it in, as a group; "" for a name without a running number.

    Two numbers at the end are a tile's place, and what stands before them is its scene, whatever the folder
    (`scene4_0_256`, `P0001_r2_c13`). One number runs within a folder, and ten in a row are neighbours: pictures are
    mostly numbered as they were cut (`forest20` to `forest29`).
    """
    stem, folder = PurePosixPath(path).stem, PurePosixPath(path).parent
    if tile := _TILE.fullmatch(stem):
        return tile["scene"]
    if numbered := _NUMBERED.fullmatch(stem):
        first = int(numbered["number"]) // _IN_A_ROW * _IN_A_ROW
        return str(folder / f"{numbered['name']}{first}-{first + _IN_A_ROW - 1}")
    return ""


def keep_together(
    paths: Sequence[str], labels: Sequence[ImageLabel], copies: Sequence[Sequence[int]]
) -> tuple[list[str], list[Problem]]:
    """Groups under which near-copies stay on one side of every split, and what is to be known of each set of them.

    Groups that share near-copies become one. A split that is given stays as it is, and so does a class that would be
    left with one group, for nothing could be drawn of it: these are told.

    Args:
        paths: of all images. labels: of each. copies: places of images that show the same, two or more together.
    Returns:
        The group of each image, "" for none, and one problem for each set.
    """
    units = [f"group {label.group}" if label.group else path for path, label in zip(paths, labels, strict=True)]
    number = {unit: place for place, unit in enumerate(dict.fromkeys(units))}
    splits: dict[int, set[str]] = defaultdict(set)
    of_class: dict[str, set[int]] = defaultdict(set)
    for unit, label in zip(units, labels, strict=True):
        splits[number[unit]] |= {label.split} - {""}
        if label.label:
            of_class[label.label].add(number[unit])
    together = [sorted({number[units[place]] for place in places}) for places in copies]
    merged = joined((one[0], other) for one in together for other in one)
    divided = {unit for one in merged if len(set().union(*(splits[unit] for unit in one))) > 1 for unit in one}
    merged = [one for one in merged if one[0] not in divided]
    whole = {unit for one in merged for of in of_class.values() if len(of) > 1 and of <= set(one) for unit in one}
    merged = [one for one in merged if one[0] not in whole]

    names = list(number)
    name_of: dict[int, str] = {}
    for one in merged:
        given = sorted(names[unit].removeprefix("group ") for unit in one if names[unit].startswith("group "))
        copied = min(names[unit] for unit in one)
        name_of |= dict.fromkeys(one, given[0] if given else str(PurePosixPath(copied).with_suffix("")))
    groups = [name_of.get(number[unit], label.group) for unit, label in zip(units, labels, strict=True)]

    def told(places: Sequence[int]) -> Problem:
        unit = number[units[places[0]]]
        if unit in divided:
            sides = ", ".join(sorted(set[str]().union(*(splits[number[units[place]]] for place in places))))
            said = f"The given split has such copies on both sides ({sides}): figures on it are too good. Remove one"
        elif unit in whole:
            said = "They are all that its class has, so they may lie on both sides of a split. Add other images"
        else:
            said = "They are kept on one side of every split"
        first = labels[places[0]].label
        others = [
            paths[place] + (f" ({labels[place].label or 'unlabelled'})" if labels[place].label != first else "")
            for place in places[1:]
        ]
        more = f" and {len(others) - _LISTED:,} more" if len(others) > _LISTED else ""
        return Problem(
            "near_copy", paths[places[0]], f"It shows the same as {', '.join(others[:_LISTED])}{more}. {said}."
        )

    return groups, [told(places) for places in copies]
