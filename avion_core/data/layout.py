"""What the folders of a data set mean: classes, given splits, or something that holds the classes.

Told by structure first: folders that share the same sub-folders are no classes, whatever they are called. Names tell
only which of two readings of one structure is likelier. Where more than one reading is left, people are asked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, get_args

from avion_core.data.labels import ImageLabel
from avion_core.data.problems import Problem
from avion_core.data.split_names import split_of

FolderOrder = Literal["class", "split", "split/class", "class/split", "group/class", "other/class"]
"""What the first two folders on a picture's way are; `other` means nothing. Folders below are groups."""
FOLDER_ORDERS: tuple[FolderOrder, ...] = get_args(FolderOrder)

_NO_LABEL = {"unlabeled", "unlabelled", "unlabeld", "unsupervised", "pool"}
_FOLD = re.compile(r"(fold|cv|part|run)[-_ ]?\d+")
_SHARED = 0.5  # of the sub-folders that two folders have together, the least share that both have
_NEARLY_ALL = 0.9
_SAMPLE_NAMES = 4


@dataclass(frozen=True)
class Layout:
    """How a data set's folders can be read."""

    order: FolderOrder
    """The likeliest reading."""
    question: str = ""
    """What is to be asked before anything is made of it; empty where there is only one reading."""
    choices: tuple[FolderOrder, ...] = ("class",)
    """The readings that are left, the likeliest first."""


def read_layout(paths: Iterable[str]) -> Layout:
    """How the folders of pictures (paths relative to the data set's folder) can be read."""
    below = _folders(paths)
    outer, inner = set(below), {name for names in below.values() for name in names}
    marked = {name for name in outer if split_of(name)}
    if len({split_of(name) for name in marked}) > 1:
        held = {name for split in marked for name in below[split]}
        if not held:
            said = f"The folders {_some(marked)} are named like splits and hold no class folders."
            return Layout("split", said, ("split", "class"))
        said = f"The folders {_some(marked)} look like splits: they hold the same sub-folders ({_some(held)})."
        return Layout("split/class", said, ("split/class", "other/class", "class"))
    if inner and len({split_of(name) for name in inner if split_of(name)}) > 1:
        divided = {name: names for name, names in below.items() if names}
        with_splits = [name for name, names in divided.items() if all(map(split_of, names))]
        if len(with_splits) >= _NEARLY_ALL * len(divided):
            said = f"In {_some(with_splits)} there are folders that look like splits: {_some(inner)}."
            return Layout("class/split", said, ("class/split", "class"))
    if len(outer) > 1 and len(inner) > 1 and _share(below):
        folds = all(_FOLD.fullmatch(name.lower()) or split_of(name) for name in outer)
        said = f"The folders {_some(outer)} hold the same sub-folders ({_some(inner)}), so these look like the classes."
        likeliest: FolderOrder = "other/class" if folds else "group/class"
        rest: tuple[FolderOrder, ...] = ("group/class", "class") if folds else ("other/class", "class")
        return Layout(likeliest, said, (likeliest, *rest))
    return Layout("class")


def labels_of(paths: Iterable[str], order: FolderOrder) -> tuple[dict[str, ImageLabel], list[Problem]]:
    """What a picture's folders say of it, under one reading.

    A data set without a test folder has its validation folder as the test set: one part is sealed, and whoever gave
    the split held that one out.
    """
    known = {path: _label(folders, order) for path, folders in _folders_on_the_way(paths).items()}
    problems: list[Problem] = []
    splits = {label.split for label in known.values()}
    if "validation" in splits and "test" not in splits:
        for path, label in known.items():
            if label.split == "validation":
                known[path] = ImageLabel(label.label, label.group, "test")
        said = "The data set has no test folder: its validation folder was sealed as the test set."
        problems.append(Problem("layout", min(path for path in known if known[path].split == "test"), said))
    return _without_lone_groups(known), problems


def _label(folders: tuple[str, ...], order: FolderOrder) -> ImageLabel:
    outer, inner = (*folders, "", "")[:2]
    if outer.lower() in _NO_LABEL and order != "class":
        return ImageLabel()
    match order:
        case "class":
            return ImageLabel(outer, "/".join(folders[1:]))
        case "split":
            return ImageLabel("", "/".join(folders[1:]), split_of(outer))
        case "split/class":
            return ImageLabel(inner, "/".join(folders[2:]), split_of(outer))
        case "class/split":
            return ImageLabel(outer, "/".join(folders[2:]), split_of(inner))
        case "group/class":
            return ImageLabel(inner, "/".join((outer, *folders[2:])))
        case "other/class":
            return ImageLabel(inner, "/".join(folders[2:]))


def _without_lone_groups(known: Mapping[str, ImageLabel]) -> dict[str, ImageLabel]:
    """One sub-folder in every class (class/images/a.jpg) tells no groups apart."""
    groups: dict[str, set[str]] = defaultdict(set)
    for label in known.values():
        if label.label:
            groups[label.label].add(label.group)
    if any(len(found) > 1 for found in groups.values()):
        return dict(known)
    return {path: ImageLabel(label.label, "", label.split) for path, label in known.items()}


def _folders(paths: Iterable[str]) -> dict[str, set[str]]:
    """First folder -> the folders right in it, of pictures that lie in one."""
    below: dict[str, set[str]] = defaultdict(set)
    for folders in _folders_on_the_way(paths).values():
        if folders:
            below[folders[0]] |= set(folders[1:2])
    return dict(below)


def _folders_on_the_way(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Path -> the folders that it goes through; where each first one holds but its namesake, as an archive unpacked
    into a folder of its name does (seg_train/seg_train/forest/a.jpg), that is one folder.
    """
    found = {path: PurePosixPath(path).parts[:-1] for path in paths}
    inside = [folders for folders in found.values() if folders]
    if all(folders[:1] == folders[1:2] for folders in inside):
        return {path: folders[1:] for path, folders in found.items()}
    return found


def _share(below: Mapping[str, set[str]]) -> bool:
    """Whether the folders have mostly the same sub-folders, two or more."""
    every = [names for name, names in below.items() if name.lower() not in _NO_LABEL]
    common, together = set.intersection(*every), set.union(*every)
    return len(common) > 1 and len(common) >= _SHARED * len(together)


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _SAMPLE_NAMES:,} more" if len(listed) > _SAMPLE_NAMES else ""
    return ", ".join(listed[:_SAMPLE_NAMES]) + more
