"""What a run tells while it works; whoever called it records, shows or ignores it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """A part of the run has begun."""

    message: str


@dataclass(frozen=True)
class Metrics:
    """Figures of one step: loss parts by name, warm-up weight, rate, and validation accuracy where it was measured."""

    step: int
    steps: int
    epoch: int
    values: dict[str, float]


@dataclass(frozen=True)
class Saved:
    """A file of the run is complete."""

    kind: str
    path: Path


@dataclass(frozen=True)
class Stopped:
    """The run was asked to stop; its state is saved and it can be resumed."""

    step: int
    steps: int


Event = Stage | Metrics | Saved | Stopped
