"""A studio small enough for tests, with nothing faked but the towers' size: real images, real training, real processes.

`python tests/tiny_studio.py --home H --job ID` is the worker that does a job of any kind, `python tests/tiny_studio.py
queue ...` the queue, and `python tests/tiny_studio.py avion ...` the command line, with the tiny towers in the
catalog's place.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TINY = {"teacher": "georsclip-vit-h-14", "student": "georsclip-vit-b-32"}
CLASSES = ("beach", "forest", "golfcourse")
FOUR_CLASSES = (*CLASSES, "river")
"""Base-to-novel needs two novel classes."""
COLOURS = {"beach": (214, 190, 140), "forest": (30, 80, 40), "golfcourse": (120, 190, 90), "river": (60, 90, 150)}
DEFAULTS = {
    "data": {"shots": 2},
    "model": {"visual_prompts": 2, "text_prompts": 2},
    "distillation": {"epochs": 3, "batch_size": 3, "precision": "float32", "validate_every": 1},
}
TEXTS = (
    "Aerial view of {} seen from directly above in daylight.",
    "A satellite image showing {} and its surroundings.",
    "Someone standing in the street near {}.",
    "{}.",
)


def make_images(folder: Path, per_class: int = 8, classes: Sequence[str] = CLASSES) -> Path:
    """Class folders of small pictures: a class's colour under noise."""
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            noise = np.random.default_rng(zlib.crc32(f"{name}{number}".encode())).integers(-30, 30, (40, 40, 3))
            pixels = (np.array(COLOURS[name]) + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02d}.png")
    return folder


def make_descriptions(path: Path, classes: Sequence[str] = CLASSES) -> Path:
    """Four texts per class, two of which speak of an overhead view."""
    texts = {name: [text.format(name) for text in TEXTS] for name in classes}
    path.write_text(json.dumps(texts), encoding="utf-8")
    return path


@cache
def tiny_towers(name: str) -> Any:
    """Towers under a catalog name, of another dimension for the teacher than for the student."""
    from tests.tiny_clip import make_tiny_clip

    return make_tiny_clip(dim=48, seed=1, name=name) if name == TINY["teacher"] else make_tiny_clip(name=name)


def seams() -> list[tuple[Any, str, Any]]:
    """Where weights are found and become towers: (owner, attribute, stand-in)."""
    from avion_core.backbones import load
    from avion_core.backbones.catalog import is_given
    from avion_core.backbones.given import open_given

    kept = load.WeightStore.path  # embeddings that were given are what they are

    def build(entry: Any, path: Path, **_: Any) -> Any:
        return open_given(entry, path) if is_given(entry.name) else tiny_towers(entry.name)

    def found(store: Any, name: str) -> Path | None:
        return kept(store, name) if is_given(name) else Path("tiny")

    return [(load, "build_towers", build), (load.WeightStore, "path", found)]


def main() -> int | None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    for owner, attribute, stand_in in seams():
        setattr(owner, attribute, stand_in)
    if sys.argv[1:2] == ["avion"]:
        from avion_core import cli

        del sys.argv[1]
        return cli.main()
    from avion_core.jobs.executors import local

    local.WORKER = (sys.executable, __file__)
    if sys.argv[1:2] == ["queue"]:
        from avion_core.jobs import queue

        del sys.argv[1]
        return queue.main()
    from avion_core.jobs import worker

    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
