"""What the folders of a data set mean: classes, given splits, or something that holds the classes.

Told by structure first: folders that share the same sub-folders are no classes, whatever they are called. Names tell
only which of two readings of one structure is likelier. Where more than one reading is left, people are asked.

Folders that only wrap others are read past, wherever they are: one that holds all there is (`data/forest`,
`images/train/forest`), and those that each of several folders holds alone, under one name or its own
(`train/images/forest` beside `test/images/forest`, `forest/forest_data/train`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
    below = _below(_folders_on_the_way(paths))
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
        if marked:
            said = f"The folders {_some(outer)} hold the same sub-folders ({_some(inner)})"
            said += f"; {_some(marked)} is named like a split."
            return Layout("split/class", said, ("split/class", "group/class", "other/class", "class"))
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
    ways = _folders_on_the_way(paths)
    said = _splits_said(_below(ways))
    known = {path: _label(folders, order, said) for path, folders in ways.items()}
    problems: list[Problem] = []
    splits = {label.split for label in known.values()}
    if "validation" in splits and "test" not in splits:
        for path, label in known.items():
            if label.split == "validation":
                known[path] = ImageLabel(label.label, label.group, "test")
        told = "The data set has no test folder: its validation folder was sealed as the test set."
        problems.append(Problem("layout", min(path for path in known if known[path].split == "test"), told))
    return _without_lone_groups(known), problems


def _splits_said(below: Mapping[str, set[str]]) -> dict[str, str]:
    """First folder -> split. One beside a lone train folder, of a name that says nothing, holds out what that trains.

    Args:
        below: first folder -> the folders right in it.
    """
    said = {name: split_of(name) for name in below}
    marked = {name for name, split in said.items() if split}
    if len({said[name] for name in marked}) != 1:
        return said
    other = "test" if "train" in said.values() else "train"
    held = set[str]().union(*(below[name] for name in marked))
    alike = {name for name in below if len(below[name] & held) >= _SHARED * max(1, len(held))}
    return said | dict.fromkeys(alike - marked - {name for name in below if name.lower() in _NO_LABEL}, other)


def _label(folders: tuple[str, ...], order: FolderOrder, splits: Mapping[str, str]) -> ImageLabel:
    outer, inner = (*folders, "", "")[:2]
    if outer.lower() in _NO_LABEL and order != "class":
        return ImageLabel()
    match order:
        case "class":
            return ImageLabel(outer, "/".join(folders[1:]))
        case "split":
            return ImageLabel("", "/".join(folders[1:]), split_of(outer))
        case "split/class":
            return ImageLabel(inner, "/".join(folders[2:]), splits.get(outer, ""))
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


def _below(ways: Mapping[str, tuple[str, ...]]) -> dict[str, set[str]]:
    """First folder -> the folders right in it, of pictures that lie in one."""
    below: dict[str, set[str]] = defaultdict(set)
    for folders in ways.values():
        if folders:
            below[folders[0]] |= set(folders[1:2])
    return dict(below)


@dataclass
class _Folder:
    pictures: list[str] = field(default_factory=list)
    """Paths of those right in it."""
    inside: dict[str, _Folder] = field(default_factory=dict)


def _folders_on_the_way(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Path -> the folders that it goes through, without those that only wrap others."""
    root = _Folder()
    for path in paths:
        *names, _ = PurePosixPath(path).parts
        folder = root
        for name in names:
            folder = folder.inside.setdefault(name, _Folder())
        folder.pictures.append(path)
    while len(root.inside) == 1 and (only := next(iter(root.inside.values()))).inside:
        root = _Folder(root.pictures + only.pictures, only.inside)
    return dict(_unwrapped(root, ()))


def _unwrapped(folder: _Folder, way: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The pictures of a folder that lies at the end of a way, each with the folders that count."""
    while _hold_wrappers(folder.inside):
        for inner in folder.inside.values():
            for wrapper in inner.inside.values():
                inner.pictures, inner.inside = wrapper.pictures, wrapper.inside
    yield from ((path, way) for path in folder.pictures)
    for name, inner in folder.inside.items():
        yield from _unwrapped(inner, (*way, name))


def _hold_wrappers(folders: Mapping[str, _Folder]) -> bool:
    """Whether each of some folders holds nothing but one folder, of one name in all or of its own, and these hold more.

    Folders with pictures alone are passed over. One class in each place (Berlin/forest, Oslo/river) is no wrapper.
    """
    deep = {name: folder for name, folder in folders.items() if folder.inside}
    if any(len(folder.inside) > 1 or folder.pictures for folder in deep.values()):
        return False
    held = {name: next(iter(folder.inside)) for name, folder in deep.items()}
    own = all(name.lower() in inner.lower() for name, inner in held.items())
    more = any(inner.inside for folder in deep.values() for inner in folder.inside.values())
    return more and (own or (len(deep) > 1 and len(set(map(str.lower, held.values()))) == 1))


def _share(below: Mapping[str, set[str]]) -> bool:
    """Whether the folders have mostly the same sub-folders, two or more."""
    every = [names for name, names in below.items() if name.lower() not in _NO_LABEL]
    common, together = set.intersection(*every), set.union(*every)
    return len(common) > 1 and len(common) >= _SHARED * len(together)


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _SAMPLE_NAMES:,} more" if len(listed) > _SAMPLE_NAMES else ""
    return ", ".join(listed[:_SAMPLE_NAMES]) + more
