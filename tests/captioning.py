"""A caption file for the small pictures of `tiny_studio.make_images`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests import tiny_studio


def make_captions(
    path: Path, classes: Sequence[str] = tiny_studio.CLASSES, *, tested: Sequence[int] = (6, 7), per_class: int = 8
) -> Path:
    """Two captions for each picture, Karpathy-style; the pictures of these numbers are test images."""
    images = [
        {
            "filename": f"{name}/{number:02d}.png",
            "split": "test" if number in tested else "train",
            "sentences": [{"raw": f"a {name} from above"}, {"raw": f"{name} number {number}"}],
        }
        for name in classes
        for number in range(per_class)
    ]
    path.write_text(json.dumps({"images": images}), encoding="utf-8")
    return path
