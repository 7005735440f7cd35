from __future__ import annotations

import struct
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from avion_core.backbones.checkpoint import load_strict, read_checkpoint
from avion_core.errors import CheckpointError


def make_model(width: int = 4) -> nn.Module:
    """Two towers with CLIP's top-level names."""
    model = nn.Module()
    model.visual = nn.Linear(width, 3)
    model.transformer = nn.Linear(width, 3)
    model.logit_scale = nn.Parameter(torch.tensor(2.0))
    return model


@pytest.fixture
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(make_model().state_dict())


def prefixed(prefix: str) -> Callable[[dict[str, Tensor]], dict]:
    return lambda weights: {prefix + name: value for name, value in weights.items()}


def as_georsclip_trains(weights: dict[str, Tensor]) -> dict:
    """The text tower under text_backbone, the image tower under image_backbone, the whole under state_dict."""
    names = {
        name: name.replace("visual.", "image_backbone.") if name.startswith("visual.") else f"text_backbone.{name}"
        for name in weights
    }
    return {"epoch": 5, "state_dict": {f"module.{names[name]}": value for name, value in weights.items()}}


FORMS = {
    "bare": prefixed(""),
    "state_dict": lambda w: {"epoch": 3, "name": "run", "state_dict": w, "optimizer": {"state": {}}},
    "model": lambda w: {"model": w},
    "model_state_dict": lambda w: {"epoch": 3, "model_state_dict": w, "loss": 0.1},
    "nested": lambda w: {"model": {"state_dict": w}},
    "module.": prefixed("module."),
    "model.": prefixed("model."),
    "module.model.": prefixed("module.model."),
    "georsclip training": as_georsclip_trains,
}


@pytest.mark.parametrize("form", FORMS)
def test_known_wrappers_are_understood(form: str, weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(FORMS[form](weights), path)
    assert_same(read_checkpoint(path), weights)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_come_as_float32(dtype: torch.dtype, weights: dict[str, Tensor], tmp_path: Path) -> None:
    cast = {name: value.to(dtype) for name, value in weights.items()}
    torch.save(cast, tmp_path / "weights.pt")
    save_file(cast, tmp_path / "weights.safetensors")
    for path in tmp_path.iterdir():
        assert_same(read_checkpoint(path), {name: value.float() for name, value in cast.items()})


def test_kind_is_told_by_content_and_not_by_name(weights: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(weights, tmp_path / "really_safetensors.pt")
    torch.save(weights, tmp_path / "really_torch.bin")
    torch.save(weights, tmp_path / "of_old_torch.pt", _use_new_zipfile_serialization=False)
    for path in tmp_path.iterdir():
        assert_same(read_checkpoint(path), weights)


def test_float32_file_is_mapped_and_not_copied(weights: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(weights | {"large": torch.zeros(1 << 20)}, tmp_path / "weights.pt")
    save_file(weights | {"large": torch.zeros(1 << 20)}, tmp_path / "weights.safetensors")
    for path in tmp_path.iterdir():
        mapped = read_checkpoint(path)  # held, so that the mapping stays
        assert path.name in Path("/proc/self/maps").read_text()
        assert mapped["large"].sum() == 0


class Payload:
    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple:
        return Path.touch, (self.touched,)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("content", "named"),
    [
        (lambda touched: {"weight": torch.zeros(2), "extra": Payload(touched)}, "pathlib.Path.touch|getattr"),
        (lambda _: {"args": Namespace(lr=1.0), "state_dict": {"weight": torch.zeros(2)}}, "argparse.Namespace"),
        (lambda _: nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
    ],
    ids=["payload", "training arguments", "whole model"],
)
def test_pickled_code_is_refused_and_named(content: Callable, named: str, zipped: bool, tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "weights.pt"
    torch.save(content(touched), path, _use_new_zipfile_serialization=zipped)
    message = refusal(path)
    assert any(f"holds pickled code ({name})" in message for name in named.split("|")), message
    assert "torch.save(model.state_dict(), ...) or safetensors" in message
    assert not touched.exists()


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_torchscript_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)
    assert "is a TorchScript program, not tensors alone" in refusal(path)
    assert "open_clip_model.safetensors" in refusal(path)


NOT_WEIGHTS = {
    "git-lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 605219813\n",
        "is only a git-lfs pointer",
        "git lfs pull",
    ),
    "web page": (b"\n<!DOCTYPE html><html><body>404</body></html>", "is a web page", "with `resolve`"),
    "bare web page": (b"<html><head>Sign in</head></html>", "is a web page", "with `resolve`"),
    "service error": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is a web page", "`resolve`"),
    "empty": (b"", "is empty", "Download the file again"),
    "text": (b"hello there, this is no model", "is neither safetensors nor a torch file", "one of these two kinds"),
    "image": (b"\x89PNG\r\n\x1a\n" + bytes(64), "is neither safetensors nor a torch file", "one of these two kinds"),
    "header longer than file": (
        struct.pack("<Q", 4000) + b'{"a":',
        "is cut short or damaged",
        "Download the file again",
    ),
}


@pytest.mark.parametrize("name", NOT_WEIGHTS)
def test_what_is_not_weights_is_called_by_its_name(name: str, tmp_path: Path) -> None:
    content, what, hint = NOT_WEIGHTS[name]
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    message = refusal(path)
    assert what in message
    assert str(path) in message
    assert hint in message


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none.pt")
    assert "is a folder, not a file" in refusal(tmp_path)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_truncated_file(kind: str, share: float, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole", tmp_path / "weights.pt"
    weights = {f"weight{i}": torch.randn(50, 50) for i in range(4)}
    if kind == "safetensors":
        save_file(weights, whole)
    else:
        torch.save(weights, whole, _use_new_zipfile_serialization=kind == "zip")
    content = whole.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "is cut short or damaged" in refusal(path)
    assert "Download the file again" in refusal(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({}, "holds no tensors by name"),
        ([torch.zeros(2)], "holds no tensors by name"),
        (torch.zeros(2), "holds no tensors by name"),
        ({"epoch": 3, "name": "x"}, "holds no tensors by name"),
        ({"weight": torch.zeros(2), "a": [1], "b": {}, "c": (), "d": [2]}, "not tensors: a, b, c and 1 more"),
    ],
)
def test_other_contents(content: object, what: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pt")
    assert what in refusal(tmp_path / "weights.pt")
    assert "bare or under `state_dict` or `model`" in refusal(tmp_path / "weights.pt")


@pytest.mark.parametrize("beside", [3, 0.5, "run 7", True, None, np.float64(0.25), np.int64(3), np.float32(1.5)])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_number_or_a_word_beside_the_tensors_is_left_out(
    beside: object, zipped: bool, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    torch.save(weights | {"beside": beside}, path, _use_new_zipfile_serialization=zipped)
    assert_same(read_checkpoint(path), weights)
    torch.save({"state_dict": weights, "best": beside}, path, _use_new_zipfile_serialization=zipped)
    assert_same(read_checkpoint(path), weights)


def test_two_tensors_for_one_place(tmp_path: Path) -> None:
    torch.save({"text_backbone.scale": torch.zeros(1), "scale": torch.ones(1)}, tmp_path / "weights.pt")
    assert "holds scale twice" in refusal(tmp_path / "weights.pt")


def test_strict_load_gives_the_model_the_very_tensors(weights: dict[str, Tensor], tmp_path: Path) -> None:
    with torch.device("meta"):
        model = make_model()
    load_strict(model, weights, path=tmp_path)
    assert_same(dict(model.state_dict()), weights)
    assert model.state_dict()["visual.weight"].data_ptr() == weights["visual.weight"].data_ptr()


def without(*names: str) -> Callable[[dict[str, Tensor]], dict]:
    return lambda weights: {name: value for name, value in weights.items() if name not in names}


def with_value(name: str, value: Tensor) -> Callable[[dict[str, Tensor]], dict]:
    return lambda weights: weights | {name: value}


MISFITS = {
    "missing": (without("visual.bias"), "lacks visual.bias: "),
    "many missing": (lambda _: {}, "lacks logit_scale, transformer.bias, transformer.weight and 2 more: "),
    "foreign": (with_value("head.bias", torch.zeros(1)), "has head.bias that the model does not know: "),
    "renamed": (
        lambda w: without("visual.bias")(w) | {"visual.offset": w["visual.bias"]},
        "lacks visual.bias and has visual.offset that the model does not know: ",
    ),
    "shape": (
        with_value("visual.weight", torch.zeros(3, 5)),
        "has the wrong dimensions (visual.weight is (3, 5), not (3, 4)): ",
    ),
    "not a number": (
        with_value("visual.bias", torch.tensor([0.0, float("nan"), 0.0])),
        "holds numbers that are not finite in visual.bias: ",
    ),
    "infinite": (with_value("logit_scale", torch.tensor(float("inf"))), "are not finite in logit_scale: "),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_strict_load_names_what_does_not_fit(misfit: str, weights: dict[str, Tensor]) -> None:
    change, what = MISFITS[misfit]
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_strict(model, change(weights), path=Path("mine.pt"))
    assert what in str(caught.value)
    assert "mine.pt" in str(caught.value)
    assert_same(dict(model.state_dict()), before)


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], value), name


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    return str(caught.value)
