from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner.script_runner import RerunData, ScriptRunner

from app.streamlit_patches import drop_late_ticks

HERE = RerunData(fragment_id_queue=["here"], is_auto_rerun=True, page_script_hash="alignment")


@pytest.mark.parametrize(
    ("request_", "runs"),
    [
        (RerunData(), True),
        (HERE, True),
        (RerunData(fragment_id_queue=["here"], is_auto_rerun=True), True),
        (RerunData(fragment_id_queue=["gone", "here"], is_auto_rerun=True, page_script_hash="alignment"), True),
        (RerunData(fragment_id_queue=["gone"], is_auto_rerun=True, page_script_hash="alignment"), False),
        (RerunData(fragment_id_queue=["here"], is_auto_rerun=True, page_script_hash="runs"), False),
        # A person pressed something: Streamlit says what became of it.
        (RerunData(fragment_id_queue=["gone"]), True),
        (RerunData(fragment_id_queue=["here"], page_script_hash="runs"), True),
        (RerunData(is_auto_rerun=True, page_script_hash="runs"), True),  # the whole app, asked for before a tick
    ],
)
def test_a_tick_of_what_was_left_begins_no_run(
    monkeypatch: pytest.MonkeyPatch, request_: RerunData, runs: bool
) -> None:
    began: list[RerunData] = []
    monkeypatch.setattr(ScriptRunner, "_run_script", lambda self, data: began.append(data))
    drop_late_ticks()
    pages = PagesManager("main.py")
    pages.set_current_page_script_hash("alignment")
    runner = SimpleNamespace(_fragment_storage=SimpleNamespace(contains="here".__eq__), _pages_manager=pages)
    ScriptRunner._run_script(runner, request_)  # type: ignore[arg-type]
    assert began == ([request_] if runs else [])


def test_the_runner_has_what_the_guard_asks_it() -> None:
    """The guard stands on Streamlit's own parts: this test falls when a release moves them."""
    assert ScriptRunner._run_script.__code__.co_varnames[:2] == ("self", "rerun_data")
    assert {"fragment_id_queue", "is_auto_rerun", "page_script_hash"} <= set(RerunData.__dataclass_fields__)
    assert {"_fragment_storage", "_pages_manager"} <= set(ScriptRunner.__init__.__code__.co_names)
