"""Images and classes: pictures of the sealed test set are shown on purpose only, and the journal keeps it."""

from __future__ import annotations

from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.summaries import get_project, read_splits
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text, settle

LOOKED = "Looked at images of the sealed test set"


def looks(home: Home) -> list[str]:
    project = get_project(home, NAME).id
    return [entry.sentence for entry in journal_entries(home, project) if entry.sentence.startswith(LOOKED)]


def test_sealed_pictures_in_the_gallery_are_a_look(home: Home, open_page: Open) -> None:
    app = open_page("images")
    app = settle(app.selectbox(key="image_part").set_value("test").run())
    assert "No picture of this class and part" in all_text(app)
    assert looks(home) == []
    shown = settle(next(one for one in app.button if one.label == "Clear the filters").click().run())
    assert "No picture of this class and part" not in all_text(shown)
    app = settle(shown.selectbox(key="image_part").set_value("test").run())
    (toggle,) = [one for one in app.toggle if "sealed test images too" in one.label]
    app = settle(toggle.set_value(True).run())
    assert "No picture of this class and part" not in all_text(app)
    settle(app.run())
    assert looks(home) == [f"{LOOKED} in the gallery."]


def test_a_divided_class_leaves_its_test_images_sealed_unless_asked(home: Home, open_page: Open) -> None:
    app = open_page("classes")
    project = get_project(home, NAME)
    (name,) = [one for one in app.text_input if (one.key or "").startswith("split_")]
    app = settle(name.set_value("young forest").run())
    assert not next(one for one in app.toggle if "sealed test images too" in one.label).value
    app = settle(next(one for one in app.button if one.label == "Split, then sort its images").click().run())
    _, sent = app.session_state["_sent_lists"]["label_grid", project.id]
    assert sent
    assert not set(sent) & set(read_splits(home, project.id).test)
    assert looks(home) == []


def test_test_images_sorted_anew_are_a_look(home: Home, open_page: Open) -> None:
    app = open_page("classes")
    entry = get_project(home, NAME).classes[0]
    (name,) = [one for one in app.text_input if (one.key or "").startswith("split_")]
    app = settle(name.set_value("young forest").run())
    next(one for one in app.toggle if "sealed test images too" in one.label).set_value(True)
    settle(next(one for one in app.button if one.label == "Split, then sort its images").click().run())
    assert looks(home) == [f"{LOOKED} to divide the class {entry.prompt_name}."]
