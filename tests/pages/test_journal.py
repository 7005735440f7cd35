"""Journal: what was done, what is stale because of it, and buttons to what comes next."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.config import PrototypesConfig
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.curation.rules import current_rules, save_rules
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.marking import pin_baseline
from avion_core.usecases.runs.views import list_runs
from tests.acting import by
from tests.app.tiny_home import NAME, TEXTS
from tests.pages.conftest import Open, all_text


def press(app: AppTest, label: str) -> AppTest:
    """Where a button leads; another run of this AppTest would be of the page it began with."""
    return next(button for button in app.button if button.label == label).click().run()


def test_without_a_project_the_demo_is_offered(empty_home: Home, open_page: Open) -> None:
    assert "No project yet" in all_text(open_page("journal"))


def test_a_new_project_has_one_thing_to_do(home: Home, open_page: Open) -> None:
    bare = create_project(home, "bare", get_project(home, NAME).image_root)
    app = open_page("journal", project=bare.id)
    assert "Import class descriptions" in {button.label for button in app.button}
    assert "Nothing is stale: all results are up to date" in all_text(app)


@pytest.mark.usefixtures("unmeasured")
def test_steps_after_a_training_lead_to_its_pages(home: Home, open_page: Open) -> None:
    (run,) = list_runs(home, NAME)
    app = open_page("journal")
    text = all_text(app)
    assert f"{3 * TEXTS} of {3 * TEXTS} descriptions not reviewed yet" in text
    assert "has not been evaluated yet" in text
    app = press(app, "See what the student gained")
    assert (app.title[0].value, app.query_params["run"]) == ("Evaluation", run.id)


def test_a_run_is_stale_because_of_what_was_done_since(home: Home, open_page: Open) -> None:
    (run,) = list_runs(home, NAME)
    pin_baseline(by("ann", home), NAME, run.id)
    for item in current_descriptions(home, get_project(home, NAME).id)["description_id"][:3]:
        record_verdict(by("ann", home), NAME, item, "accept")
    save_rules(home, NAME, PrototypesConfig(zeta=2.0), current_rules(home, NAME)[1])
    app = open_page("journal")
    text = all_text(app)
    assert "The student of a finished run (the baseline)**" in text
    assert "It was trained before 3 verdicts and rule version 1." in text
    app = press(app, "Train again")
    assert (app.title[0].value, app.query_params["based_on"]) == ("Launch", run.id)


def test_actions_are_listed_and_filtered(home: Home, open_page: Open) -> None:
    (run,) = list_runs(home, NAME)
    pin_baseline(by("ann", home), NAME, run.id)
    rows = open_page("journal").dataframe[0].value
    assert rows.iloc[0][["who", "about", "what"]].tolist() == [
        "ann",
        "training",
        f"Pinned a finished run ({run.id}) as the baseline.",
    ]
    assert f"The run “a finished run” ({run.id}) is finished, 100.0 % accuracy on the validation images." in set(
        rows["what"]
    )
    assert set(open_page("journal", journal_kinds="training").dataframe[0].value["about"]) == {"training"}
