"""What was typed or chosen and not saved outlasts the page; the browser's copy outlasts a refresh."""

from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest

from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.summaries import get_project
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, components, settle


def browser_copy(app: AppTest) -> dict[str, str]:
    """What the page tells the browser to keep, name -> JSON."""
    return next(told["values"] for told in components(app) if "watched" in told)


def go(app: AppTest, page: str) -> AppTest:
    """To another page and, as a person does there, a run or two on it."""
    app.switch_page(f"../pages/{page}.py").run()
    settle(app)
    return settle(app.run())


def epochs(home: Home) -> str:
    return f"launch_{get_project(home, NAME).id}_demo:distillation.epochs"


def test_launch_settings_outlast_the_page(home: Home, open_page: Open) -> None:
    app = open_page("launch")
    app.number_input(key=epochs(home)).set_value(7).run()
    app.text_input(key="run_name").set_value("a try").run()
    app = go(app, "classes")
    app = go(app, "journal")
    app = go(app, "launch")
    assert app.number_input(key=epochs(home)).value == 7
    assert app.text_input(key="run_name").value == "a try"


def test_launch_settings_outlast_a_refresh(home: Home, open_page: Open) -> None:
    app = open_page("launch")
    app = settle(app.number_input(key=epochs(home)).set_value(7).run())
    kept = browser_copy(settle(app.run()))
    assert json.loads(kept[epochs(home)]) == 7
    app = open_page("launch")  # another session
    assert app.number_input(key=epochs(home)).value != 7
    app.session_state["drafts"] = {"sent": {"number": 1, "run": 1, "values": kept}}
    app = settle(app.run())
    assert app.number_input(key=epochs(home)).value == 7


def test_what_is_typed_meanwhile_holds_over_what_the_browser_kept(home: Home, open_page: Open) -> None:
    app = open_page("launch")
    app.number_input(key=epochs(home)).set_value(3000)
    app.session_state["drafts"] = {"sent": {"number": 1, "run": 1, "values": {epochs(home): "9", "run_name": '"old"'}}}
    app = settle(app.run())
    assert app.number_input(key=epochs(home)).value == 3000
    assert app.text_input(key="run_name").value == "old"  # untouched here


def test_what_is_typed_while_a_draft_is_filled_in_holds(home: Home, open_page: Open) -> None:
    app = settle(open_page("launch").run())
    drafts = app.session_state["_drafts"]
    drafts.values[epochs(home)] = "9"
    drafts.waiting.add(epochs(home))  # as where the run that filled it in was broken off by the next line's
    app = settle(app.number_input(key=epochs(home)).set_value(3000).run())
    assert app.number_input(key=epochs(home)).value == 3000
    assert drafts.values[epochs(home)] == "3000"


def test_a_draft_that_comes_before_its_page_waits_for_it(home: Home, open_page: Open) -> None:
    app = open_page("journal")
    app.session_state["drafts"] = {"sent": {"number": 1, "run": 1, "values": {epochs(home): "7"}}}
    app = settle(app.run())
    app.switch_page("../pages/launch.py").run()
    app = settle(app)
    assert app.number_input(key=epochs(home)).value == 7


def test_what_was_not_touched_is_no_draft(home: Home, open_page: Open) -> None:
    app = settle(open_page("classes").run())
    assert browser_copy(app) == {}
    app = go(settle(open_page("launch").run()), "classes")
    assert browser_copy(app) == {}


def test_a_card_that_was_saved_leaves_no_draft(home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    app = open_page("classes")
    key = f"card_{project.id}_Forest@0_definition"
    app.text_area(key=key).set_value("Trees, closed canopy.")
    next(button for button in app.button if button.label == "Save the card").click().run()
    app = settle(app.run())
    assert get_project(home, NAME).classes[0].definition == "Trees, closed canopy."
    assert browser_copy(app) == {}
    assert any("definition" in name for told in components(app) for name in told.get("forgotten", ()))


def test_only_values_of_known_widgets_are_taken_from_the_browser(home: Home, open_page: Open) -> None:
    app = open_page("launch")
    values = {"_outbox": '"x"', "project": '"other"', epochs(home): "{broken", "run_name": '{"a": 1}'}
    values |= {"preset": "[" * 100_000}
    app.session_state["drafts"] = {"sent": {"number": 1, "run": 1, "values": values}}
    app = settle(app.run())
    assert app.session_state["project"] == get_project(home, NAME).id
    assert app.text_input(key="run_name").value == ""
    assert not app.exception
