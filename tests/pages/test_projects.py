"""Projects: the first thing a newcomer sees, and what a project holds."""

from __future__ import annotations

from pathlib import Path

from avion_core.studio.home import Home
from avion_core.studio.projects import get_project, list_projects
from tests.app.tiny_home import CLASSES, IMAGES, NAME, TEXTS
from tests.pages.conftest import Open, all_text, settle


def test_a_newcomer_is_offered_the_demo(empty_home: Home, open_page: Open) -> None:
    app = open_page()
    assert "See the whole job in a few minutes" in all_text(app)
    assert [button.label for button in app.button][:2] == ["Open the demo", "EuroSAT demo"]
    assert not app.sidebar.selectbox


def test_the_demo_opens_with_one_button(empty_home: Home, open_page: Open) -> None:
    app = open_page()
    settle(app.button(key="open_demo_eurosat").click().run(timeout=120))
    (project,) = list_projects(empty_home)
    assert app.sidebar.selectbox[0].value == project.id
    assert app.query_params["project"] == project.id
    assert {metric.label: metric.value for metric in app.metric}["Classes"] == "10"


def test_counts_and_classes(home: Home, open_page: Open) -> None:
    app = open_page()
    counts = {metric.label: metric.value for metric in app.metric}
    assert counts["Images"] == str(len(CLASSES) * IMAGES)
    assert counts["Descriptions"] == str(len(CLASSES) * TEXTS)
    assert list(app.dataframe[0].value.index) == list(CLASSES)


def test_a_prompt_name_is_edited_in_the_table(home: Home, open_page: Open) -> None:
    app = open_page()
    project = get_project(home, NAME)
    app.session_state[f"classes_{project.id}"] = {
        "edited_rows": {0: {"prompt name": "evergreen forest"}},
        "added_rows": [],
        "deleted_rows": [],
    }
    settle(app.run())
    assert get_project(home, NAME).classes[0].prompt_name == "evergreen forest"


def test_a_taken_prompt_name_is_refused_in_a_sentence(home: Home, open_page: Open) -> None:
    app = open_page()
    project = get_project(home, NAME)
    taken = project.classes[1].prompt_name
    app.session_state[f"classes_{project.id}"] = {
        "edited_rows": {0: {"prompt name": taken}},
        "added_rows": [],
        "deleted_rows": [],
    }
    settle(app.run())
    assert "Choose words that no other class has" in app.error[0].value
    assert get_project(home, NAME).classes[0].prompt_name != taken


def test_a_project_is_created_from_a_folder(home: Home, open_page: Open) -> None:
    app = open_page()
    images = get_project(home, NAME).image_root
    app.text_input[1].set_value("again")
    app.text_input[2].set_value(str(images))
    settle(next(button for button in app.button if button.label == "Create the project").click().run())
    assert [project.name for project in list_projects(home)] == [NAME, "again"]
    assert app.sidebar.selectbox[0].value == get_project(home, "again").id


def test_a_folder_that_is_not_there(home: Home, open_page: Open, tmp_path: Path) -> None:
    app = open_page()
    app.text_input[1].set_value("lost")
    app.text_input[2].set_value(str(tmp_path / "nowhere"))
    settle(next(button for button in app.button if button.label == "Create the project").click().run())
    assert len(app.error) == 1
    assert "nowhere" in f"{app.error[0].value}{app.error[0].proto}"
    assert [project.name for project in list_projects(home)] == [NAME]


def test_descriptions_are_imported_from_a_file(home: Home, open_page: Open, tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("class,text\nForest,Overhead view of a dark forest with one narrow clearing.\n", encoding="utf-8")
    app = open_page()
    app.text_input[0].set_value(str(file))
    settle(next(button for button in app.button if button.label == "Import").click().run())
    assert get_project(home, NAME).descriptions == len(CLASSES) * TEXTS + 1


def test_the_next_step_follows_the_work(home: Home, open_page: Open) -> None:
    assert "A student is trained" in all_text(open_page())
