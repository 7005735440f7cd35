"""Slowing down whoever guesses passwords."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock

_KEPT_KEYS = 10_000


class Throttle:
    """Counts tries per key (a name, an address) and closes a key that has too many of them for a while.

    A try counts as it begins, before its password is hashed: of many at the same moment, no more than the limit are
    let in. One that turns out right is taken off again.

    Kept in memory: a restart of the server forgives. That is enough against guessing, since each try costs the time
    of one argon2 hash besides.

    Args:
        limit: tries that are let in within the window.
        window: seconds after which a try no longer counts.
        clock: seconds from any fixed point; tests bring their own.
    """

    def __init__(self, limit: int, window: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.window, self._clock = limit, window, clock
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def admit(self, key: str) -> float:
        """Count a try and let it in: 0; or the seconds until the key may be tried again, and nothing is counted."""
        with self._lock:
            tries = self._tries.setdefault(key, deque())
            self._tries.move_to_end(key)
            while tries and tries[0] + self.window <= self._clock():
                tries.popleft()
            if len(tries) >= self.limit:
                return tries[0] + self.window - self._clock()
            tries.append(self._clock())
            if len(self._tries) > _KEPT_KEYS:  # a flood of made-up names shall fill no memory, and forgive nobody
                self._tries.popitem(last=False)
            return 0.0

    def take_back(self, key: str) -> None:
        """One try was right, or was not made: it does not count."""
        with self._lock:
            tries = self._tries.get(key)
            if tries:
                tries.pop()

    def forgive(self, key: str) -> None:
        """Nothing that was tried before counts any more."""
        with self._lock:
            self._tries.pop(key, None)
