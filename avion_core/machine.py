"""How busy this machine is with other work: what times taken on it, and estimates for it, have to say."""

from __future__ import annotations

import os
import time

QUIET = 0.1
"""Share of the processors that other programs may take at a moment that counts as quiet."""
_SHORTEST = 0.1  # seconds; processors are counted in hundredths


class OthersAtWork:
    """What other programs take of the processors, from now on."""

    def __init__(self) -> None:
        self._began, self._machine, self._own = time.perf_counter(), _busy(), time.process_time()

    def share(self) -> float | None:
        """0 to 1 of all processors since the beginning; None where too little time has passed to say, or where psutil,
        which comes with the studio, is not installed."""
        seconds, busy = time.perf_counter() - self._began, _busy()
        if seconds < _SHORTEST or busy is None or self._machine is None:
            return None
        others = busy - self._machine - (time.process_time() - self._own)
        return min(1.0, max(0.0, others / (seconds * processors())))


def processors() -> int:
    """How many there are."""
    return os.cpu_count() or 1


def waiting_for_processors() -> float:
    """How many threads, of all programs, have worked or waited for a processor over the last minute, on the mean."""
    return os.getloadavg()[0]


def _busy() -> float | None:
    """Seconds of all processors at work since the machine was started, or taken by another one on the same hardware."""
    try:
        import psutil
    except ModuleNotFoundError:
        return None
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + getattr(times, "steal", 0.0)
