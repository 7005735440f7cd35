"""A kind of long work, and what a piece of it is given while it runs.

A kind is one file in `jobs/kinds/`: the form of its requests, and a function that does one. All else (its row, its
process, its place in the queue, stop, resume, heartbeat, log, the panel on a page) is the same for every kind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic import BaseModel
from sqlalchemy.orm import Session

from avion_core.files import write_bytes
from avion_core.jobs.heartbeat import Heartbeat
from avion_core.store.tables import Job, Table, now

if TYPE_CHECKING:
    from avion_core.jobs.log import JobLog
    from avion_core.store.home import Home

Request = TypeVar("Request", bound=BaseModel)


class Stopped(Exception):
    """A kind raises it once it has saved what it had, because it was asked to stop."""


class Listener(Protocol):
    """Somebody who watches a job in the same process."""

    def event(self, event: Any) -> None: ...

    def progress(self, done: int, total: int, what: str) -> None: ...


@dataclass(frozen=True)
class JobKind(Generic[Request]):
    """A kind of long work."""

    name: str
    """How rows, commands and other kinds name it."""
    request: type[Request]
    """What has to be said to have one done; kept as JSON, so never a key or a password."""
    run: Callable[[Request, Context], dict[str, Any] | None]
    """Does one; returns figures to keep with the job, or nothing. It raises `Stopped` when it stops because it was
    asked to, and any other error when it fails."""
    folder: str = "jobs"
    """A folder of the home; each job has a folder of its own in it."""
    inputs: str = ""
    """What must lie in a job's folder before it can begin; "" where its request says all."""
    row: type[Table] | None = None
    """The kind's own table, whose row has the job's id."""
    ended: Callable[[Session, Job, dict[str, Any] | None], None] | None = None
    """Called in the transaction in which the job ends, with its row and what `run` returned."""
    lost_hint: str = "Resume it: what was saved is kept."
    """What a person does once its process is gone."""
    alone: str = ""
    """A field of the request; of jobs under way, one at a time for each of its values. "" for any number."""
    private: bool = False
    """Tracebacks may show what is nobody's business (addresses, texts); only the sentence is logged."""
    started_by: str = ""
    """The command that starts one, where more than a request belongs to that; "" for `avion jobs start`."""
    doing: str = ""
    """What a person reads while one goes on ("Training a student"); "" for its name."""


class Context:
    """What a job is given while it runs: where it is, whom it tells, and whether to go on.

    Attributes:
        home, job: which job of which home.
        folder: the job's own; what it saves there stays after it.
    """

    def __init__(
        self,
        home: Home,
        job: Job,
        folder: Path,
        heartbeat: Heartbeat,
        log: JobLog,
        stop: threading.Event,
        listener: Listener | None,
    ) -> None:
        self.home, self.job, self.folder = home, job, folder
        self.stop = stop
        self._heartbeat, self._log, self._listener = heartbeat, log, listener
        self._counted, self._since, self._first = "", 0.0, 0

    def should_stop(self) -> bool:
        """Whether somebody asked for a stop: save what is worth it, then raise `Stopped`."""
        return self.stop.is_set()

    def progress(self, done: int, total: int, what: str) -> None:
        """Tell how far it is: `done` of `total` of what is counted now. Cheap: it is written once a second."""
        moment = time.monotonic()
        if what != self._counted or done < self._first:
            self._counted, self._since, self._first = what, moment, done
        news: dict[str, Any] = {"done": done, "total": total, "what": what, "expected_end": None}
        if self._first < done <= total:
            left = (moment - self._since) * (total - done) / (done - self._first)
            news["expected_end"] = now() + timedelta(seconds=left)
        self._heartbeat.note(**news)
        if self._listener is not None:
            self._listener.progress(done, total, what)

    def progress_or_stop(self, done: int, total: int, what: str) -> None:
        """As `progress`, for work that keeps what it has made as it goes: a stop ends it here, by `Stopped`."""
        self.progress(done, total, what)
        if self.should_stop():
            raise Stopped

    def stage(self, message: str) -> None:
        """A new part of the work has begun."""
        self._heartbeat.note(stage=message)
        self.log(message)

    def log(self, message: str) -> None:
        """A line for people, in the job's log."""
        self._log.write(message)

    def save(self, name: str, content: bytes | str) -> Path:
        """Keep a file in the job's folder: it is there whole, or as it was before."""
        file = self.folder / name
        write_bytes(file, content.encode() if isinstance(content, str) else content)
        return file

    def note(self, **columns: Any) -> None:
        """Columns of the kind's own row to write with the next heartbeat."""
        self._heartbeat.note_figures(**columns)

    def note_job(self, **columns: Any) -> None:
        """Columns of the job's row to write with the next heartbeat."""
        self._heartbeat.note(**columns)

    def tell(self, event: Any) -> None:
        """Pass an event of the work on to whoever watches in the same process."""
        if self._listener is not None:
            self._listener.event(event)
