"""The heartbeat: one small write a second that says "I live, and this is how far I am"."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from avion_core.store.database import writing
from avion_core.store.leases import Work, beat
from avion_core.store.tables import Run

SECONDS = 1.0
LOST_AFTER_SECONDS = 60.0
"""Silence after which a run counts as lost: many missed beats, so that a busy disk is not taken for death."""


class Heartbeat:
    """Beats from a thread of its own while it is entered, so that the work itself never waits for the database.

    Args:
        key: of the row in `table` that this process holds by `lease`.
        stop: set when somebody asks the work to stop, or it was given to another process.
    """

    def __init__(self, engine: Engine, key: str, lease: str, stop: threading.Event, table: Work = Run) -> None:
        self._engine, self._table, self._key, self._lease, self._stop = engine, table, key, lease, stop
        self._news: dict[str, Any] = {}
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
        """Columns of the run's row to write with the next beat."""
        with self._lock:
            self._news |= news

    def _beat_on(self) -> None:
        while not self._done.wait(SECONDS):
            self._beat()

    def _beat(self) -> None:
        with self._lock:
            news, self._news = self._news, {}
        try:
            with writing(self._engine) as session:
                go_on = beat(session, self._table, self._key, self._lease, news)
        except OperationalError:
            # The database is busy or away: a missed beat is no reason to lose a training. Tell it with the next one.
            with self._lock:
                self._news = news | self._news
            return
        if not go_on:
            self._stop.set()
