"""The ladder says what the newest run's report says, and nothing where nothing was measured."""

from __future__ import annotations

import pytest

from avion_core.usecases.insight.evaluation import evaluate_run, kept_report
from avion_core.usecases.insight.ladder import ladder
from avion_core.usecases.runs.marking import rename_run
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import NAME, make_home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("ladder"), trained=True)


def test_nothing_is_computed_for_it(home):
    assert ladder(home, NAME) is None
    (run,) = list_runs(home, NAME)
    assert kept_report(home, run.id, "validation") is None


def test_it_holds_the_figures_of_the_report_and_the_run_comes_last(home):
    (run,) = list_runs(home, NAME)
    report = evaluate_run(home, run.id, "validation")
    rename_run(home, run.id, "the newest")
    found = ladder(home, NAME)
    assert found is not None
    assert (found.run, found.name, found.part) == (run.id, "the newest", "")
    titles = [rung.title for rung in found.rungs]
    assert titles == ["Teacher, class names", "Teacher, your descriptions", "Student, untrained", "the newest"]
    own, part = report.figure(report.parts[0].name, "accuracy"), report.parts[0].name
    assert (found.rungs[-1].value, found.rungs[-1].low, found.rungs[-1].high) == (own["value"], own["low"], own["high"])
    assert found.rungs[0].value == report.value(part, "accuracy", "zero_shot", "teacher")
    assert found.rungs[1].value == report.value(part, "accuracy", "text_prototypes", "teacher")
    assert found.images == len(report.said(part))
