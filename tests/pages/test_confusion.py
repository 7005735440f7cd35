"""Confusion to text over a really trained student: cell, pictures, texts, a contrast tried and added."""

from __future__ import annotations

import time

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.descriptions.schema import description_id
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.insight.confusion import confusions, contrasts, pulling_texts
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.labels import give_labels
from avion_core.usecases.projects.selections import read_selection
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from avion_core.usecases.runs.views import list_runs
from avion_core.usecases.writing import generations
from tests.app.tiny_home import CLASSES, NAME
from tests.descriptions.writers.loopback import KEY, loopback
from tests.pages.conftest import Open, all_text, settle

TEXT = "Aerial view of dense dark canopy without any roof or street."


def look_at(app: AppTest, true: str, said: str) -> AppTest:
    """Choose a cell from the list; an empty one is picked as a click would."""
    box = next(box for box in app.selectbox if box.label == "Cell")
    app.session_state["_confusion_cell"] = (box.key.removeprefix("cell_"), (true, said))
    return settle(app.run())


@pytest.mark.parametrize("judge", ["student", "teacher"])
def test_a_cell_shows_its_pictures_and_the_texts_behind_it(judge: str, home: Home, open_page: Open) -> None:
    app = open_page("confusion")
    control = next(control for control in app.segmented_control if control.label == "Mistakes of")
    app = settle(control.set_value(judge).run())
    found = confusions(home, NAME, list_runs(home, NAME)[0].id)
    right = sum(row[place] for place, row in enumerate(found.matrix(judge)))
    whom = {"student": "This student", "teacher": "Teacher's text prototypes"}[judge]
    assert any(caption.value.startswith(f"{whom}: {right} of {len(found.images)} right (") for caption in app.caption)
    for true, said in (("Forest", "SeaLake"), ("Residential", "Forest")):
        app = look_at(app, true, said)
        names = {path.name for path in found.pictures(judge, true, said)}
        assert names == {caption.value for caption in app.caption if caption.value.endswith((".jpg", ".png"))}
        table = next(frame.value for frame in app.dataframe if "to the other" in str(frame.proto))
        assert set(table["class"]) <= {name_of(home, true), name_of(home, said)}
        assert table["margin"].is_monotonic_increasing
    app = look_at(app, "Forest", "Forest")
    assert not app.text_area  # a right answer pulls nothing together


def test_a_class_without_validation_images_has_no_figure() -> None:
    def page() -> None:
        import math

        import pandas as pd

        from app.components.writing import contrast
        from avion_core.usecases.insight.confusion import Rescore

        none = {"images": 0, "before": math.nan, "after": math.nan, "low": math.nan, "high": math.nan}
        some = {"images": 4, "before": 50.0, "after": 75.0, "low": -10.0, "high": 60.0}
        rows = [{"judge": "teacher", "part": "Forest", **none}, {"judge": "teacher", "part": "SeaLake", **some}]
        contrast._figures(Rescore(pd.DataFrame(rows), pd.DataFrame()), {"Forest": "forest", "SeaLake": "sea"})

    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception, app.exception[0].value
    assert {metric.label: metric.value for metric in app.metric} == {
        "Teacher, forest": "no images", "Teacher, sea": "75.0 %",
    }  # fmt: skip


def name_of(home: Home, key: str) -> str:
    return next(entry.prompt_name for entry in get_project(home, NAME).classes if entry.key == key)


def test_a_contrast_is_tried_then_added_and_goes_to_the_review(home: Home, open_page: Open) -> None:
    app = look_at(open_page("confusion"), "Forest", "SeaLake")
    before = get_project(home, NAME).descriptions
    app.text_area[0].set_value(TEXT)
    app = settle(next(button for button in app.button if button.label == "Test them").click().run())
    metrics = {metric.label: metric for metric in app.metric}
    assert {"Teacher, all classes", f"Teacher, {name_of(home, 'Forest')}"} <= set(metrics)
    assert get_project(home, NAME).descriptions == before  # only tried
    assert "changes only when trained again" in all_text(app)

    app = next(button for button in app.button if button.label == "Add and review them").click().run()
    app = settle(app)
    assert get_project(home, NAME).descriptions == before + 1
    assert app.title[0].value == "Review"
    assert sent(home, app) == [description_id("Forest", TEXT)]


def test_a_language_model_is_asked_for_a_contrast_and_the_way_back(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    forest, sea = name_of(home, "Forest"), name_of(home, "SeaLake")
    app = click(look_at(open_page("confusion"), "Forest", "SeaLake"), "Ask for contrastive descriptions")
    assert app.title[0].value == "Generate"
    app = open_page("generate", writing_classes=[forest, sea], writing_apart=[forest, sea])  # what is in its address
    chosen = {box.label: box.value for box in app.multiselect}
    assert chosen == {"Classes": ["Forest", "SeaLake"], "Distinguished from": ["Forest", "SeaLake"]}
    assert any("EVERY description rests on something" in code.value for code in app.code)
    assert any(f'"distinguish_from": [\n  "{sea}"\n ]' in code.value for code in app.code)
    command = "--class Forest --class SeaLake --prompt contrast --distinguish-from Forest --distinguish-from SeaLake"
    assert any(command in code.value for code in app.code)

    with loopback() as server:
        app = settle(app.text_input(key="writing_address").set_value(server.address).run())
        click(app, "Generate descriptions")
        wait_for_the_writer(home)
    assert {(ask.name, *ask.data["distinguish_from"]) for ask in server.asks} == {(forest, sea), (sea, forest)}
    assert get_project(home, NAME).descriptions == 27 + 2 * 5

    app = click(open_page("generate"), "See what they change")
    assert app.title[0].value == "Confusion"
    app = open_page("confusion", cell=["Forest", "SeaLake"])  # what is in its address
    found = confusions(home, NAME, list_runs(home, NAME)[0].id)
    expected = contrasts(home, found, ("Forest", "SeaLake")).figures.query("judge == 'teacher'").set_index("part")
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Teacher, all classes"] == f"{expected.at['all', 'after']:.1f} %"
    assert metrics[f"Teacher, {forest}"] == f"{expected.at['Forest', 'after']:.1f} %"
    assert "**10** texts" in all_text(app)

    item = contrasts(home, found, ("Forest", "SeaLake")).texts["description_id"].iloc[0]
    app = click(app, "Review them")
    assert app.title[0].value == "Review"
    assert len(sent(home, app)) == 10
    record_verdict(home, NAME, item, "reject")
    app = open_page("confusion", cell=["Forest", "SeaLake"])
    assert "· 1 rejected" in all_text(app)


def wait_for_the_writer(home: Home) -> None:
    deadline = time.monotonic() + 240
    while generations.get_generation(home, NAME).state in ("queued", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def sent(home: Home, app: AppTest) -> list[str]:
    """The descriptions that the review's address names."""
    return read_selection(home, get_project(home, NAME).id, app.query_params["texts"])


def click(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def test_texts_are_sent_to_the_review(home: Home, open_page: Open) -> None:
    app = look_at(open_page("confusion"), "Forest", "SeaLake")
    app = settle(next(button for button in app.button if button.label == "Review the first 5").click().run())
    assert app.title[0].value == "Review"
    texts = pulling_texts(confusions(home, NAME, list_runs(home, NAME)[0].id), "Forest", "SeaLake", "student")
    assert sent(home, app) == texts["description_id"].head(5).tolist()


def test_other_labels_of_training_shots_are_looked_at_anew(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(
        "avion_core.usecases.insight.confusion.confusions",
        lambda *args, **kw: looks.append(args) or confusions(*args, **kw),
    )
    open_page("confusion")
    open_page("confusion")
    assert len(looks) == 1
    shots = read_splits(home, get_project(home, NAME).id).shots(1, 2)
    give_labels(home, NAME, {shots["Forest"][0]: "SeaLake", shots["SeaLake"][0]: "Forest"})
    open_page("confusion")
    assert len(looks) == 2


def test_nothing_written_is_a_sentence(home: Home, open_page: Open) -> None:
    app = look_at(open_page("confusion"), "Forest", "SeaLake")
    app = settle(next(button for button in app.button if button.label == "Test them").click().run())
    assert app.error[0].value == "Write at least one description."


def test_without_a_run_the_teacher_s_mistakes_are_there(home: Home, open_page: Open, monkeypatch) -> None:
    monkeypatch.setattr("avion_core.usecases.runs.views.list_runs", lambda *_: [])
    app = open_page("confusion")
    control = next(control for control in app.segmented_control if control.label == "Mistakes of")
    assert control.options == ["The teacher's text prototypes"]
    assert "validation images" in all_text(app)


def test_without_descriptions_the_import_is_one_button_away(home: Home, open_page: Open) -> None:
    bare = create_project(home, "bare", get_project(home, NAME).image_root, teacher="demo-teacher")
    app = open_page("confusion", project=bare.id)
    assert "No descriptions yet" in all_text(app)


def test_one_class_cannot_be_confused(home: Home, open_page: Open) -> None:
    one = create_project(home, "one", get_project(home, NAME).image_root / CLASSES[0], teacher="demo-teacher")
    app = open_page("confusion", project=one.id)
    assert "Labels are missing" in all_text(app)


def test_without_a_held_out_image_the_draw_is_one_button_away(home: Home, open_page: Open) -> None:
    root = get_project(home, NAME).image_root
    few = create_project(home, "few", root, class_folders=False, teacher="demo-teacher", student="demo-student")
    for name in CLASSES:
        add_class(home, few.id, name)
    manifest = read_manifest(home, few.id)
    folder = manifest["path"].str.split("/").str[0]
    labels = dict(zip(manifest["image_id"], folder, strict=True))
    one_each = manifest["image_id"].groupby(folder).first()
    give_labels(home, few.id, {image: labels[image] for image in one_each})
    app = open_page("confusion", project=few.id)
    assert "No validation image yet" in all_text(app)
    assert "Label and draw images" in {button.label for button in app.button}
