"""Weights files read strictly: what is not plainly tensors for this very model is refused, and the message says why."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from avion_core.errors import CheckpointError
from avion_core.reading import Subject, regular_file

_WRAPPERS = ("state_dict", "model_state_dict", "model")
# GeoRSCLIP's training code keeps the two towers under these names; open_clip has the text tower at the root.
_RENAMED = {"text_backbone.": "", "image_backbone.": "visual."}
_PREFIXES = ("module.", "model.")
_BESIDE_WEIGHTS = (int, float, str, bool, type(None), np.generic)
# What a numpy number is unpickled by, under its names in numpy 2 and 1: numbers alone, nothing that runs.
_NUMPY_SCALARS: list[Any] = [
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "u4", "u8", "?")),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
]
_FETCH_AGAIN = "Download the file again."
_NAMED = 3
_MOST_WRAPPERS = 8
_MOST_BYTES = 2**40
_FILE = Subject("the weights file", CheckpointError, _FETCH_AGAIN, most_bytes=_MOST_BYTES)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Tensors by name, floating ones as float32; memory-mapped where the file already holds float32.

    Understands safetensors and torch files, bare or under `state_dict`, `model_state_dict` or `model`, with `module.`
    or `model.` before every name, and GeoRSCLIP's `text_backbone.` and `image_backbone.`. Numbers and words beside the
    tensors, such as an epoch, are left out.

    Raises:
        CheckpointError: a file that is missing, empty, cut short, a git-lfs pointer, a web page, a TorchScript
            program, pickled code, or that holds anything but tensors.
    """
    path = Path(path)
    kind = _kind_of(path)
    loaded = _read_safetensors(path) if kind == "safetensors" else _read_torch(path, zipped=kind == "zip")
    weights = _rename(_unwrap(loaded, path), path)
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}


def load_strict(model: nn.Module, weights: Mapping[str, Tensor], *, path: Path) -> None:
    """Give the model these tensors themselves (no copy): every one it has, no other, each of its shape, all finite.

    The model may stand on the meta device.

    Raises:
        CheckpointError: names the first few tensors that are missing, foreign, misshapen or not finite.
    """
    wanted = model.state_dict()
    missing, foreign = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    if missing or foreign:
        parts = [f"lacks {_few(missing)}"] if missing else []
        parts += [f"has {_few(foreign)} that the model does not know"] if foreign else []
        raise CheckpointError(
            f"the weights file {' and '.join(parts)}",
            "Give a weights file of the model that is named here; other models have other tensors.",
            value=str(path),
        )
    shapes = [
        f"{name} is {tuple(weights[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if weights[name].shape != tensor.shape
    ]
    if shapes:
        raise CheckpointError(
            f"the weights file has the wrong dimensions ({_few(shapes)})",
            "Give a weights file of the model that is named here; this one is of another size.",
            value=str(path),
        )
    # Least and greatest carry a NaN on, and are found ten times faster than each number is looked at.
    broken = [name for name, tensor in weights.items() if not torch.stack(tensor.aminmax()).isfinite().all()]
    if broken:
        raise CheckpointError(
            f"the weights file holds numbers that are not finite in {_few(broken)}",
            f"The training that wrote it diverged or the file is damaged. {_FETCH_AGAIN}",
            value=str(path),
        )
    model.load_state_dict(dict(weights), strict=True, assign=True)


def _kind_of(path: Path) -> str:
    """`safetensors`, `zip` or `legacy` (torch before 1.6), from the first bytes; the name proves nothing."""
    regular_file(path, _FILE)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise CheckpointError(
            f"the weights file cannot be read ({error.strerror})",
            "Check the path and the file's permissions.",
            value=str(path),
        ) from error
    text = head.lstrip().lower()
    if not head:
        raise CheckpointError("the weights file is empty", _FETCH_AGAIN, value=str(path))
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(
            "the weights file is only a git-lfs pointer", "Run `git lfs pull` where it came from.", value=str(path)
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise CheckpointError(
            "the weights file is a web page, such as a sign-in or an error page",
            "Download the file itself (on the hub, the address with `resolve`).",
            value=str(path),
        )
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head[8:9] == b"{":
        return "safetensors"
    if head[:1] == b"\x80":
        return "legacy"
    raise CheckpointError(
        "the weights file is neither safetensors nor a torch file", "Give one of these two kinds.", value=str(path)
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(
            f"the safetensors file is cut short or damaged ({error})", _FETCH_AGAIN, value=str(path)
        ) from error


def _read_torch(path: Path, *, zipped: bool) -> Any:
    if zipped:
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except zipfile.BadZipFile as error:
            raise CheckpointError("the torch file is cut short or damaged", _FETCH_AGAIN, value=str(path)) from error
        # torch stores its tensors as they are; what unpacks to more than the file would fill the memory.
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise _FILE.refused("unpacks to more than it holds", value=str(path))
        if any(member.filename.endswith("constants.pkl") for member in members):
            raise CheckpointError(
                "the weights file is a TorchScript program, not tensors alone",
                "Use the towers' state dict (for OpenAI's towers, the hub's open_clip_model.safetensors).",
                value=str(path),
            )
    try:
        with torch.serialization.safe_globals(_NUMPY_SCALARS):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # torch raises whatever the damage happens to trip over
        message = str(error)
        if "weights only" in message.lower() or "weights_only" in message:
            found = re.search(r"GLOBAL `?([\w.]+)", message)
            code = f" ({found[1]})" if found else ""
            raise CheckpointError(
                f"the weights file holds pickled code{code}, which could run anything when it is opened",
                "Save the tensors alone: torch.save(model.state_dict(), ...) or safetensors.",
                value=str(path),
            ) from error
        raise CheckpointError("the torch file is cut short or damaged", _FETCH_AGAIN, value=str(path)) from error


def _unwrap(loaded: Any, path: Path) -> dict[str, Tensor]:
    for _ in range(_MOST_WRAPPERS):  # one may hold itself
        inner = next((name for name in _WRAPPERS if isinstance(loaded, Mapping) and _is_wrapper(loaded, name)), None)
        if inner is None:
            break
        loaded = loaded[inner]
    if not isinstance(loaded, Mapping) or not any(isinstance(value, Tensor) for value in loaded.values()):
        raise CheckpointError(
            "the weights file holds no tensors by name",
            "Give a state dict, bare or under `state_dict` or `model`.",
            value=str(path),
        )
    loaded = {name: value for name, value in loaded.items() if not isinstance(value, _BESIDE_WEIGHTS)}
    others = [str(name) for name, value in loaded.items() if not isinstance(value, Tensor)]
    if others:
        raise CheckpointError(
            f"the weights file holds entries that are not tensors: {_few(others)}",
            "Give a state dict, bare or under `state_dict` or `model`.",
            value=str(path),
        )
    return dict(loaded)


def _is_wrapper(loaded: Mapping[str, Any], key: str) -> bool:
    return isinstance(loaded.get(key), Mapping)


def _rename(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    while prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in weights)), None):
        weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    if not any(name.startswith(tuple(_RENAMED)) for name in weights):
        return weights
    renamed = {}
    for name, value in weights.items():
        old = next((old for old in _RENAMED if name.startswith(old)), "")
        new = _RENAMED.get(old, "") + name.removeprefix(old)
        if new in renamed:
            raise CheckpointError(f"the weights file holds {new} twice", "Keep one of the two.", value=str(path))
        renamed[new] = value
    return renamed


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
