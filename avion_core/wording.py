"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 image", "1,045 images"; `many` where an s at the end of `one` will not do."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
