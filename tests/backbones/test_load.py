from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from avion_core.backbones import load
from avion_core.backbones.demo_teacher import DemoTeacher
from avion_core.backbones.entries import ENTRIES
from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.towers import OpenClipTowers
from avion_core.errors import CheckpointError, NotFoundError, StoreError

NAME = "georsclip-vit-b-32"
TINY = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@pytest.fixture(autouse=True)
def tiny_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers of width 64 under the catalog's name, so that files are small and the way is the real one."""
    monkeypatch.setattr(open_clip, "get_model_config", lambda _: TINY)


@pytest.fixture
def clip() -> open_clip.CLIP:
    torch.manual_seed(0)
    return open_clip.CLIP(**TINY).eval()


@pytest.fixture
def checkpoint(clip: open_clip.CLIP, tmp_path: Path) -> Path:
    """In the form that GeoRSCLIP publishes: the model's state dict, saved by torch."""
    path = tmp_path / "RS5M_ViT-B-32.pt"
    torch.save(clip.state_dict(), path)
    return path


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "weights")


def test_local_file_is_installed_and_loads(clip: open_clip.CLIP, checkpoint: Path, store: WeightStore) -> None:
    assert store.path(NAME) is None
    assert store.installed() == []
    path = store.add_local(NAME, checkpoint)
    assert store.path(NAME) == path
    checkpoint.unlink()  # the store has its own copy
    towers = load_towers(NAME, store)
    assert isinstance(towers, OpenClipTowers)
    tokens = open_clip.get_tokenizer("ViT-B-32")(["roofs", "a long pier"])
    with torch.no_grad():
        expected = clip.encode_text(tokens, normalize=True)
    torch.testing.assert_close(towers.encode_text(["roofs", "a long pier"]), expected, atol=1e-5, rtol=0)
    assert (towers.name, towers.dim, towers.image_size, towers.quick_gelu) == (NAME, 32, 32, True)
    assert towers.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)


def test_record_says_what_is_installed(checkpoint: Path, store: WeightStore) -> None:
    path = store.add_local(NAME, checkpoint)
    (installed,) = store.installed()
    assert installed.name == NAME
    assert installed.sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert installed.size_bytes == checkpoint.stat().st_size
    assert installed.licence == ENTRIES[NAME].licence
    assert installed.source == "local: RS5M_ViT-B-32.pt"
    assert json.loads((path.parent / "weights.json").read_text())["file"] == path.name


def test_installing_again_replaces_the_file(clip: open_clip.CLIP, checkpoint: Path, store: WeightStore) -> None:
    first = store.add_local(NAME, checkpoint)
    old = load_towers(NAME, store)
    before = old.encode_text(["roofs"])
    clip.text_projection.data.neg_()
    torch.save(clip.state_dict(), checkpoint)
    second = store.add_local(NAME, checkpoint)
    assert not first.exists()
    assert sorted(p.name for p in second.parent.iterdir()) == sorted([second.name, "weights.json"])
    assert [p.name for p in store.folder.iterdir()] == [NAME]
    assert load_towers(NAME, store).weights_hash != old.weights_hash
    assert torch.equal(old.encode_text(["roofs"]), before)  # who holds the old file keeps it


def test_half_precision_file_computes_in_float32(clip: open_clip.CLIP, tmp_path: Path, store: WeightStore) -> None:
    path = tmp_path / "half.safetensors"
    save_file({name: value.half().contiguous() for name, value in clip.state_dict().items()}, path)
    towers = load_towers(NAME, store, checkpoint=path)
    assert isinstance(towers, OpenClipTowers)
    assert {parameter.dtype for parameter in towers.clip.parameters()} == {torch.float32}
    assert not any(t.is_meta for t in [*towers.clip.parameters(), *towers.clip.buffers()])


def test_refused_file_is_not_installed(checkpoint: Path, store: WeightStore) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut short or damaged"):
        store.add_local(NAME, checkpoint)
    assert not store.folder.exists()


def test_full_disk_is_said_plainly_and_leaves_nothing(
    checkpoint: Path, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path, *_: object) -> str:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(load, "_copied", full)
    with pytest.raises(StoreError, match=r"cannot be saved \(No space left on device\): .*weights\. Free space there"):
        store.add_local(NAME, checkpoint)
    assert list(store.folder.iterdir()) == []


def test_folder_that_cannot_be_made(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"cannot be saved \(Not a directory\)"):
        WeightStore(tmp_path / "taken" / "weights").add_local(NAME, checkpoint)


def test_weights_of_other_towers_are_refused(
    checkpoint: Path, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    deeper = TINY | {"vision_cfg": TINY["vision_cfg"] | {"layers": 3}}
    monkeypatch.setattr(open_clip, "get_model_config", lambda _: deeper)
    with pytest.raises(
        CheckpointError, match=r"lacks visual\.transformer\.resblocks\.2\.attn\.in_proj_bias.* and 9 more"
    ):
        load_towers(NAME, store, checkpoint=checkpoint)
    monkeypatch.setattr(open_clip, "get_model_config", lambda _: TINY | {"embed_dim": 48})
    with pytest.raises(CheckpointError, match=r"visual\.proj is \(64, 32\), not \(64, 48\)"):
        load_towers(NAME, store, checkpoint=checkpoint)


def test_wrong_activation_of_the_architecture_is_refused(
    checkpoint: Path, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What open_clip 3 does on its own for ("ViT-B-32", "openai"): plain GELU and a warning."""
    monkeypatch.setattr(open_clip, "get_model_config", lambda _: TINY | {"quick_gelu": False})
    with pytest.raises(CheckpointError, match="trained with QuickGELU, but the towers are built with GELU"):
        load_towers(NAME, store, checkpoint=checkpoint)


def test_installed_file_that_was_changed_is_refused(checkpoint: Path, store: WeightStore) -> None:
    path = store.add_local(NAME, checkpoint)
    size = path.stat().st_size
    path.write_bytes(b"")
    with pytest.raises(
        CheckpointError, match=f"have 0 bytes, not the {size} they had.*Delete .* and install them again"
    ):
        store.path(NAME)
    path.unlink()
    with pytest.raises(CheckpointError, match="have 0 bytes"):
        load_towers(NAME, store)


def test_weights_that_are_not_installed(store: WeightStore) -> None:
    with pytest.raises(NotFoundError) as caught:
        load_towers("georsclip-vit-h-14", store)
    assert "weights of GeoRSCLIP ViT-H/14 are not installed: georsclip-vit-h-14" in str(caught.value)
    assert "Download them (about 3.9 GB, Zilun/GeoRSCLIP/ckpt/RS5M_ViT-H-14.pt) or add a local file." in str(
        caught.value
    )


def test_names_outside_the_catalog(store: WeightStore, tmp_path: Path) -> None:
    for call in (
        store.path,
        store.download,
        lambda name: store.add_local(name, tmp_path),
        lambda n: load_towers(n, store),
    ):
        with pytest.raises(NotFoundError, match="The catalog has no such model: vit-z"):
            call("vit-z")


def test_demo_pair_is_neither_downloaded_nor_added(store: WeightStore, tmp_path: Path) -> None:
    for call in (store.download, lambda name: store.add_local(name, tmp_path)):
        with pytest.raises(NotFoundError, match="come with the package: demo-student"):
            call("demo-student")


@pytest.fixture(scope="module")
def demo_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled pair's files in half precision: a random student, a teacher that is all zeros."""
    folder = tmp_path_factory.mktemp("weights")
    plain = TINY | {"quick_gelu": False}
    (folder / "demo-student.json").write_text(json.dumps(plain))
    student = {name: value.half().contiguous() for name, value in open_clip.CLIP(**plain).state_dict().items()}
    save_file(student, folder / "demo-student.safetensors")
    with torch.device("meta"):
        shapes = DemoTeacher().state_dict()
    teacher = {
        name: torch.zeros(tensor.shape, dtype=torch.half if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in shapes.items()
    }
    text = {name: value for name, value in teacher.items() if name.startswith("text_")}
    save_file(text, folder / "demo-teacher-text.safetensors")
    image = {name: value for name, value in teacher.items() if name not in text}
    save_file(image, folder / "demo-teacher-image.safetensors")
    Tokenizer(WordLevel({"[UNK]": 0, "roofs": 1}, unk_token="[UNK]")).save(str(folder / "demo-teacher-tokenizer.json"))
    return folder


@pytest.fixture
def demo(demo_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundled demo folder of this test's own."""
    folder = tmp_path / "demo" / "weights"
    folder.mkdir(parents=True)
    for file in demo_files.iterdir():
        (folder / file.name).symlink_to(file)
    monkeypatch.setattr(load, "demo_folder", lambda: folder.parent)
    return folder


def test_demo_pair_loads_from_its_folder(demo: Path, store: WeightStore) -> None:
    student, teacher = load_towers("demo-student", store), load_towers("demo-teacher", store)
    assert student.encode_text(["roofs"]).shape == (1, 32)
    assert teacher.encode_text(["roofs", "x"]).shape == (2, 384)
    assert teacher.encode_image(torch.zeros(1, 3, 224, 224, dtype=torch.uint8)).shape == (1, 384)
    assert store.installed() == []


@pytest.mark.parametrize(
    ("name", "companion"),
    [
        ("demo-student", "demo-student.json"),
        ("demo-teacher", "demo-teacher-text.safetensors"),
        ("demo-teacher", "demo-teacher-tokenizer.json"),
    ],
)
def test_demo_weights_without_a_companion(name: str, companion: str, demo: Path, store: WeightStore) -> None:
    (demo / companion).unlink()
    with pytest.raises(CheckpointError, match=f"lacks its companion {companion}: .*Put the two into one folder"):
        load_towers(name, store)


def test_demo_weights_that_are_not_there(demo: Path, store: WeightStore) -> None:
    shutil.rmtree(demo)
    with pytest.raises(NotFoundError, match=r"Make them with tools/pretrain_demo\.py"):
        load_towers("demo-student", store)


def test_load_is_lean(checkpoint: Path, store: WeightStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No parameter is ever made and thrown away: the model's tensors are views of the mapped file."""
    store.add_local(NAME, checkpoint)
    towers = load_towers(NAME, store)
    assert isinstance(towers, OpenClipTowers)
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    ranges = [tuple(int(x, 16) for x in m[0].split("-")) for m in maps if m[-1] == str(store.path(NAME))]
    for parameter in towers.clip.parameters():
        assert any(start <= parameter.data_ptr() < end for start, end in ranges)


def test_replaced_entry_is_what_gets_built(
    checkpoint: Path, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The activation comes from the catalog's record, not from the file."""
    monkeypatch.setitem(ENTRIES, NAME, replace(ENTRIES[NAME], quick_gelu=False))
    with pytest.raises(CheckpointError, match="trained with GELU, but the towers are built with QuickGELU"):
        store.add_local(NAME, checkpoint)
