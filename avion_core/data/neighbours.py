"""Images that belong together, as groups: no split divides a group (docs/method.md section 7)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

import pandas as pd

from avion_core.data.labels import ImageLabel
from avion_core.data.near_copies import joined
from avion_core.data.problems import Problem
from avion_core.data.splits import KeepTogether
from avion_core.wording import counted

_LISTED = 4
_SAID = {
    "series": "by their files' names",
    "place": "by where they were taken",
    "features": "by the teacher's features",
}
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
        return Problem("near_copy", paths[places[0]], f"{shows_the_same(others)} {said}.")

    return groups, [told(places) for places in copies]


def shows_the_same(others: Sequence[str]) -> str:
    """What to say of a picture of which there are copies: the first few of them, and how many more."""
    more = f" and {len(others) - _LISTED:,} more" if len(others) > _LISTED else ""
    return f"It shows the same as {', '.join(others[:_LISTED])}{more}."


def grouped(manifest: pd.DataFrame, sets: Sequence[str], together: KeepTogether) -> tuple[pd.DataFrame, list[Problem]]:
    """The manifest with neighbours in one group, and what is to be known of it.

    A group that there is already joins the sets that its images are in. A given split stays as it is: neighbours on
    both sides of it make a group on each. Neither does a class lose all but one of its groups, on either side, for
    then nothing could be drawn of it: its images keep the groups they had, and that is told.

    Args:
        manifest: as a scan made it (see `scan.MANIFEST_COLUMNS`).
        sets: of each image, the name of the set of neighbours that it is in, "" for none.
        together: what told them; images of each set come under a group of the set's name.
    """
    rows = list(zip(*(manifest[name] for name in ("image_id", "label", "group", "split")), strict=True))
    marked = {group: split for _, _, group, split in rows if group and split}
    side = [split or marked.get(group, "") for _, _, group, split in rows]  # where the draw will put it
    units = [("group", group) if group else ("image", image) for image, _, group, _ in rows]
    number = {unit: place for place, unit in enumerate(dict.fromkeys(units))}
    of = [number[unit] for unit in units]

    parts: dict[tuple[str, str], set[int]] = defaultdict(set)
    for place, (_, label, _, _) in enumerate(rows):
        if label:
            parts[label, side[place]].add(of[place])

    apart: set[str] = set()
    while True:
        inside = [name if label not in apart else "" for name, (_, label, _, _) in zip(sets, rows, strict=True)]
        first: dict[tuple[str, str], int] = {}
        pairs = [(first.setdefault((name, side[at]), of[at]), of[at]) for at, name in enumerate(inside) if name]
        set_of = {unit: place for place, one in enumerate(joined(pairs)) if len(one) > 1 for unit in one}
        whole = {
            label
            for (label, _), units_of in parts.items()
            if len(units_of) > 1 and units_of <= set_of.keys() and len({set_of[unit] for unit in units_of}) == 1
        }
        if whole <= apart:
            break
        apart |= whole

    names: dict[int, str] = {}
    for place, name in enumerate(inside):
        if name and (joint := set_of.get(of[place])) is not None:
            shown = f"{name} ({side[place]})" if side[place] else name
            names[joint] = min(names.get(joint, shown), shown)
    groups = [str(names.get(set_of.get(unit, -1), group)) for unit, (_, _, group, _) in zip(of, rows, strict=True)]
    problems = [
        Problem(
            "neighbours",
            label,
            f"All of its images on one side of the split are neighbours {_SAID[together]}, so they were not kept "
            "together: figures on it may be too good. Add images of other places.",
        )
        for label in sorted(apart)
    ]
    return manifest.assign(group=groups), problems


def said_of_groups(manifest: pd.DataFrame, together: KeepTogether) -> str:
    """How many images lie in how many groups, as a sentence."""
    groups = manifest.loc[manifest["group"] != "", "group"]
    alone = len(manifest) - len(groups)
    others = f"; {counted(alone, 'image has', 'images have')} no group" if alone else ""
    held = f"{counted(len(groups), 'image')} in {counted(groups.nunique(), 'group')}{others}"
    return f"Neighbours are kept together {_SAID[together]}: {held}."
