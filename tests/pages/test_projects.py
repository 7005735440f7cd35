"""Projects: the first thing a newcomer sees, and what a project holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from avion_core.backbones.load import WeightStore
from avion_core.bundled import demo_folder
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.insight.evaluation import kept_report
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import SOUGHT, get_project, list_projects, read_manifest
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import CLASSES, IMAGES, NAME, TEXTS
from tests.pages.conftest import Open, all_text, settle
from tests.scenes import scene


def test_a_newcomer_is_offered_the_demo(empty_home: Home, open_page: Open) -> None:
    app = open_page()
    assert "Try the whole workflow in a few minutes" in all_text(app)
    assert [button.label for button in app.button][:2] == ["Open the demo", "EuroSAT demo"]
    assert not app.sidebar.selectbox
    assert app.expander[0].proto.expanded  # the form for their own images is open


def test_a_label_table_in_the_folder_is_found_and_the_folder_names_the_project(
    empty_home: Home, open_page: Open, tmp_path: Path
) -> None:
    folder = tmp_path / "my land"
    shutil.copytree(demo_folder() / "eurosat" / "images" / "Forest", folder / "wood")
    shutil.copytree(demo_folder() / "eurosat" / "images" / "SeaLake", folder / "new")
    listed = [f"wood/{path.name},{'AB'[place % 2]}" for place, path in enumerate(sorted((folder / "wood").iterdir()))]
    (folder / "labels.csv").write_text("\n".join(["path,label", *listed]), encoding="utf-8")
    app = open_page()
    app.text_input(key="new_folder").set_value(str(folder)).run()
    assert "120 pictures: 60 labelled, 60 unlabelled" in all_text(app)
    app.toggle(key="new_found_table").set_value(False).run()
    assert "120 pictures** in 2 folders (new, wood)" in all_text(app)
    app.toggle(key="new_found_table").set_value(True).run()
    settle(next(button for button in app.button if button.label == "Create the project").click().run())
    (project,) = list_projects(empty_home)
    assert (project.name, project.images, project.labelled) == ("my land", 120, 60)
    assert [entry.key for entry in project.classes] == ["A", "B"]


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
    app.session_state[f"classes_{project.id}@0"] = {
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
    app.session_state[f"classes_{project.id}@0"] = {
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
    app.text_input(key="new_name").set_value("again")
    app.text_input(key="new_folder").set_value(str(images)).run()
    settle(next(button for button in app.button if button.label == "Create the project").click().run())
    assert [project.name for project in list_projects(home)] == [NAME, "again"]
    assert app.sidebar.selectbox[0].value == get_project(home, "again").id


def test_a_folder_that_is_not_there(home: Home, open_page: Open, tmp_path: Path) -> None:
    app = open_page()
    app.text_input(key="new_name").set_value("lost")
    app.text_input(key="new_folder").set_value(str(tmp_path / "nowhere")).run()
    assert next(button for button in app.button if button.label == "Create the project").disabled
    assert len(app.error) == 1
    assert "nowhere" in f"{app.error[0].value}{app.error[0].proto}"
    assert [project.name for project in list_projects(home)] == [NAME]


def test_a_flat_folder_becomes_a_project_without_labels(home: Home, open_page: Open) -> None:
    app = open_page()
    app.text_input(key="new_name").set_value("bare")
    app.text_input(key="new_folder").set_value(str(get_project(home, NAME).image_root)).run()
    assert f"{len(CLASSES) * IMAGES} pictures" in all_text(app)
    app.toggle(key="new_class_folders").set_value(False).run()
    settle(next(button for button in app.button if button.label == "Create the project").click().run())
    project = get_project(home, "bare")
    assert (project.labelled, project.classes) == (0, [])
    assert "Name the classes" in all_text(app)


def test_rasters_get_a_recipe_that_is_seen_before_anything_is_created(empty_home: Home, open_page: Open) -> None:
    app = open_page()
    app.text_input(key="new_name").set_value("rasters")
    rasters = Path(__file__).parents[1] / "fixtures" / "geotiff"
    app.text_input(key="new_folder").set_value(str(rasters)).run()
    assert "One recipe renders them all" in all_text(app)
    low = next(box for box in app.text_input if box.label == "Stretch min")
    assert float(str(low.value).split(",")[0]) > 0  # suggested
    low.set_value("none").run()
    assert "Stretch min needs numbers separated by commas" in str(app.error[0].proto)
    assert list_projects(empty_home) == []


def test_a_data_set_that_is_another_one(home: Home, open_page: Open) -> None:
    app = open_page()
    app.segmented_control(key="new_source").set_value("Published data set").run()
    app.selectbox(key="new_data_set").set_value("aid").run()
    app.text_input(key="new_folder").set_value(str(get_project(home, NAME).image_root)).run()
    assert "do not match AID" in app.warning[0].value


def test_a_label_table_is_counted_before_a_project_is_made(home: Home, open_page: Open, tmp_path: Path) -> None:
    images = get_project(home, NAME).image_root
    forest, lake = (sorted((images / key).iterdir()) for key in ("Forest", "SeaLake"))
    rows = [f"Forest/{path.name},woods,train" for path in forest[:5]] + [f"SeaLake/{path.name},," for path in lake]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["path,label,split", *rows, "gone.png,woods,"]) + "\n", encoding="utf-8")
    app = open_page()
    app.segmented_control(key="new_source").set_value("Folder and label table").run()
    app.text_input(key="new_folder").set_value(str(images)).run()
    assert "36 pictures found. Now name the file above." in all_text(app)
    label_table = next(field for field in app.text_input if field.label == "Label table")
    label_table.set_value(str(table)).run()
    assert "36 pictures: 5 labelled, 31 unlabelled" in all_text(app)
    assert "given splits: 5 train" in all_text(app)
    tables = [frame.value.to_dict("list") for frame in app.dataframe]
    assert {"class": ["woods"], "labelled pictures": [5]} in tables
    assert any("gone.png" in one.get("file", ()) for one in tables)


def test_the_next_step_follows_the_work(home: Home, open_page: Open) -> None:
    app = open_page()
    assert "A student is trained" in all_text(app)
    assert app.button(key="go_predict_Classify new images").label == "Classify new images"
    app = settle(app.button(key="go_evaluation_See what it gained").click().run())
    assert app.title[0].value == "Evaluation"


def test_a_link_to_what_is_not_there_is_told_of(home: Home, open_page: Open) -> None:
    known = get_project(home, NAME).id
    app = open_page("projects", project="gone_project")
    assert [toast.value for toast in app.toast] == [
        "The project in the address was not found: gone\\_project. Another one is shown."
    ]
    assert app.query_params["project"] == known
    assert not open_page("projects", project=known).toast


def test_a_text_edited_and_accepted_is_judged_once(home: Home, open_page: Open) -> None:
    first = current_descriptions(home, get_project(home, NAME).id)["description_id"].iloc[0]
    record_verdict(home, NAME, first, "edit", text="A broad forest of pines, dark and closed.")
    record_verdict(home, NAME, first, "accept")
    counts = {metric.label: metric.value for metric in open_page().metric}
    assert counts["Judged by people"] == "1"


def test_what_is_installed_is_offered_and_what_is_better_is_said(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WeightStore, "path", lambda _, name: Path(name) if name.startswith("demo") else None)
    app = open_page()
    assert app.selectbox(key="new_models").value == ("demo-teacher", "demo-student")
    assert "Better, but not installed here: GeoRSCLIP ViT-H/14" in all_text(app)
    monkeypatch.setattr(WeightStore, "path", lambda _, name: Path(name))
    app = open_page()
    assert app.selectbox(key="new_models").value == ("georsclip-vit-h-14", "georsclip-vit-b-32")
    assert "Better, but not installed" not in all_text(app)


def test_file_series_stay_together_when_asked_for(home: Home, open_page: Open) -> None:
    app = open_page()
    images = get_project(home, NAME).image_root
    app.text_input(key="new_name").set_value("series")
    app.selectbox(key="new_together").set_value("series")
    app.text_input(key="new_folder").set_value(str(images)).run()
    settle(next(button for button in app.button if button.label == "Create the project").click().run())
    grouped = read_manifest(home, get_project(home, "series").id)
    assert grouped["group"].any()
    assert not read_manifest(home, get_project(home, NAME).id)["group"].any()
    assert get_project(home, "series").together == "series"
    assert "neighbours kept together: By file name" in all_text(app)


def test_blocks_of_ground_are_as_wide_as_asked_for(home: Home, open_page: Open, tmp_path: Path) -> None:
    images = get_project(home, NAME).image_root
    table = tmp_path / "places.csv"
    paths = sorted(path.relative_to(images) for path in images.rglob("*.*"))
    rows = [f"{path},{path.parent},{47 + place / 1000},8" for place, path in enumerate(paths)]
    table.write_text("\n".join(["path,label,lat,lon", *rows]))
    app = open_page()
    assert not [field for field in app.number_input if field.key == "new_block_km"]
    app.segmented_control(key="new_source").set_value("Folder and label table").run()
    app.text_input(key="new_name").set_value("blocks")
    app.selectbox(key="new_together").set_value("place").run()
    app.number_input(key="new_block_km").set_value(0.5)
    next(field for field in app.text_input if field.label == "Label table").set_value(str(table))
    app.text_input(key="new_folder").set_value(str(images)).run()
    settle(next(button for button in app.button if button.label == "Create the project").click().run())
    groups = read_manifest(home, get_project(home, "blocks").id)["group"]
    length_km = 0.11132 * (len(paths) - 1)
    assert length_km / 0.5 <= groups.nunique() <= length_km / 0.5 + 2  # by itself: 0.35 km, and three blocks more


def test_near_copies_of_an_older_project_are_looked_for_with_a_button(home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    (home.project_folder(project.id) / SOUGHT).unlink()
    app = open_page()
    assert "were not looked for yet" in all_text(app)
    settle(next(button for button in app.button if button.label == "Look for near-copies").click().run())
    assert get_project(home, NAME).near_copies_sought
    assert "were not looked for yet" not in all_text(app)


@pytest.mark.parametrize(
    "way", ["images/{split}/{key}", "{split}/images/{key}", "data/{key}/{split}", "{split}/{key}/images"]
)
@pytest.mark.parametrize("names", [("train", "test"), ("train", "holdout"), ("train", "eval")])
def test_given_splits_in_wrappers_are_asked_about(
    home: Home, open_page: Open, tmp_path: Path, way: str, names: tuple[str, str]
) -> None:
    for number, (key, split) in enumerate((key, split) for key in ("forest", "river", "lake") for split in names):
        folder = tmp_path / "set" / way.format(split=split, key=key)
        folder.mkdir(parents=True)
        scene(number, (24, 24)).save(folder / "1.png")
    app = open_page()
    app.text_input(key="new_folder").set_value(str(tmp_path / "set")).run()
    assert "6 pictures** in 3 folders (forest, lake, river)" in all_text(app)
    order = "class/split" if way.startswith("data") else "split/class"
    assert app.radio(key="new_order").options[0].startswith("Classes" if order == "class/split" else "Given splits")


def test_the_overview_shows_pictures_of_each_class_and_what_was_reached(home: Home, open_page: Open) -> None:
    app = open_page("projects")
    project = get_project(home, NAME)
    alts = [image.proto.imgs[0].alt for image in app.get("image")]
    assert [f"Images of {entry.prompt_name}" for entry in project.classes] == alts
    assert "What has been reached" in all_text(app)  # the run of this home was measured
    assert [metric.label for metric in app.metric][-4:-1] == [
        "Teacher, class names",
        "Teacher, your descriptions",
        "Student, untrained",
    ]
    (run,) = list_runs(home, NAME)
    found = kept_report(home, run.id, "validation")
    assert f"{len(found.said(found.parts[0].name))} validation images of {run.name}" in all_text(app)
    app = next(button for button in app.button if button.key == "see_ladder").click().run()
    assert app.title[0].value == "Evaluation"
