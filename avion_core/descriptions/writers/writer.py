"""What every writer does, and what may go wrong when one is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Protocol, TypeVar

from avion_core.descriptions.writers.prompt import Prompt
from avion_core.errors import AvionError
from avion_core.reading import storable

T = TypeVar("T")


@dataclass(frozen=True)
class RawReply:
    """One reply, word for word; only what no database takes is replaced (see `reading.storable`)."""

    text: str
    model: str
    """As served, which may be another than was asked for."""
    tokens_in: int
    tokens_out: int
    """Thinking included, as it is billed."""
    seconds: float
    cut_off: bool = False
    """The service stopped in the middle."""
    refused: str = ""
    """The service's own word for why it said nothing, or empty."""
    place: str = ""
    """Where the text stood if not in the answer itself: the model's reasoning, or a tool call."""

    def __post_init__(self) -> None:
        for name in ("text", "model", "refused"):
            object.__setattr__(self, name, storable(getattr(self, name)))


class Writer(Protocol):
    """Somebody who writes descriptions. It may be asked by several threads at once."""

    @property
    def name(self) -> str:
        """The kind of writer: gemini, openai-compatible or file."""
        ...

    @property
    def model(self) -> str:
        """The model asked for."""
        ...

    def write(self, prompt: Prompt) -> RawReply:
        """Ask once; nothing is asked again in here (patience.py does that).

        Raises:
            Busy: worth asking again. Unusable: this request will not do. WriterError: nobody need ask at all.
        """
        ...


class WriterError(AvionError):
    """The writer cannot be used at all: a wrong key, an unknown model, no credit, an outage."""

    cause = "writer"


class Unusable(WriterError):
    """The service will not take this one request; others may do."""


class Busy(WriterError):
    """Not now: too many requests, trouble at the service, or no answer in time.

    Args:
        after: seconds the service asks to wait, or None where it does not say.
    """

    def __init__(self, what: str, hint: str, *, value: object, after: float | None = None) -> None:
        super().__init__(what, hint, value=value)
        self.value = value
        self.after = after


def within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns or raises, unless that takes longer.

    The clients' own timeouts begin anew with every byte: a server that dribbles would hold a request for ever.

    Raises:
        Busy: it takes longer; whatever still comes is not waited for.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(ask())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, name="request", daemon=True).start()
    if not wait([outcome], seconds).done:
        hint = "Check that the service works, or allow more seconds with --timeout."
        raise Busy("no complete answer arrived in time", hint, value=f"{seconds:g} s")
    return outcome.result()


def wait_asked_for(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date); None where there is none to be read."""
    if header is None:
        return None
    if header.strip().replace(".", "", 1).isdecimal():
        return float(header)
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
