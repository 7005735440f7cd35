"""An edit shown word by word."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "gone", "new"]


def word_diff(before: str, after: str) -> list[tuple[Kind, str]]:
    """What an edit took out and put in, in reading order.

    Returns:
        Runs of words: "same" in both, "gone" from `before`, "new" in `after`. Without a change one run, all the same.
    """
    old, new = before.split(), after.split()
    runs: list[tuple[Kind, str]] = []
    for what, start, end, new_start, new_end in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if what == "equal":
            runs.append(("same", " ".join(old[start:end])))
            continue
        if end > start:
            runs.append(("gone", " ".join(old[start:end])))
        if new_end > new_start:
            runs.append(("new", " ".join(new[new_start:new_end])))
    return runs
