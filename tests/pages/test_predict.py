"""Predict over a really trained student: uploads, a folder, words, and the student as a file."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from app.kit.guard import plain
from app.state import door
from avion_core.actor import Actor
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
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
    control = next(control for control in app.segmented_control if control.label == "As seen by")
    assert "as the teacher sees them" in all_text(settle(control.set_value("teacher").run()))


def test_the_student_can_be_taken_along(home: Home, open_page: Open) -> None:
    app = task(open_page("predict"), "export")
    assert app.get("download_button")[0].proto.label.startswith("Download the student")
