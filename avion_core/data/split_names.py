"""How data sets call their splits: in names of folders, in tables, in caption files."""

from __future__ import annotations

import re

SPLITS = ("train", "validation", "test")

_WORDS = {
    **dict.fromkeys(("train", "training", "trainset", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "valset", "dev", "devset", "eval", "evaluation"), "validation"),
    **dict.fromkeys(("test", "testing", "testset", "tst", "holdout", "heldout"), "test"),
}


def split_of(name: str) -> str:
    """The split that a name says ("seg_train", "Testing", "val2017", "hold-out"), or ""."""
    name = re.sub(r"\b(hold|held)[^a-z0-9]?out", r"\1out", name.lower().replace("_", "-"))
    words = [word.rstrip("0123456789") for word in re.split(r"[^a-z0-9]+", name)]
    found = {_WORDS[word] for word in words if word in _WORDS}
    return found.pop() if len(found) == 1 else ""
