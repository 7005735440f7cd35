"""How fast a writer is asked, and how often again: the one owner of both."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from random import Random

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from avion_core.descriptions.writers.prompt import Prompt
from avion_core.descriptions.writers.writer import Answer, Busy, Writer

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 120.0
LONGEST_ASKED_SECONDS = 900.0
"""A service that asks for more has a quota that is used up: better to say so, and to go on another day."""


@dataclass
class Patience:
    """Paces all threads that ask one writer.

    requests_per_minute: at most so many are begun, evenly spread; None sets no limit. attempts: of one request. When
    the service asks one thread to wait, all wait. `stop` ends any waiting at once.
    """

    requests_per_minute: float | None = None
    attempts: int = 6
    stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _next: float = 0.0
    _random: Random = field(default_factory=Random, repr=False)

    def ask(self, writer: Writer, prompt: Prompt) -> Answer:
        """Ask until there is an answer.

        Raises:
            Stopped: asked to stop while waiting for a turn.
            Busy: still no answer after all attempts. WriterError: as the writer says.
        """
        repeated = Retrying(
            stop=self._give_up,
            retry=retry_if_exception_type(Busy),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        return repeated(self._ask_once, writer, prompt)

    def _ask_once(self, writer: Writer, prompt: Prompt) -> Answer:
        self._sleep(self._turn())
        return writer.write(prompt)

    def _turn(self) -> float:
        """Take the next place in the line; returns the seconds until it is due."""
        with self._lock:
            moment = time.monotonic()
            turn = max(moment, self._next)
            self._next = turn + (60.0 / self.requests_per_minute if self.requests_per_minute else 0.0)
            return turn - moment

    def _give_up(self, state: RetryCallState) -> bool:
        return state.attempt_number >= self.attempts or (_asked(state) or 0.0) > LONGEST_ASKED_SECONDS

    def _wait(self, state: RetryCallState) -> float:
        asked = _asked(state)
        if asked is None:
            longest = min(FIRST_WAIT_SECONDS * 2 ** (state.attempt_number - 1), LONGEST_WAIT_SECONDS)
            return self._random.uniform(longest / 2, longest)
        with self._lock:
            self._next = max(self._next, time.monotonic() + asked)
        return asked

    def _sleep(self, seconds: float) -> None:
        if self.stop.wait(seconds) if seconds > 0 else self.stop.is_set():
            raise Stopped


def _asked(state: RetryCallState) -> float | None:
    busy = state.outcome.exception() if state.outcome else None
    return busy.after if isinstance(busy, Busy) else None


class Stopped(Exception):
    """Asked to stop before there was an answer."""
