"""How busy this machine is with other work: what times taken on it, and estimates for it, have to say."""

from __future__ import annotations

import os
import time

import psutil

QUIET = 0.1
"""Share of the processors that other programs may take at a moment that counts as quiet."""
_SHORTEST = 0.1  # seconds; processors are counted in hundredths


class OthersAtWork:
    """What other programs take of the processors, from now on."""

    def __init__(self) -> None:
        self._began, self._machine, self._own = time.perf_counter(), _busy(), _own()

    def share(self) -> float | None:
        """0 to 1 of all processors since the beginning; None where too little time has passed to say."""
        seconds = time.perf_counter() - self._began
        if seconds < _SHORTEST:
            return None
        others = _busy() - self._machine - (_own() - self._own)
        return min(1.0, max(0.0, others / (seconds * processors())))


def processors() -> int:
    """How many there are."""
    return psutil.cpu_count() or 1


def waiting_for_processors() -> float:
    """How many threads, of all programs, have worked or waited for a processor over the last minute, on the mean."""
    return os.getloadavg()[0]


def _busy() -> float:
    """Seconds of all processors at work since the machine was started, or taken by another one on the same hardware."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + getattr(times, "steal", 0.0)


def _own() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system
