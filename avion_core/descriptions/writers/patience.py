"""How fast a writer is asked, and how often again: the one owner of both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from avion_core.descriptions.writers.prompt import Prompt
from avion_core.descriptions.writers.writer import Busy, RawReply, Unusable, Writer, WriterError

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 120.0
LONGEST_ASKED_SECONDS = 900.0
"""A service that asks for more has a quota that is used up: better to say so, and to go on another day."""
LONGEST_OBEYED_SECONDS = 3600.0
"""All the waits together that a service may ask for before it answers one request."""
GIVEN_UP_IN_A_ROW = 10
"""Requests, each made again to the end, after which it is the service that is out and not the request.

So many, that a short outage is not the end of a long order: each of them takes half a minute of waits alone.
"""


TOLD_SECONDS = 2.0
"""Shorter waits are over before anybody could read of them."""


@dataclass(frozen=True)
class Waiting:
    """A request is made again after so many seconds, since the last attempt failed as `why` says."""

    seconds: float
    why: str


@dataclass
class Patience:
    """Paces all threads that ask one writer."""

    requests_per_minute: float | None = None
    """At most so many are begun, evenly spread; None sets no limit."""
    attempts: int = 6
    """Of one request, beside those after a wait that the service asked for. When it asks one thread to wait, all wait.
    `stop` ends any waiting at once."""
    stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _next: float = 0.0
    _random: Random = field(default_factory=Random, repr=False)
    _heard: bool = False
    _unanswered: list[Busy] = field(default_factory=list, repr=False)

    def ask(self, writer: Writer, prompt: Prompt, tell: Callable[[Waiting], None] = lambda _: None) -> RawReply:
        """Ask until there is an answer.

        Args:
            tell: called before each wait that somebody who watches might wonder about.

        Raises:
            WritingStopped: asked to stop while waiting for a turn.
            Busy: still no answer after all attempts. WriterError: as the writer says; its quota is used up; or nobody
            gets an answer any more.
        """
        try:
            answer = self._ask(writer, prompt, tell)
        except Unusable:
            self._hear()
            raise
        except Busy as busy:
            with self._lock:
                self._unanswered.append(busy)
                outage = len(self._unanswered) >= GIVEN_UP_IN_A_ROW
            if outage:
                raise _outage(busy) from None
            raise
        self._hear()
        return answer

    def check_heard(self) -> None:
        """What was asked has had time to be answered.

        Raises:
            WriterError: there was not one answer to all that was asked.
        """
        if self._unanswered and not self._heard:
            raise _outage(self._unanswered[-1])

    def _ask(self, writer: Writer, prompt: Prompt, tell: Callable[[Waiting], None]) -> RawReply:
        failed, obeyed = 0, 0.0
        while True:
            self._wait_for_turn()
            try:
                return writer.write(prompt)
            except Busy as busy:
                asked = busy.after or 0.0
                if asked > LONGEST_ASKED_SECONDS:
                    hint = "Resume it when there is quota again, or raise the quota: the descriptions so far are saved."
                    value = f"it asks to wait {asked / 3600:.1f} h"
                    raise WriterError("the writer's quota is used up", hint, value=value) from None
                if asked:
                    wait = max(asked, FIRST_WAIT_SECONDS)
                    obeyed += wait
                    self._hold_all(wait)
                else:
                    longest = min(FIRST_WAIT_SECONDS * 2**failed, LONGEST_WAIT_SECONDS)
                    wait = self._random.uniform(longest / 2, longest)
                    failed += 1
                if failed >= self.attempts or obeyed > LONGEST_OBEYED_SECONDS:
                    raise
                if wait >= TOLD_SECONDS:
                    tell(Waiting(wait, f"{busy.what}: {busy.value}"))
            self._sleep(wait)

    def _wait_for_turn(self) -> None:
        while (wait := self._until_turn()) > 0:
            # Meanwhile another thread may be told to wait, or take the turn: so ask anew.
            self._sleep(wait)
        self._sleep(0.0)

    def _until_turn(self) -> float:
        """Seconds until a request may begin; 0 takes the turn."""
        with self._lock:
            moment = time.monotonic()
            if moment < self._next:
                return self._next - moment
            self._next = moment + (60.0 / self.requests_per_minute if self.requests_per_minute else 0.0)
            return 0.0

    def _hold_all(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def _sleep(self, seconds: float) -> None:
        if self.stop.wait(seconds) if seconds > 0 else self.stop.is_set():
            raise WritingStopped

    def _hear(self) -> None:
        with self._lock:
            self._heard = True
            self._unanswered.clear()


def _outage(last: Busy) -> WriterError:
    hint = "Resume it when the service works again: the descriptions so far are saved."
    return WriterError("the writer no longer answers", hint, value=last.value)


class WritingStopped(Exception):
    """Asked to stop before there was an answer."""
