"""The browser's queue of labels, taken by runs of the page that overlap."""

from __future__ import annotations

from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

from app import labelling, session
from app.components.label_grid import LabelDesk


def test_a_run_that_a_newer_one_overtakes_sets_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit starts a new run at a key while the old one still writes; unguarded, the old one ends last."""
    desk = LabelDesk(("tiny",), ["a", "b", "c"])
    queue = [
        {"seq": seq, "token": image, "action": "label", "labels": {image: "Forest"}}
        for seq, image in [(1, "a"), (2, "b")]
    ]
    written: list[str] = []
    first_is_under_way, newer_is_done = Event(), Event()

    def give(_project: Any, _desk: LabelDesk, labels: dict[str, str], batch: str) -> None:
        written.append(batch)
        if len(written) == 1:
            first_is_under_way.set()
            newer_is_done.wait(0.5)

    def newer() -> None:
        queue.append({"seq": 3, "token": "c", "action": "label", "labels": {"c": "Forest"}})
        labelling.take_waiting(project)
        newer_is_done.set()

    project: Any = SimpleNamespace(id="tiny")
    monkeypatch.setattr(session, "label_desk", lambda: desk)
    monkeypatch.setattr(session.st, "session_state", {session.LABEL_GRID: {"queue": queue}})
    monkeypatch.setattr(labelling, "give", give)
    older = Thread(target=labelling.take_waiting, args=(project,))
    older.start()
    assert first_is_under_way.wait(5)
    after = Thread(target=newer)
    after.start()
    older.join(5)
    after.join(5)
    assert (desk.taken, desk.cursor, written) == (3, "", ["a", "b", "c"])
