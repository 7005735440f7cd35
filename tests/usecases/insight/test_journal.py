"""The journal: stale because of what, and what comes next."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from avion_core.config import PrototypesConfig
from avion_core.store.database import writing
from avion_core.store.tables import Job
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.curation.rules import current_rules, save_rules
from avion_core.usecases.insight.journal import changes_since, journal_entries, listed, next_steps, stale
from avion_core.usecases.projects.classes import rename_class
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import stop
from avion_core.usecases.runs.views import get_run
from tests.acting import by


@pytest.fixture
def trained(home, described, tiny_towers):
    """A new run that says it is finished."""

    def make(name="trained") -> str:
        run = create_run(home, described.id, name=name)
        with writing(home.engine) as session:
            session.execute(update(Job).where(Job.id == run).values(state="finished"))
        return run

    return make


def test_nothing_has_changed_since(home, described, trained):
    assert changes_since(home, get_run(home, trained())) == []
    assert stale(home, described.id) == []


def test_each_kind_of_change_is_counted(home, described, trained):
    run = trained()
    items = current_descriptions(home, described.id)["description_id"].tolist()
    record_verdict(home, described.id, items[0], "accept")
    record_verdict(home, described.id, items[1], "reject")
    record_verdict(home, described.id, items[2], "edit", text="Aerial view of a long beach.")
    save_rules(home, described.id, PrototypesConfig(zeta=1.5), current_rules(home, described.id)[1])
    rename_class(home, described.id, "golfcourse", "golf course with bunkers")
    assert changes_since(home, get_run(home, run)) == ["2 verdicts", "1 edit", "rule version 1", "1 class name"]
    (found,) = stale(home, described.id)
    assert found.why == "It was trained before 2 verdicts, 1 edit, rule version 1 and 1 class name."
    assert (found.page, found.run) == ("launch", run)
    assert changes_since(home, get_run(home, trained("anew"))) == []
    assert stale(home, described.id) == []


def test_an_undone_change_is_none(home, described, trained):
    run = trained()
    item = current_descriptions(home, described.id)["description_id"][0]
    record_verdict(home, described.id, item, "accept")
    record_verdict(home, described.id, item, "undecide")
    assert changes_since(home, get_run(home, run)) == []


def test_a_map_of_an_older_run_is_stale(home, described, trained):
    older = trained("older")
    points = home.run_folder(older) / "maps" / "key" / "points.parquet"
    points.parent.mkdir(parents=True)
    points.touch()
    assert stale(home, described.id) == []
    newer = trained("newer")
    (found,) = stale(home, described.id)
    assert (found.what, found.why, found.run) == (
        "The map",
        "The newest map is of older; newer was trained after it.",
        newer,
    )


def test_a_run_whose_inputs_are_gone(home, described, trained):
    run = trained()
    (home.run_folder(run) / "inputs" / "project.json").unlink()
    assert changes_since(home, get_run(home, run)) == ["its inputs, which no longer exist"]


def test_what_comes_next_from_an_empty_project_to_a_trained_one(home, project, trained_later):
    assert [step.page for step in next_steps(home, project.id)] == ["exchange"]
    trained_later("describe")
    assert [step.page for step in next_steps(home, project.id)] == ["review", "launch"]
    run = trained_later("queue")
    assert [(step.title, step.run) for step in next_steps(home, project.id)][-1] == ("Start the queue worker", run)
    stop(home, run)
    with writing(home.engine) as session:
        session.execute(update(Job).where(Job.id == run).values(state="failed", error="Out of memory."))
    steps = next_steps(home, project.id)
    assert ("Look at the run that ended early", "Out of memory.", "runs", run) in [
        (step.title, step.why, step.page, step.run) for step in steps
    ]
    with writing(home.engine) as session:
        session.execute(update(Job).where(Job.id == run).values(state="finished"))
    assert [step.page for step in next_steps(home, project.id)] == ["review", "evaluation", "alignment"]


@pytest.fixture
def trained_later(home, project, tmp_path, tiny_towers):
    from avion_core.usecases.projects.descriptions import import_descriptions
    from tests import tiny_studio

    def step(what: str) -> str:
        if what == "describe":
            import_descriptions(home, project.id, tiny_studio.make_descriptions(tmp_path / "texts.json"))
            return ""
        return create_run(home, project.id)

    return step


def test_actions_are_written_down_with_their_actor(home, described, tiny_towers):
    run = create_run(by("ann", home), described.id, name="one")
    stop(by("bob", home), run)
    newest = journal_entries(home, described.id)[:2]
    assert [(entry.who, entry.kind, entry.sentence) for entry in newest] == [
        ("bob", "training", f"Asked to stop: one ({run})."),
        ("ann", "training", f"New training: one ({run})."),
    ]
    assert get_project(home, described.id).baseline_run is None


@pytest.mark.parametrize(
    ("words", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_in_words(words, said):
    assert listed(words) == said
