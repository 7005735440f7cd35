"""Numbers and sizes in sentences."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 image", "1,045 images"; `many` where an s at the end of `one` will not do."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def size(count: int) -> str:
    """Bytes as people say them: "12 KB", "605 MB", "3.9 GB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} KB"
