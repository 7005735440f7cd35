"""The heartbeat: one small write a second that says "I live, and this is how far I am"."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Engine

from avion_core.errors import StoreBusyError
from avion_core.jobs.process import machine_seconds
from avion_core.store.database import writing
from avion_core.store.jobs import beat
from avion_core.store.tables import Table

SECONDS = 1.0


class Heartbeat:
    """Beats from a thread of its own while it is entered, so that the work itself never waits for the database.

    Args:
        key, attempt: the job that this process holds, and by which attempt.
        stop: set when somebody asks the work to stop, or it was given to another process.
        row: the kind's own table.
    """

    def __init__(
        self, engine: Engine, key: str, attempt: int, stop: threading.Event, row: type[Table] | None = None
    ) -> None:
        self._engine, self._key, self._attempt, self._stop, self._row = engine, key, attempt, stop, row
        self._news: dict[str, Any] = {}
        self._figures: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        self._thread.join()
        self._beat()  # the last figures

    def note(self, **news: Any) -> None:
        """Columns of the job's row to write with the next beat."""
        with self._lock:
            self._news |= news

    def note_figures(self, **figures: Any) -> None:
        """Columns of the kind's own row to write with the next beat."""
        with self._lock:
            self._figures |= figures

    def _beat_on(self) -> None:
        while not self._done.wait(SECONDS):
            self._beat()

    def _beat(self) -> None:
        with self._lock:
            news, self._news = self._news, {}
            figures, self._figures = self._figures, {}
        try:
            with writing(self._engine) as session:
                go_on = beat(session, self._key, self._attempt, machine_seconds(), news, self._row, figures)
        except StoreBusyError:
            # The database is busy or away: a missed beat is no reason to lose a training. Tell it with the next one.
            with self._lock:
                self._news, self._figures = news | self._news, figures | self._figures
            return
        if not go_on:
            self._stop.set()
