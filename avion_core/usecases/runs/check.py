"""What a check before a training says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Check:
    """One thing looked at before the start; an error keeps the run from starting."""

    title: str
    message: str
    severity: Literal["ok", "warning", "error"]
    hint: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings (dotted keys) that would fix it."""
    model: str = ""
    """The model whose weights it speaks of."""
    page: str = ""
    """The studio's page on which a person can fix it, or look closer."""
    run: str = ""
    """Id of the earlier run that it speaks of."""
