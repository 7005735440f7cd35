"""Alignment over a really trained student: the form, the job, the linked views, and what can be done with a pick."""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.components.maps.under_pointer import point_card
from app.state import map_choices
from avion_core.jobs.executors import local
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.curation.agreement import set_blind
from avion_core.usecases.insight.alignment import (
    MapSettings,
    OfProject,
    list_maps,
    map_settings,
    read_map,
    start_map,
    stop_map,
)
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import rename_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project, read_splits
from avion_core.usecases.runs.views import get_run
from tests.acting import by
from tests.app.tiny_home import CLASSES, NAME
from tests.jobs_here import do_jobs_here
from tests.pages.conftest import Open, all_text

TSNE = map_settings(method="tsne")
SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


def compute(home: Home, settings: MapSettings) -> str:
    """A map as its process makes it, made in this one; returns its key."""
    with pytest.MonkeyPatch.context() as patch:
        do_jobs_here(patch)
        return start_map(home, "latest", settings)


@pytest.fixture(scope="module")
def places(trained_home: Home) -> str:
    """One t-SNE map of the home of which tests get copies; removed when this file is done."""
    key = compute(trained_home, TSNE)
    yield key
    stop_map(trained_home, "latest", key)


@pytest.fixture
def mapped(places: str, home: Home) -> Home:
    """The home with the map in it."""
    # What a run lists of its maps goes wherever the run goes.
    assert compute(home, TSNE) == places
    return home


def button(app: AppTest, label: str) -> Any:
    return next(button for button in app.button if label in button.label)


def colour_by(app: AppTest, name: str) -> AppTest:
    return next(box for box in app.selectbox if box.label == "Colour by").set_value(name).run()


def choose(app: AppTest, label: str, value: Any) -> AppTest:
    return next(group for group in app.get("button_group") if group.label == label).set_value(value).run()


def chart_data(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def rows_of(trace: dict[str, Any]) -> list[int]:
    """Row numbers as the browser gets them."""
    sent = trace["customdata"]
    return np.frombuffer(base64.b64decode(sent["bdata"]), sent["dtype"]).tolist()


def places_of(chart: dict[str, Any]) -> list[tuple[float, float]]:
    """Where the points of a chart lie, as the browser gets it."""

    def numbers(sent: Any) -> list[float]:
        return np.frombuffer(base64.b64decode(sent["bdata"]), sent["dtype"]).round(4).tolist()

    return [pair for trace in chart["data"] for pair in zip(numbers(trace["x"]), numbers(trace["y"]), strict=True)]


def drawn(app: AppTest, view: int = 2) -> set[int]:
    return {row for trace in chart_data(app)[view]["data"] for row in rows_of(trace)}


def pick(monkeypatch: pytest.MonkeyPatch, ids: list[str]) -> None:
    monkeypatch.setattr(map_choices, "picked_points", lambda key: ids)


def test_without_a_run_the_map_is_the_teachers(home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    root = get_project(home, NAME).image_root
    bare = create_project(home, "bare", root, teacher="demo-teacher", student="demo-student")
    of = OfProject(bare.id)
    app = open_page("alignment", project=bare.id)
    assert "it needs no training" in all_text(app)
    do_jobs_here(monkeypatch)
    app = choose(app, "Method", "tsne")
    app = button(app, "Compute the map").click().run()
    (found,) = list_maps(home, of)
    assert (found.state, found.error) == ("finished", "")
    app = app.run()
    (chart,) = chart_data(app)
    assert [trace["name"] for trace in chart["data"]] == ["image", "prototype"]
    assert "The project has changed since" not in all_text(app)
    rename_class(home, bare.id, bare.classes[0].key, "another name")
    assert "The project has changed since" in all_text(open_page("alignment", project=bare.id))


def test_settings_are_chosen_first_and_a_process_computes_the_map(home: Home, open_page: Open) -> None:
    app = open_page("alignment")
    assert "No map yet" in all_text(app)
    assert {"Neighbours", "Minimum distance"} <= {slider.label for slider in app.slider}
    app = choose(app, "Method", "tsne")
    assert {slider.label: slider.value for slider in app.slider} == {"Perplexity": 30}
    app = button(app, "Compute the map").click().run()
    assert "the work goes on" in all_text(app)
    assert button(app, "Stop")
    deadline = time.monotonic() + 200
    while list_maps(home, "latest")[0].state == "running" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert list_maps(home, "latest")[0].error == ""
    app = app.run()
    assert not app.exception
    assert len(chart_data(app)) == 3
    other_tab = open_page("alignment")  # what was computed is there for everybody, without another button
    assert len(chart_data(other_tab)) == 3


def test_without_a_map_one_is_a_button_away(home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WORKER", SLEEPER)
    app = button(open_page("alignment"), "Use the default settings").click().run()
    (found,) = list_maps(home, "latest")
    assert found.settings == MapSettings()
    button(app, "Stop").click().run()


def test_a_trained_run_has_its_map_computed_by_one_button(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "WORKER", SLEEPER)
    app = button(open_page("runs"), "Compute its map").click().run()
    assert app.title[0].value == "Alignment"
    (found,) = list_maps(home, "latest")
    assert (found.settings, found.state) == (MapSettings(), "running")
    assert app.query_params["map"] == found.key
    assert button(open_page("runs"), "See its map")
    button(app, "Stop").click().run()


def test_a_map_can_be_stopped(home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WORKER", SLEEPER)
    app = button(open_page("alignment"), "Compute the map").click().run()
    assert list_maps(home, "latest")[0].state == "running"
    button(app, "Stop").click().run()
    assert list_maps(home, "latest") == []


def test_a_map_that_failed_says_why_and_can_be_forgotten(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"))

    def ended() -> None:
        for child in list(local._children.values()):
            child.wait(30)

    start_map(home, "latest", TSNE)
    ended()
    app = open_page("alignment")
    assert "Its process ended before the work could begin" in all_text(app)
    app = button(app, "Try again").click().run()
    ended()
    app = app.run()
    app = button(app, "Dismiss").click().run()
    assert "No map yet" in all_text(app)


def test_three_linked_views_with_figures_and_an_exact_statement(mapped: Home, open_page: Open) -> None:
    app = open_page("alignment")
    charts = chart_data(app)
    assert len(charts) == 3
    assert {trace["type"] for chart in charts for trace in chart["data"]} == {"scattergl"}
    assert [trace["name"] for trace in charts[0]["data"]] == ["image", "description", "prototype"]
    assert charts[1]["layout"]["xaxis"]["range"] == charts[2]["layout"]["xaxis"]["range"]
    assert [metric.label for metric in app.metric] == ["Alignment", "Uniformity", "Modality gap", "Trustworthiness"]
    splits = read_splits(mapped, get_project(mapped, NAME).id)
    shots = sum(map(len, splits.shots(1, 2).values()))
    assert f"On the map: all {shots} training shots, all " in all_text(app)
    assert f"{len(splits.test)} sealed test images." in all_text(app)


def test_one_view_moves_from_before_to_after_training(mapped: Home, open_page: Open) -> None:
    side_by_side = chart_data(open_page("alignment"))
    app = choose(open_page("alignment"), "Views", "moving")
    (chart,) = chart_data(app)
    assert {trace["type"] for trace in chart["data"]} == {"scatter"}  # shapes that glide
    assert places_of(chart) == places_of(side_by_side[1])
    slider = next(slider for slider in app.slider if slider.label.startswith("From before"))
    (chart,) = chart_data(slider.set_value(100).run())
    assert places_of(chart) == places_of(side_by_side[2]) != places_of(side_by_side[1])


def test_classes_are_named_on_the_map_and_density_is_drawn_when_asked_for(mapped: Home, open_page: Open) -> None:
    app = open_page("alignment")
    names = {entry.prompt_name for entry in get_project(mapped, NAME).classes}
    for chart in chart_data(app):
        assert {note["text"] for note in chart["layout"]["annotations"]} == names
        assert "contour" not in {trace["type"] for trace in chart["data"]}  # few points do not hide each other
    toggles = {toggle.label: toggle for toggle in app.toggle}
    app = toggles["Density"].set_value(True).run()
    app = next(toggle for toggle in app.toggle if toggle.label == "Class names on the map").set_value(False).run()
    for chart in chart_data(app):
        assert chart["data"][0]["type"] == "contour"
        assert not chart["layout"].get("annotations")


def test_the_card_under_the_pointer_has_the_picture_or_the_whole_text_and_the_rank(mapped: Home) -> None:
    project = get_project(mapped, NAME)
    result = read_map(mapped, "latest", list_maps(mapped, "latest")[0].key)
    points = result.points
    image = point_card(project, points[points["kind"] == "image"].iloc[0], "after")
    assert image["picture"].startswith("data:image/jpeg;base64,")
    text = points[points["kind"] == "description"].iloc[0].copy()
    told = point_card(project, text, "teacher")
    names = {entry.key: entry.prompt_name for entry in project.classes}
    assert (told["title"], told["text"]) == (f"{names[text['class_key']]} · description", text["text"])
    assert told["picture"] is None
    text["nearest_teacher"], text["rank_teacher"] = "SeaLake", 3
    assert point_card(project, text, "teacher")["lines"][0] == (
        "The teacher: nearest to sea or lake; its own class is at place 3 of 3."
    )
    older = text.drop("rank_teacher")  # a map of an earlier version
    assert point_card(project, older, "teacher")["lines"][0] == "The teacher: nearest to sea or lake."


def test_what_was_picked_becomes_counts_pictures_a_table_and_files(
    mapped: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = get_project(mapped, NAME)
    texts = current_descriptions(mapped, project.id)["description_id"].tolist()
    shots = read_splits(mapped, project.id).shots(1, 2)["Forest"]
    pick(monkeypatch, [*shots, *texts[:3]])
    app = open_page("alignment")
    of = len(drawn(app))
    assert f"**5 / {of}** visible points picked" in all_text(app)
    assert f"descriptions **3 / {len(texts)}**" in all_text(app)
    table: pd.DataFrame = next(frame.value for frame in app.dataframe if "id" in frame.value.columns)
    assert set(table["id"]) == {*shots, *texts[:3]}
    names = {Path(path).name for path in table["path"] if path}
    assert len(names) == 2
    assert set(table.loc[table["kind"] == "image", "Student after training says"]) <= {
        "forest",
        "residential",
        "sea lake",
    }
    for chart in chart_data(app):
        chosen = [rows_of(trace)[place] for trace in chart["data"] for place in trace["selectedpoints"]]
        assert len(chosen) == 5
    assert {found.proto.label for found in app.get("download_button")} == {"CSV", "JSON"}


def test_what_is_filtered_out_is_neither_drawn_nor_counted_nor_picked(
    mapped: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = current_descriptions(mapped, get_project(mapped, NAME).id)
    pick(monkeypatch, texts["description_id"].tolist())
    app = open_page("alignment")
    everything = drawn(app)
    app = app.multiselect[0].set_value(["forest"]).run()
    forest = int((texts["class_key"] == "Forest").sum())
    assert len(drawn(app)) < len(everything)
    assert f"**{forest} / {len(drawn(app))}** visible points picked" in all_text(app)
    assert f"{len(texts) - forest} more picked points are hidden by the filters." in all_text(app)
    app = choose(app, "Show", ["image"])
    assert "visible points picked" not in all_text(app)
    assert button(app, "Pick all").label == f"Pick all {len(drawn(app)):,} visible"


@pytest.mark.parametrize("colour", ["part", "correct", "kept", "verdict", "writer", "kind"])
def test_ways_of_colouring(colour: str, mapped: Home, open_page: Open) -> None:
    texts = current_descriptions(mapped, get_project(mapped, NAME).id)["description_id"].tolist()
    record_verdict(mapped, NAME, texts[0], "accept")
    app = open_page("alignment")
    app = colour_by(app, colour)
    expected = {
        "part": {"training shot", "validation"},
        "correct": {"right", "wrong"},
        "kept": {"kept", "cut"},
        "verdict": {"accepted", "undecided"},
        "writer": {"tests"},
        "kind": {"image", "description", "prototype"},
    }
    shown = set(app.multiselect[0].options)
    assert shown <= expected[colour]
    assert shown >= expected[colour] - {"wrong", "right", "cut"}
    assert len(chart_data(app)) == 3


def test_a_map_of_a_blind_review_tells_no_kept_or_cut_that_others_decided(
    mapped: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = current_descriptions(mapped, get_project(mapped, NAME).id)["description_id"].tolist()
    record_verdict(mapped, NAME, texts[0], "accept")
    record_verdict(by("ana", mapped), NAME, texts[1], "reject")
    set_blind(mapped, NAME, True)
    pick(monkeypatch, texts)
    app = open_page("alignment")
    (table,) = [frame.value for frame in app.dataframe if "kept or cut" in frame.value]
    assert dict(zip(table["id"], table["kept or cut"] != "", strict=True)) == {item: item == texts[0] for item in texts}
    assert set(table["verdict"]) == {"accepted", "undecided"}
    app = colour_by(app, "kept")
    assert "not judged by the run, or hidden" in app.multiselect[0].options


def test_descriptions_go_to_the_review_and_images_to_the_labels(
    mapped: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = get_project(mapped, NAME)
    texts = current_descriptions(mapped, project.id)["description_id"].tolist()[:3]
    shots = read_splits(mapped, project.id).shots(1, 2)["Forest"]
    pick(monkeypatch, [*shots, *texts])
    app = button(open_page("alignment"), "Review 3 descriptions").click().run()
    assert app.title[0].value == "Review"
    assert sorted(app.session_state["_sent_lists"]["review_card", project.id][1]) == sorted(texts)
    app = button(open_page("alignment"), "Relabel 2 images").click().run()
    assert sorted(app.session_state["_sent_lists"]["label_grid", project.id][1]) == sorted(shots)


def test_the_sealed_test_set_is_behind_a_gate_and_every_look_is_counted(mapped: Home, open_page: Open) -> None:
    key = compute(mapped, map_settings(method="tsne", parts=("train", "test")))  # a colleague's look
    assert get_run(mapped, "latest").looks == 1
    app = open_page("alignment")
    assert len(chart_data(app)) == 3  # the newest map is not the one that is shown by itself
    app = open_page("alignment", map=key)
    assert "This map shows the sealed test set" in all_text(app)
    assert not chart_data(app)
    app = button(app, "Open it").click().run()
    assert len(chart_data(app)) == 3
    assert get_run(mapped, "latest").looks == 2
    app.run()
    assert get_run(mapped, "latest").looks == 2  # drawing the page again is no new look
    assert len(drawn(app)) == 2 * len(CLASSES) + len(read_splits(mapped, get_project(mapped, NAME).id).test) + len(
        current_descriptions(mapped, get_project(mapped, NAME).id)
    ) + len(CLASSES)
