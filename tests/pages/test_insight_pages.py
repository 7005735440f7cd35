"""Alignment over a really trained student."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from avion_core.studio.candidates import read_candidates
from avion_core.studio.home import Home
from avion_core.studio.projects import create_project, get_project, read_manifest, read_splits
from tests.app.tiny_home import CLASSES, NAME
from tests.pages.conftest import Open, all_text, settle


def test_without_a_student_the_launch_is_one_button_away(home: Home, open_page: Open) -> None:
    bare = create_project(home, "bare", get_project(home, NAME).image_root)
    app = open_page("alignment", project=bare.id)
    assert "No finished training yet" in all_text(app)
    app = next(button for button in app.button if button.label == "Train a student").click().run()
    assert app.title[0].value == "Launch"


def computed_map(open_page: Open, method: str) -> AppTest:
    app = open_page("alignment", map_method={"umap": "UMAP", "tsne": "t-SNE"}[method])
    assert "Settings first, then the map" in all_text(app)
    return settle(next(button for button in app.button if button.label == "Compute the map").click().run())


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_three_linked_views(method: str, home: Home, open_page: Open) -> None:
    app = computed_map(open_page, method)
    charts = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    assert len(charts) == 3
    assert {trace["type"] for chart in charts for trace in chart["data"]} == {"scattergl"}
    before, after = charts[1]["layout"], charts[2]["layout"]
    assert before["xaxis"]["range"] == after["xaxis"]["range"]
    figures = app.dataframe[0].value
    assert figures["view"].tolist() == ["Teacher", "Student before", "Student after"]


def test_what_a_lasso_picked_becomes_counts_pictures_and_a_table(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = computed_map(open_page, "umap")
    assert "Draw a lasso" in all_text(app)
    project = get_project(home, NAME)
    texts = read_candidates(home, project.id)["description_id"].tolist()
    manifest = read_manifest(home, project.id)
    splits = read_splits(home, project.id)
    shots, validation = splits.shots(1, 2), splits.validation_images(1, 2)
    picked = [*shots["Forest"], *texts[:3]]
    monkeypatch.setattr(session, "picked_points", lambda key: picked)
    app = settle(app.run())
    points = sum(map(len, [*shots.values(), *validation.values()])) + len(texts) + len(CLASSES)
    assert f"**5 / {points}** points picked" in all_text(app)
    table = next(frame.value for frame in app.dataframe if "id" in frame.value.columns)
    assert set(table["id"]) == set(picked)
    names = {Path(path).name for path in table["path"] if path}
    assert names == {Path(path).name for path in manifest.set_index("image_id").loc[shots["Forest"], "path"]}
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert sum(len(trace["selectedpoints"]) for trace in spec["data"]) == 5
