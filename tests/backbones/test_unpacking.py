"""Weights inside zip archives, and folders that hold weights."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from avion_core.backbones.load import WeightStore
from avion_core.backbones.own_models import OwnModel, OwnModels
from avion_core.backbones.unpacking import unpacked, weights_in
from avion_core.errors import CheckpointError
from tests.clip_forms import FORMS, make_clip


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_published_archive_is_installed_as_the_file_that_it_holds(tmp_path: Path) -> None:
    """SkyCLIP's form: a training checkpoint inside a folder inside a zip archive."""
    training = {"epoch": 20, "state_dict": {f"module.{k}": v for k, v in make_clip("clip").state_dict().items()}}
    torch.save(training, tmp_path / "epoch_20.pt")
    content = (tmp_path / "epoch_20.pt").read_bytes()
    archive = zipped(tmp_path / "sky.zip", {"sky/epoch_20.pt": content, "sky/.DS_Store": b"x", "sky/params.txt": b"x"})
    models = OwnModels(tmp_path / "models.yaml")
    models.enter("sky", OwnModel(config=FORMS["clip"], licence="MIT"))
    store = WeightStore(tmp_path / "weights", catalog=models)
    assert store.add_local("sky", archive).read_bytes() == content
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["sky"]
    assert store.installed()[0].source == "local: sky.zip"


def test_a_torch_file_is_no_archive_to_unpack(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "weights.pt")
    assert unpacked(tmp_path / "weights.pt", tmp_path) == tmp_path / "weights.pt"
    (tmp_path / "text").write_text("no archive")
    assert unpacked(tmp_path / "text", tmp_path) == tmp_path / "text"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"readme.txt": b"x"}, "holds no weights file"),
        ({"a/1.pt": b"x", "b/2.pt": b"y"}, r"holds more than one weights file \(a/1\.pt, b/2\.pt\)"),
    ],
)
def test_an_archive_that_does_not_hold_one_weights_file(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        unpacked(zipped(tmp_path / "some.zip", members), tmp_path)


def test_a_damaged_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "some.zip", {"a.pt": bytes(5000)})
    path.write_bytes(path.read_bytes().replace(b"a.pt", b"b.pt", 1))  # its own list says another name
    with pytest.raises(CheckpointError, match="cannot be unpacked"):
        unpacked(path, tmp_path)


def test_a_member_cannot_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = zipped(tmp_path / "some.zip", {"../../out.pt": b"x"})
    assert unpacked(path, tmp_path / "in") == tmp_path / "in" / "out.pt"


def test_the_weights_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no weights file"):
        weights_in(tmp_path)
    (tmp_path / "one.pt").touch()
    assert weights_in(tmp_path).name == "one.pt"
    (tmp_path / "two.bin").touch()
    with pytest.raises(CheckpointError, match="holds more than one weights file"):
        weights_in(tmp_path)
    (tmp_path / "open_clip_model.safetensors").touch()
    assert weights_in(tmp_path).name == "open_clip_model.safetensors"
