"""The report to hand over: whole in one file, escaped, with n and interval, and nothing that its maker may not show."""

from __future__ import annotations

import io
import re
import threading
import zipfile
from html.parser import HTMLParser

import pytest

from avion_core.actor import Actor
from avion_core.errors import DataError, NotFoundError, RightsError
from avion_core.store.home import Home
from avion_core.usecases.curation.agreement import set_blind
from avion_core.usecases.curation.deciding import record_verdict
from avion_core.usecases.insight.alignment import map_settings, start_map
from avion_core.usecases.insight.evaluation import evaluate_run, kept_report
from avion_core.usecases.insight.written_report import WrittenReport, write_report
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import get_run
from tests.jobs_here import do_jobs_here

pytestmark = pytest.mark.usefixtures("tiny_towers")
HOSTILE = '<img src="http://evil.example/x" onerror=alert(1)> & run'


class Parsed(HTMLParser):
    """What a browser would take from a page: tags, addresses, styles and the text that is read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.read: list[str] = []
        self.styles: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        (self.styles if self.tags and self.tags[-1] == "style" else self.read).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.read).split())


def trained(home: Home, project: str, name: str, **settings) -> str:
    run = create_run(home, project, overrides=settings, name=name)
    run_here(home, run, threading.Event())
    return run


@pytest.fixture
def run(home, described) -> str:
    return trained(home, described.id, HOSTILE)


def stands_alone(report: WrittenReport) -> Parsed:
    """Nothing is loaded from elsewhere, nothing runs, and every picture is in the file."""
    page = Parsed(report.html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "svg"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "srcset", "data", "action", "poster"):
            assert value.startswith(("data:image/svg+xml;base64,", "data:image/jpeg;base64,"))
    assert not re.search(r"url\(|@import", " ".join(page.styles))
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in page.attributes
    return page


def test_a_run_s_report_is_whole_and_escaped(home, described, run) -> None:
    report = write_report(home, [run])
    page = stands_alone(report)
    assert HOSTILE in page.text
    figure = kept_report(home, run, "validation").figure("all", "accuracy")
    right = round(figure["value"] * figure["n"] / 100)
    assert f"{right} of {figure['n']} right, 95 % interval {figure['low']:.1f} to {figure['high']:.1f}" in page.text
    assert "the untrained student" in page.text
    assert "looks at the sealed test set: 0" in page.text
    assert "Nothing here was measured on the sealed test set." in page.text
    assert "sealed test images" not in page.text.replace("of the sealed test images lie farther", "")
    assert "No map was computed for this run." in page.text
    kept, cut = re.search(r"(\d+) kept, (\d+) cut", page.text).groups()
    assert int(kept) + int(cut) == described.descriptions
    assert "Someone standing in the street near beach." in page.text
    assert "distillation.batch_size" in page.text
    assert "Licence: Creative Commons" in page.text
    assert str(home.path) not in report.html  # where things lie on this machine is nobody's business


def test_figures_come_as_svg_and_png_under_plain_names(home, run) -> None:
    report = write_report(home, [run])
    with zipfile.ZipFile(io.BytesIO(report.figures_zip())) as archive:
        names = archive.namelist()
    assert len(names) == 2 * len(report.figures)
    assert all(re.fullmatch(r"[\w.-]+\.(svg|png)", name) for name in names)
    for kind in ("methods", "classes", "confusion", "validation_accuracy", "loss"):
        assert any(kind in name for name in names), kind
    assert re.fullmatch(r"[\w.-]+", report.name)


def test_mistakes_are_pictures_in_the_file(home, described, run) -> None:
    """Of a student that says the same of everything."""
    measured = kept_report(home, run, "validation") or evaluate_run(home, run)
    wrong = measured.predictions.assign(predicted="beach")
    measured = type(measured)(**{**vars(measured), "predictions": wrong})
    measured.save(get_run(home, run).folder)
    report = write_report(home, [run])
    stands_alone(report)
    shown = int((measured.said("all")["class_key"] != "beach").sum())
    assert shown > 0
    assert report.html.count("data:image/jpeg;base64,") == shown
    assert "forest (" in report.html
    assert ") taken for beach (" in report.html


def test_two_runs_stand_beside_each_other(home, described, run) -> None:
    other = trained(home, described.id, "longer", **{"distillation.epochs": 4})
    page = stands_alone(write_report(home, [run, other]))
    assert "Beside each other" in page.text
    assert re.search(r"longer: .*<img .* & run on these \d+ images", page.text)
    assert "distillation.epochs" in page.text[page.text.index("Settings that differ") :]
    with pytest.raises(DataError, match=r"^A report is of one or more runs of a project"):
        write_report(home, [])
    with pytest.raises(NotFoundError):
        write_report(home, ["nowhere"])


def test_the_test_set_is_shown_only_when_asked_and_counted(home, described, run) -> None:
    with pytest.raises(DataError, match=r"^The run was never measured on the sealed test set"):
        write_report(home, [run], test=True)
    evaluate_run(home, run, "test")
    assert get_run(home, run).looks == 1
    closed = stands_alone(write_report(home, [run]))
    assert "Measured on the sealed test images" not in closed.text
    assert "looks at the sealed test set: 1" in closed.text
    opened = stands_alone(write_report(home, [run], test=True))
    assert "Measured on the sealed test images" in opened.text
    colleague = Home(home.path, Actor("ana", "adjudicator"))
    with pytest.raises(RightsError):
        write_report(colleague, [run], test=True)
    chief = Home(home.path, Actor("bo", "admin"))
    write_report(chief, [run], test=True)
    assert get_run(home, run).looks == 2  # the first look of somebody else


def test_a_blind_review_keeps_others_verdicts_out(home, described) -> None:
    first, second = current_descriptions(home, described.id)["description_id"][:2]
    record_verdict(home, described.id, first, "accept")
    run = trained(home, described.id, "blind")
    set_blind(home, described.id, True)
    reviewer = Home(home.path, Actor("ana", "reviewer"))
    everything = described.descriptions
    assert f"{everything} texts are left out" in stands_alone(write_report(reviewer, [run])).text
    record_verdict(reviewer, described.id, second, "reject")
    mine = stands_alone(write_report(reviewer, [run])).text
    assert f"{everything - 1} texts are left out" in mine
    assert "accepted" not in mine
    assert "texts are left out" not in write_report(home, [run]).html  # whoever settles conflicts sees all


def test_a_computed_map_is_drawn_but_none_with_the_test_set(home, run, monkeypatch) -> None:
    do_jobs_here(monkeypatch)
    start_map(home, run, map_settings(method="tsne", neighbours=3, parts=("train", "validation", "test")))
    assert not [name for name in write_report(home, [run]).figures if name.endswith("map")]
    start_map(home, run, map_settings(method="tsne", neighbours=3))
    report = write_report(home, [run])
    assert [name for name in report.figures if name.endswith("map")]
    assert "On the map: all 6 training shots" in stands_alone(report).text
