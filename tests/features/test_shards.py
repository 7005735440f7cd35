from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from avion_core.errors import StoreError
from avion_core.features.shards import FeatureStore, Space


def open_space(folder: Path, dim: int = 4, **facts: str) -> Space:
    return FeatureStore(folder).space(dim, **facts)


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.safetensors"))


def test_rows_come_back_in_the_order_asked_for_from_several_shards(tmp_path: Path) -> None:
    rows = torch.randn(6, 4)
    space = open_space(tmp_path, weights="a")
    space.write(["a", "b", "c"], rows[:3])
    space.write(["d", "e", "f"], rows[3:])
    for same in (space, open_space(tmp_path, weights="a")):
        assert torch.equal(same.read(["f", "a", "a", "d"]), rows[[5, 0, 0, 3]])
        assert same.missing(["x", "a", "x", "y"]) == ["x", "y"]
        assert same.read([]).shape == (0, 4)


def test_facts_keep_rows_apart(tmp_path: Path) -> None:
    open_space(tmp_path, weights="a", view="v").write(["a"], torch.ones(1, 4))
    assert open_space(tmp_path, view="v", weights="a").missing(["a"]) == []
    for facts in ({"weights": "b", "view": "v"}, {"weights": "a", "view": "w"}, {"weights": "a"}):
        assert open_space(tmp_path, **facts).missing(["a"]) == ["a"]


def test_unknown_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        open_space(tmp_path).read(["nobody"])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_shard_that_is_cut_short_is_removed_and_its_rows_are_missing_again(share: float, tmp_path: Path) -> None:
    space = open_space(tmp_path)
    space.write(["a"], torch.ones(1, 4))
    (whole,) = shards(tmp_path)
    space.write(["b", "c"], torch.zeros(2, 4))
    (cut,) = set(shards(tmp_path)) - {whole}
    cut.write_bytes(cut.read_bytes()[: int(share * cut.stat().st_size)])
    again = open_space(tmp_path)
    assert again.missing(["a", "b", "c"]) == ["b", "c"]
    assert shards(tmp_path) == [whole]
    again.write(["b", "c"], torch.zeros(2, 4))
    assert open_space(tmp_path).missing(["a", "b", "c"]) == []


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({"features": torch.zeros(1, 4)}, None),
        ({"features": torch.zeros(1, 4)}, {"keys": "[1"}),
        ({"features": torch.zeros(2, 4)}, {"keys": '["a"]'}),
        ({"features": torch.zeros(1, 5)}, {"keys": '["a"]'}),
        ({"other": torch.zeros(1, 4)}, {"keys": '["a"]'}),
    ],
)
def test_shard_of_another_form_is_removed(tensors: dict, metadata: dict | None, tmp_path: Path) -> None:
    space = open_space(tmp_path)
    space.folder.mkdir()
    save_file(tensors, space.folder / "odd.safetensors", metadata)
    assert open_space(tmp_path).missing(["a"]) == ["a"]
    assert shards(tmp_path) == []


def test_unfinished_file_is_not_a_shard(tmp_path: Path) -> None:
    space = open_space(tmp_path)
    space.write(["a"], torch.ones(1, 4))
    (shard,) = shards(tmp_path)
    shard.rename(shard.with_suffix(".tmp"))
    assert open_space(tmp_path).missing(["a"]) == ["a"]


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(
        StoreError, match=r"embeddings cannot be saved \(.*taken.*Free space there, or check the folder's permissions"
    ):
        open_space(tmp_path / "taken").write(["a"], torch.ones(1, 4))


WRITER = """
import sys, torch
from pathlib import Path
from avion_core.features.shards import FeatureStore
space = FeatureStore(Path(sys.argv[1])).space(512, weights="a")
print("ready", flush=True)
start, step = int(sys.argv[2]), int(sys.argv[3])
for i in range(start, 4000, step):
    space.write([f"k{i}", f"k{i + 1}"], torch.full((2, 512), float(i)))
"""


def start_writer(folder: Path, start: int, step: int) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(folder), str(start), str(step)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_writers_at_once_one_of_them_killed(tmp_path: Path) -> None:
    """Overlapping keys, a reader beside them, and SIGKILL in the middle: every row that is there is whole."""
    writers = [start_writer(tmp_path, 0, 1), start_writer(tmp_path, 1, 1)]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            check(tmp_path)
        writers[0].send_signal(signal.SIGKILL)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert check(tmp_path) > 10


def check(folder: Path) -> int:
    space = open_space(folder, 512, weights="a")
    keys = [key for key in (f"k{i}" for i in range(4001)) if not space.missing([key])]
    rows = space.read(keys)
    wanted = torch.tensor([float(key[1:]) for key in keys])
    # Row k{i} was written as i (first of its pair) or as i - 1 (second); all its numbers agree.
    assert torch.equal(rows.amin(1) if keys else wanted, rows.amax(1) if keys else wanted)
    assert all(row in (value, value - 1) for row, value in zip(rows[:, 0].tolist(), wanted.tolist(), strict=True))
    return len(keys)
