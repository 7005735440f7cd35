"""How long work tells its caller how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called as progress(done, total, what), from the caller's own thread."""


BYTES = "bytes"
"""What is counted where files come or go: shown as sizes."""


def remaining_seconds(elapsed: float, done: int, total: int, before: int = 0) -> float | None:
    """Seconds still to go at the pace so far; None before there is a pace.

    Args:
        elapsed: seconds since `before` was done, which was there from the start.
    """
    return elapsed * (total - done) / (done - before) if before < done <= total else None
