"""The browser's queue of labels, taken by runs of the page that overlap."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import pytest
import streamlit as st

from app.components.labelling.label_grid import LabelList
from app.outbox import labels
from app.outbox.queue import take_waiting
from app.state import outbox, studio, visitor, work_lists
from avion_core.actor import ALONE


def test_a_run_that_a_newer_one_overtakes_sets_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit starts a new run at a key while the old one still writes; unguarded, the old one ends last."""
    work_list = LabelList("tiny", ("all",), ["a", "b", "c"])
    sender = {"component": work_lists.LABEL_GRID, "project": "tiny", "reviewer": "me", "action": "label", "guesses": {}}
    queue = [{"seq": seq, "token": image, "labels": {image: "Forest"}, **sender} for seq, image in [(1, "a"), (2, "b")]]
    written: list[str] = []
    first_is_under_way, newer_is_done = Event(), Event()

    def give_labels(*_given: Any, batch: str, **_named: Any) -> None:
        written.append(batch)
        if len(written) == 1:
            first_is_under_way.set()
            newer_is_done.wait(0.5)

    def newer() -> None:
        queue.append({"seq": 3, "token": "c", "labels": {"c": "Forest"}, **sender})
        take_waiting()
        newer_is_done.set()

    state = {outbox.KEY: {"queue": queue}, "_label_list": work_list, "_outbox": outbox.Outbox()}
    monkeypatch.setattr(st, "session_state", state)
    monkeypatch.setattr(studio, "home", lambda: None)
    monkeypatch.setattr(visitor, "signed_in", lambda: ALONE)
    monkeypatch.setattr(labels, "give_labels", give_labels)
    older = Thread(target=take_waiting)
    older.start()
    assert first_is_under_way.wait(5)
    after = Thread(target=newer)
    after.start()
    older.join(5)
    after.join(5)
    assert (outbox.of_this_tab().taken, work_list.cursor, written) == (3, "", ["a", "b", "c"])
