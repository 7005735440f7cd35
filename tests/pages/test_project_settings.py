"""The project as a whole on the page Projects, and the buttons below errors about models."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.components.models import model_fixes
from avion_core.backbones.load import WeightStore
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.models import set_models
from avion_core.usecases.projects.summaries import get_project, list_projects
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text, settle

LARGE = ("georsclip-vit-h-14", "georsclip-vit-b-32")


def test_models_say_what_is_installed_how_large_and_under_which_licence(home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    app = open_page()
    teacher = app.selectbox(key=f"teacher_of_{project.id}_demo-teacher")
    assert "GeoRSCLIP ViT-H/14 · not installed · 3.9 GB" in teacher.options
    assert any("Demo teacher" in option and "comes with AVION" in option for option in teacher.options)
    assert "Teacher: licence" in all_text(app)
    app = settle(teacher.set_value("remoteclip-vit-b-32").run())
    assert "is not installed: what needs it waits" in all_text(app)
    assert "scores 27 descriptions again" in all_text(app)
    assert app.button(key="choice_get_remoteclip-vit-b-32").label == "Download (605 MB)"
    next(button for button in app.button if button.label == "Use these models").click().run()
    assert get_project(home, NAME).teacher == "remoteclip-vit-b-32"


def test_only_installed_pairs_are_preselected_and_others_offer_their_download(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page()
    pairs = app.selectbox(key="new_models")
    assert pairs.value == ("demo-teacher", "demo-student")
    assert any("not installed" in option and "GB" in option for option in pairs.options)
    app = settle(pairs.set_value(LARGE).run())
    assert app.button(key="new_get_georsclip-vit-h-14").label == "Download (3.9 GB)"


@pytest.mark.parametrize("page", ["review", "decisions", "sheet"])
def test_an_error_about_weights_has_the_buttons_that_fix_it(page: str, home: Home, open_page: Open) -> None:
    set_models(home, NAME, *LARGE)
    app = open_page(page)
    assert "are not installed" in all_text(app) or any("are not installed" in str(e.proto) for e in app.error)
    assert app.button(key="fix_get_georsclip-vit-h-14").label == "Download (3.9 GB)"
    app.button(key="fix_pair_georsclip-vit-h-14").click().run()
    settle(app)
    assert get_project(home, NAME).teacher == "demo-teacher"
    assert not app.error


def test_add_a_file_opens_the_form_of_that_model(home: Home, open_page: Open) -> None:
    set_models(home, NAME, *LARGE)
    app = open_page("review")
    app = settle(app.button(key="fix_add_georsclip-vit-h-14").click().run())
    assert app.title[0].value == "Models"
    assert app.session_state[model_fixes.WANTED] == "georsclip-vit-h-14"
    assert "takes up to 6 GB" in all_text(app)


def test_a_damaged_file_has_them_too(home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from avion_core.errors import WeightsBrokenError

    def broken(_: WeightStore, name: str) -> Path:
        raise WeightsBrokenError("the installed weights have 3 bytes", "Install them again.", model=name)

    set_models(home, NAME, *LARGE)
    monkeypatch.setattr(WeightStore, "need", broken)
    app = open_page("review")
    assert app.button(key="fix_pair_georsclip-vit-h-14")


def test_rename_copy_archive_and_delete(home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    app = open_page()
    app.text_input(key=f"name_{project.id}@0_name").set_value("harbours")
    next(button for button in app.button if button.label == "Rename").click().run()
    assert get_project(home, project.id).name == "harbours"
    app = open_page()
    app.text_input(key=f"copy_name_{project.id}").set_value("second")
    settle(next(button for button in app.button if button.label == "Duplicate").click().run())
    assert [one.name for one in list_projects(home)] == ["harbours", "second"]
    app = open_page("projects", project=project.id)
    app = settle(app.button(key="archive_project").click().run())
    assert app.sidebar.selectbox[0].options == ["second"]
    app = settle(app.button(key=f"unarchive_{project.id}").click().run())
    assert app.sidebar.selectbox[0].value == project.id
    assert app.button(key="delete_project").disabled
    app = app.text_input(key="delete_name").set_value("harbours").run()
    app = settle(app.button(key="delete_project").click().run())
    assert [one.name for one in list_projects(home)] == ["second"]
    assert app.sidebar.selectbox[0].options == ["second"]


def test_with_all_projects_archived_the_page_begins_as_for_a_newcomer(home: Home, open_page: Open) -> None:
    app = open_page()
    app = settle(app.button(key="archive_project").click().run())
    assert "Try the whole workflow in a few minutes" in all_text(app)
    assert not app.sidebar.selectbox
    assert app.button(key=f"unarchive_{get_project(home, NAME).id}")
