"""What a run is computed with: number format, device, processor, PyTorch. Written down in its folder, resume by resume.

The bits of a training depend on them beside its settings, inputs and seed (docs/determinism.md). A run that goes on
keeps the number format that it began with, whatever `auto` would mean on the new device. All else is as it is there:
a difference is told and recorded, not refused.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict

from avion_core.files import write_json
from avion_core.reading import Subject, fitted, read_json
from avion_core.wording import counted

FILE = "arithmetic.json"
_SUBJECT = Subject(
    "the record of what the run is computed with", hint="Restore the file from a copy, or delete it: it is begun again."
)
_UNITS = ("amx_bf16", "avx512_bf16")
_WORDS = {
    "precision": "number format",
    "device": "device",
    "processor": "processor",
    "threads": "threads",
    "deterministic": "fixed order of sums",
    "torch": "PyTorch",
}


class Arithmetic(BaseModel):
    """What figures depend on to the last bit, beside settings, inputs and seed."""

    model_config = ConfigDict(frozen=True)

    precision: str
    """float32 or bfloat16: what the setting `precision` came to."""
    device: str
    """cpu or cuda."""
    processor: str
    """The GPU with its compute capability, or the CPU with its vector units."""
    threads: int
    """On the CPU, whose sums are added in an order that depends on it."""
    deterministic: bool
    """Whether PyTorch was told to choose kernels with a fixed order of sums."""
    torch: str

    def __str__(self) -> str:
        threads = f", {counted(self.threads, 'thread')}" if self.device == "cpu" else ""
        fixed = ", fixed order of sums" if self.deterministic else ""
        return f"{self.precision} on {self.processor}{threads}{fixed}, PyTorch {self.torch}"

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


class Stretch(BaseModel):
    """Steps that were computed in one way."""

    model_config = ConfigDict(frozen=True)

    after_step: int
    """The last step before it; 0 for the beginning."""
    arithmetic: Arithmetic | None
    """None where a version without this record computed it."""


def arithmetic_here(precision: str, device: str) -> Arithmetic:
    """What is computed with in this process.

    Args:
        precision: float32 or bfloat16. device: cpu or cuda.
    """
    return Arithmetic(
        precision=precision,
        device=device,
        processor=_gpu() if device == "cuda" else _cpu(),
        threads=torch.get_num_threads(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
        torch=torch.__version__,
    )


def take_down(folder: Path, precision: str, device: str, step: int | None = None) -> tuple[Arithmetic, str]:
    """Write down what a run is computed with from here on.

    Args:
        precision: float32 or bfloat16, as it resolves here; what a run began with wins over it.
        step: the last step of a run that goes on; None for a run that begins.

    Returns:
        What it is computed with, and in a sentence how that differs from before; "" where it does not.

    Raises:
        DataError: the record is damaged.
    """
    if step is None:
        now = arithmetic_here(precision, device)
        _write(folder, [Stretch(after_step=0, arithmetic=now)])
        return now, ""
    # Steps after the one that it goes on from are lost, and what computed them with them.
    kept = [one for one in stretches(folder) if one.after_step < step or one.after_step == 0]
    kept = kept or [Stretch(after_step=0, arithmetic=None)]
    before = kept[-1].arithmetic
    now = arithmetic_here(before.precision if before else precision, device)
    if now != before:
        kept.append(Stretch(after_step=step, arithmetic=now))
        _write(folder, kept)
    return now, _difference(before, now, step)


def stretches(folder: Path) -> list[Stretch]:
    """What a run was computed with so far; empty where it has not begun, or a version without the record made it.

    Raises:
        DataError: the record is damaged.
    """
    path = folder / FILE
    return fitted(list[Stretch], read_json(path, _SUBJECT), _SUBJECT, value=str(path)) if path.is_file() else []


def _write(folder: Path, found: list[Stretch]) -> None:
    write_json(folder / FILE, [one.model_dump(mode="json") for one in found], indent=1)


def _difference(before: Arithmetic | None, now: Arithmetic, step: int) -> str:
    if before is None:
        return f"It is not known what steps 1 to {step:,} were computed with: the last bits may differ from there on."
    old, new = before.model_dump(), now.model_dump()
    changes = [f"{_WORDS[name]} {_said(new[name])} (was {_said(old[name])})" for name in old if old[name] != new[name]]
    if not changes:
        return ""
    return (
        f"After step {step:,} it is computed with another {', '.join(changes)}: from there on, its last bits are not "
        "those of an unbroken run."
    )


def _said(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _gpu() -> str:
    major, minor = torch.cuda.get_device_capability()
    return f"{torch.cuda.get_device_name()}, compute capability {major}.{minor}"


def _cpu() -> str:
    found = torch.cpu.get_capabilities()
    units = [unit for unit in _UNITS if found.get(unit)]
    return ", ".join(filter(None, [found.get("cpu_name"), torch.backends.cpu.get_cpu_capability(), *units]))
