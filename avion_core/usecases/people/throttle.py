"""Slowing down whoever guesses passwords."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from threading import Lock

_KEPT_KEYS = 10_000


class Throttle:
    """Counts failures per key (a name, an address) and closes a key that has too many of them for a while.

    Kept in memory: a restart of the server forgives. That is enough against guessing, since each try costs the time
    of one argon2 hash besides.

    Args:
        limit: failures that are forgiven within the window.
        window: seconds after which a failure no longer counts.
        clock: seconds from any fixed point; tests bring their own.
    """

    def __init__(self, limit: int, window: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.window, self._clock = limit, window, clock
        self._failures: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = Lock()

    def wait(self, key: str) -> float:
        """Seconds until the key may be tried again; 0 where it may be now."""
        with self._lock:
            failures = self._recent(key)
            return failures[0] + self.window - self._clock() if len(failures) >= self.limit else 0.0

    def failed(self, key: str) -> None:
        with self._lock:
            if len(self._failures) >= _KEPT_KEYS:  # a flood of made-up names shall not fill the memory
                self._failures.clear()
            self._recent(key)
            self._failures[key].append(self._clock())

    def succeeded(self, key: str) -> None:
        with self._lock:
            self._failures.pop(key, None)

    def _recent(self, key: str) -> deque[float]:
        failures = self._failures.get(key, deque())
        while failures and failures[0] + self.window <= self._clock():
            failures.popleft()
        return failures
