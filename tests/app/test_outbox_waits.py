"""A decision leaves the tab only when it stands in the database, or was refused for a reason of its own."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.errors import DescriptionError, StoreBusyError, StoreDamagedError

BUSY = StoreBusyError("the database cannot be written just now (database is locked)", "Wait.")
FULL = OSError(28, "No space left on device")
DAMAGED = StoreDamagedError("the file is damaged, or is not a database", "Restore the newest backup.")


def page() -> None:
    import streamlit as st

    from app.outbox.queue import take_waiting
    from app.state import outbox

    take_waiting()
    st.text(f"taken {outbox.of_this_tab().taken}, failures {outbox.of_this_tab().failures}")


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch) -> tuple[AppTest, list[str], dict[str, Exception]]:
    """A tab in which three verdicts wait; what was written; and the errors that stand in the way, by verdict."""
    from app.outbox import verdicts
    from app.state import visitor

    written: list[str] = []
    trouble: dict[str, Exception] = {}

    def take(decision: dict[str, Any]) -> None:
        if decision["id"] in trouble:
            raise trouble[decision["id"]]
        written.append(decision["id"])

    monkeypatch.setattr(verdicts, "take", take)
    monkeypatch.setattr(visitor, "name", lambda: "me")
    app = AppTest.from_function(page, default_timeout=60)
    queue = [
        {"seq": seq, "id": name, "component": "review_card", "project": "p", "reviewer": "me"}
        for seq, name in ((4, "a"), (5, "b"), (6, "c"))
    ]
    app.session_state["outbox"] = {"queue": queue}
    return app, written, trouble


@pytest.mark.parametrize("error", [BUSY, FULL, DAMAGED], ids=["locked", "disk full", "damaged"])
def test_what_cannot_be_written_now_waits_with_all_behind_it(tab, error: Exception) -> None:
    app, written, trouble = tab
    trouble["b"] = error
    app.run()
    assert written == ["a"]
    assert app.text[0].value == "taken 4, failures 1"
    assert not app.error
    (warning,) = app.warning
    assert "kept in this tab and sent again" in warning.value
    app.run()
    assert app.text[0].value == "taken 4, failures 2"
    del trouble["b"]
    app.run()
    assert written == ["a", "b", "c"]  # in order, each once
    assert app.text[0].value == "taken 6, failures 2"
    assert not app.warning


def test_one_that_is_refused_for_its_own_reason_is_told_and_the_others_go_on(tab) -> None:
    app, written, trouble = tab
    trouble["a"] = DescriptionError("the description no longer exists", "Reload the page.")
    app.run()
    assert written == ["b", "c"]
    assert app.text[0].value == "taken 6, failures 0"
    assert len(app.error) == 1


def test_somebody_else_s_decision_is_not_written_under_this_name(tab) -> None:
    app, written, _ = tab
    app.session_state["outbox"]["queue"][1]["reviewer"] = "ann"
    app.run()
    assert written == ["a", "c"]
    assert len(app.error) == 1
