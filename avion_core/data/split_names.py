"""How data sets call their splits: in names of folders, in tables, in caption files."""

from __future__ import annotations

import re

SPLITS = ("train", "validation", "test")

_WORDS = {
    **dict.fromkeys(("train", "training", "trainset", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "valset", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "testset", "tst"), "test"),
}


def split_of(name: str) -> str:
    """The split that a name says ("seg_train", "Testing", "val2017"), or ""."""
    words = [word.rstrip("0123456789") for word in re.split(r"[^a-z0-9]+", name.lower())]
    found = {_WORDS[word] for word in words if word in _WORDS}
    return found.pop() if len(found) == 1 else ""
