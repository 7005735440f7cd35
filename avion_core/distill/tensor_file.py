"""A run's tensors on disk: a safetensors file with its facts as JSON in the header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from avion_core.errors import CheckpointError
from avion_core.files import replacing
from avion_core.reading import Subject, fitted, parse_json, regular_file

_HINT = "Choose a file that a training run wrote, or train again."
_MOST_BYTES = 2**40


def write_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write them all, or nothing: an older file is replaced in a single step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # safetensors refuses tensors that share memory; a copy each makes sure that none do.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with replacing(path) as unfinished:
        save_file(own, unfinished, metadata={"facts": json.dumps(facts)})


def read_tensors(
    path: Path, kind: str, needed: tuple[str, ...], form: type[BaseModel] | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, on the CPU, and facts as they were written.

    Args:
        kind: what the file should be, for messages ("an AVION adapter"). needed: names of tensors it must hold.
        form: what its facts must say; further ones may join them.

    Raises:
        CheckpointError: no such file, a damaged one, one of another kind, or numbers that are not finite.
    """
    subject = Subject(f"the file of {kind}", CheckpointError, _HINT, most_bytes=_MOST_BYTES)
    regular_file(path, subject)
    try:
        with safe_open(path, framework="pt") as file:
            written = (file.metadata() or {}).get("facts", "{}")
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"this file is not {kind}, or is damaged", _HINT, value=f"{path} ({error})") from None
    facts = fitted(dict[str, Any], parse_json(written, subject, value=str(path)), subject, value=str(path))
    missing = [name for name in needed if name not in tensors]
    if missing or not facts:
        raise CheckpointError(f"this file is not {kind}", _HINT, value=str(path))
    if form is not None:
        fitted(form, facts, subject, value=str(path))
    not_finite = [name for name, t in tensors.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if not_finite:
        raise CheckpointError(f"numbers in {path.name} are not finite", _HINT, value=", ".join(not_finite))
    return tensors, facts
