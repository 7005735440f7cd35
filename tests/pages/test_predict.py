"""Predict by a trained student and by the teacher: uploads, a folder, words, a picture; the student as a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.kit.guard import plain
from app.state import door
from avion_core.actor import Actor
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import CLASSES, NAME
from tests.georeferenced import tile
from tests.pages.conftest import Open, all_text, settle


def task(app: AppTest, name: str) -> AppTest:
    control = next(control for control in app.segmented_control if control.label == "Task")
    return settle(control.set_value(name).run())


def dropped(app: AppTest, home: Home) -> AppTest:
    folder = get_project(home, NAME).image_root
    for name in CLASSES:
        picture = sorted((folder / name).iterdir())[0]
        app.file_uploader[0].upload(f"../{picture.name}", picture.read_bytes())
    return settle(app.run())


def test_dropped_images_are_classified_with_evidence(home: Home, open_page: Open) -> None:
    app = dropped(open_page("predict"), home)
    table = app.dataframe[0].value
    assert len(table) == len(CLASSES)
    names = {entry.prompt_name for entry in get_project(home, NAME).classes}
    assert set(table["class"]) <= names
    assert table["probability"].between(0, 100).all()
    assert "Training images it looks like" in all_text(app)
    near = [caption.value for caption in app.caption if " · 0." in caption.value or " · 1.0" in caption.value]
    assert len(near) == 4
    assert any(
        caption.value.startswith(f"{plain(Path(table['file'][0]).name)} · ") for caption in app.caption
    )  # among all pictures
    # With the least probability at its highest nothing is said.
    app = settle(app.slider[0].set_value(100).run())
    assert set(app.dataframe[0].value["class"]) == {"not sure"}


def test_a_broken_upload_is_a_sentence(home: Home, open_page: Open) -> None:
    app = open_page("predict")
    app.file_uploader[0].upload("cut.png", b"\x89PNG\r\n\x1a\n")
    app = settle(app.run())
    assert len(app.error) == 1
    assert app.error[0].value.startswith("cut.png")


def test_a_broken_file_among_good_ones_does_not_stop_them(home: Home, open_page: Open) -> None:
    app = open_page("predict")
    app.file_uploader[0].upload("cut.png", b"\x89PNG\r\n\x1a\n")
    app = dropped(app, home)
    assert "cut.png" in app.warning[0].value
    assert len(app.dataframe[0].value) == len(CLASSES)


def test_a_whole_scene_gets_no_class_but_what_is_odd_about_it(home: Home, open_page: Open, tmp_path: Path) -> None:
    scene = tile(tmp_path / "scene.tif", 300, 3000)
    app = open_page("predict")
    app.file_uploader[0].upload(scene.name, scene.read_bytes())
    app = dropped(app, home)
    table = app.dataframe[0].value.set_index("file")
    assert table.at[scene.name, "class"] == "odd"
    assert table.loc[scene.name, ["probability", "margin"]].isna().all()
    assert "3.0 km x 3.0 km of ground" in table.at[scene.name, "what is odd"]
    assert set(table.drop(index=scene.name)["what is odd"]) == {""}
    text = all_text(app)
    assert f"**{len(CLASSES) + 1}** images · **0** not sure · **1** odd" in text
    assert "too large for one scene" in app.warning[0].value
    assert f"{plain(scene.name)} · odd" in text  # among all pictures, without a figure
    assert "takes 20 validation images" in text


def test_a_folder_is_classified(home: Home, open_page: Open, tmp_path: Path) -> None:
    folder = get_project(home, NAME).image_root / CLASSES[0]
    app = open_page("predict")
    app = settle(app.text_input[0].set_value(str(folder)).run())
    assert len(app.dataframe[0].value) == len(list(folder.iterdir()))
    app = settle(app.text_input[0].set_value(str(tmp_path / "nowhere")).run())
    assert app.error[0].value == "Check the path."


def test_a_reviewer_is_not_offered_the_server_s_folders(home: Home, open_page: Open, monkeypatch) -> None:
    monkeypatch.setattr(door, "actor", lambda: Actor("me", "reviewer"))
    assert not open_page("predict").text_input


def choose(app: AppTest, label: str, value: str) -> AppTest:
    return settle(next(box for box in app.selectbox if box.label == label).set_value(value).run())


def test_words_find_pictures_of_the_project_but_no_sealed_ones(home: Home, open_page: Open) -> None:
    app = task(open_page("predict"), "search")
    assert "Describe" in all_text(app)
    app = settle(app.text_input[0].set_value("dark closed canopy of trees").run())
    project = get_project(home, NAME)
    sealed = len(read_splits(home, project.id).test)
    open_images = len(read_manifest(home, project.id)) - sealed
    text = all_text(app)
    assert f"of {open_images} images" in text
    assert f"The {sealed} sealed test images are left out" in text
    scores = [float(caption.value.split(" · ")[0]) for caption in app.caption if " · " in caption.value]
    assert scores == sorted(scores, reverse=True)
    assert "as the teacher sees them" in text  # unless told otherwise
    app = choose(app, "Model", list_runs(home)[0].id)
    assert "as the student sees them" in all_text(app)


def test_a_picture_finds_what_looks_like_it(home: Home, open_page: Open) -> None:
    app = task(open_page("predict"), "search")
    by = next(control for control in app.segmented_control if control.label == "Search by")
    app = settle(by.set_value("a picture").run())
    manifest = read_manifest(home, get_project(home, NAME).id)
    shown = manifest[~manifest["image_id"].isin(read_splits(home, get_project(home, NAME).id).test)].iloc[0]
    app.file_uploader[0].upload("mine.jpg", (get_project(home, NAME).image_root / shown["path"]).read_bytes())
    app = settle(app.run())
    best = next(caption.value for caption in app.caption if " · " in caption.value)
    assert best.startswith("1.000 · ")


@pytest.fixture
def untrained(home: Home) -> str:
    """A second project of the same images that nothing was trained on."""
    root = get_project(home, NAME).image_root
    return create_project(home, "untrained", root, teacher="demo-teacher", student="demo-student").id


def test_without_a_run_the_teacher_classifies_and_searches(untrained: str, home: Home, open_page: Open) -> None:
    app = dropped(open_page("predict", project=untrained), home)
    assert [box.options for box in app.selectbox if box.label == "Model"] == [["Teacher, untrained"]]
    assert plain("By the teacher, untrained: the names of 3 classes") in all_text(app)
    names = {entry.prompt_name for entry in get_project(home, untrained).classes}
    assert set(app.dataframe[0].value["class"]) == names  # the demo teacher tells forest, houses and water apart
    app = task(app, "search")
    app = settle(app.text_input[0].set_value("dark closed canopy of trees").run())
    assert "The best " in all_text(app)


def test_with_a_run_the_teacher_can_be_asked_as_well(home: Home, open_page: Open) -> None:
    app = dropped(open_page("predict"), home)
    assert "By the student of a finished run." in all_text(app)
    assert plain("By the teacher, untrained:") in all_text(choose(app, "Model", "teacher"))


def test_with_one_class_the_way_to_a_second_is_shown(empty_home: Home, tmp_path: Path, open_page: Open) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "one.png")
    create_project(empty_home, "bare", tmp_path, class_folders=False)
    assert "Classes are missing" in all_text(open_page("predict"))


def test_the_student_can_be_taken_along_on_a_page_of_its_own(home: Home, open_page: Open) -> None:
    app = open_page("export")
    assert app.title[0].value == "Export student"
    assert app.get("download_button")[0].proto.label.startswith("Download the student")


def test_without_a_student_export_leads_to_the_launch(untrained: str, open_page: Open) -> None:
    app = open_page("export", project=untrained)
    assert "No finished training yet" in all_text(app)
    assert any(button.label == "Train a student" for button in app.button)
