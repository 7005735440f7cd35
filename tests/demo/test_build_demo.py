"""The demo's build script: which crops share ground, what it draws and what it keeps."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def build():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        yield importlib.import_module("build_demo")


@pytest.fixture
def orthophoto() -> np.ndarray:
    """Land with detail of many sizes, 512 px."""
    rng = np.random.default_rng(0)
    layers = [np.kron(rng.random((512 // s, 512 // s)), np.ones((s, s))) for s in (4, 8, 16, 32)]
    return (255 * np.mean(layers, axis=0)).astype(np.uint8)


def crop(folder: Path, name: str, land: np.ndarray, top: int, left: int) -> Path:
    path = folder / f"{name}.png"
    Image.fromarray(land[top : top + 256, left : left + 256]).save(path)
    return path


def test_overlapping_crops_share_ground_and_others_do_not(build, orthophoto, tmp_path):
    finder = build.GroundFinder()
    details = [
        finder.detail(crop(tmp_path, name, orthophoto, *corner))
        for name, corner in {"a": (0, 0), "overlaps": (60, 130), "apart": (256, 256)}.items()
    ]
    assert finder.same(details[0], details[1])
    assert not finder.same(details[0], details[2])


def test_furrows_of_two_fields_do_not_share_ground(build, tmp_path):
    rng = np.random.default_rng(1)
    furrows = np.tile(128 + 60 * np.sin(np.arange(512) / 3), (512, 1))
    fields = [(furrows + rng.normal(0, 40, furrows.shape)).clip(0, 255).astype(np.uint8) for _ in range(2)]
    finder = build.GroundFinder()
    details = [finder.detail(crop(tmp_path, f"field{i}", field, 0, 0)) for i, field in enumerate(fields)]
    assert not finder.same(*details)


def test_pool_images_on_the_ground_of_a_test_image_are_left_out(build, orthophoto, tmp_path):
    near = crop(tmp_path, "near", orthophoto, 0, 0)
    nearer = crop(tmp_path, "nearer", orthophoto, 60, 60)
    far = crop(tmp_path, "far", np.flip(orthophoto), 0, 0)
    sealed = crop(tmp_path, "sealed", orthophoto, 150, 120)
    pool, test, out = build.grouped([near, nearer, far], [sealed])
    assert (pool, test, out) == ([[far]], [[sealed]], [near, nearer])


def test_mpvr_texts_are_drawn_the_same_each_time_and_split(build):
    texts = {"storage tank": [f"Tank {n} is round. It is white" for n in range(30)]}
    rows = build.mpvr_rows(texts, {"storagetanks": "storage tank"})
    assert rows == build.mpvr_rows(texts, {"storagetanks": "storage tank"})
    # Twenty first sentences, and the second one, which all share, once.
    assert len(rows) == 21
    assert [row["text"] for row in rows].count("It is white") == 1
    assert all(row["text"] in row["parent"] for row in rows)


def test_own_descriptions_are_kept_and_older_draws_replaced(build, tmp_path):
    path = tmp_path / "descriptions.jsonl"
    own = {"class_key": "a", "text": "kept", "writer": "avion-demo"}
    old, new = ({"class_key": "a", "text": text, "writer": "mpvr-gpt"} for text in ("old", "new"))
    path.write_text("".join(json.dumps(row) + "\n" for row in (own, old)))
    build.write_descriptions(path, [new])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [own, new]
    assert list(tmp_path.iterdir()) == [path]
