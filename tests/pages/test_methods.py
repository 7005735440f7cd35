"""A method of METHODS on the pages: its own settings on the launch form, its curve, and its row in the evaluation."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.methods import METHODS, find_method
from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs import launching
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text, settle

KINDS = ("selectbox", "number_input", "toggle", "text_input", "multiselect")


def settings(app: AppTest) -> dict[str, Any]:
    """The form's widgets by their dotted keys."""
    widgets: list[Any] = [widget for kind in KINDS for widget in app.get(kind)]
    return {widget.key.rpartition(":")[2]: widget for widget in widgets if ":" in (widget.key or "")}


def test_applenet_from_the_form_to_the_table(home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "submit", lambda home, run: None)
    app = open_page("launch", look="Research")
    form = settings(app)
    assert set(form["method"].options) == {find_method(name).title for name in METHODS}
    app = settle(form["method"].set_value("applenet").run())
    form = settings(app)
    own = {f"options.{name}" for name in find_method("applenet").Settings.model_fields}
    assert own <= set(form)
    assert not {dotted for dotted in form if dotted.startswith(("distillation.", "prototypes."))}
    app = settle(form["options.epochs"].set_value(2).run())
    assert "--method applenet" in app.code[0].value
    assert "options.epochs=2" in app.code[0].value
    settle(next(button for button in app.button if button.label == "Start now").click().run())
    run = list_runs(home, NAME)[0].id
    run_here(home, run, threading.Event())
    assert "**Redundancy of context**" in all_text(open_page("runs", run=run))
    app = open_page("evaluation", run=run)
    rows: Any = next(frame.value for frame in app.dataframe if "method" in frame.value.columns)
    assert rows["method"].iloc[0] == "APPLeNet"
    assert {"Student, Tip-Adapter", "Teacher, zero-shot, ensemble", "Student, class mean"} <= set(rows["method"])
    assert not {"CoOp", "Student, RS-TransCLIP (transductive)"} & set(rows["method"])
