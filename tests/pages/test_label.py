"""Label, images and classes: what a person sees and does, from a project without labels on."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from app.components.labelling.label_grid import PRESSES
from avion_core.store.database import reading
from avion_core.store.tables import Label
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import add_class, class_changes
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.images import image_table
from avion_core.usecases.projects.labels import give_labels, unlabelled
from avion_core.usecases.projects.selections import keep_selection
from avion_core.usecases.projects.summaries import ProjectSummary, get_project, read_manifest, read_splits
from tests.app.tiny_home import CLASSES, DEFAULTS, IMAGES, NAME
from tests.pages.conftest import Open, all_text, settle


@pytest.fixture
def bare(home: Home) -> ProjectSummary:
    """The pictures of the tiny project, without labels and classes."""
    images = get_project(home, NAME).image_root
    return create_project(
        home, "bare", images, class_folders=False, teacher="demo-teacher", student="demo-student", defaults=DEFAULTS
    )


@pytest.fixture
def named(home: Home, bare: ProjectSummary) -> ProjectSummary:
    for name in CLASSES:
        add_class(home, bare.id, name)
    return get_project(home, bare.id)


def press(app: AppTest, *entries: dict[str, Any]) -> AppTest:
    """The browser's queue arrives."""
    sender = {"component": "label_grid", "reviewer": "me", "project": app.query_params["project"], "guesses": {}}
    queue = [{"seq": place, "token": f"t-{place}", **sender, **entry} for place, entry in enumerate(entries, start=1)]
    app.session_state["outbox"] = {"queue": queue}
    return settle(app.run())


def click(app: AppTest, label: str) -> AppTest:
    return settle(next(button for button in app.button if button.label == label).click().run())


def test_without_classes_the_label_page_leads_to_them(home: Home, bare: ProjectSummary, open_page: Open) -> None:
    app = open_page("label", project=bare.id)
    assert "No class yet" in all_text(app)
    assert any(button.label == "Add classes" for button in app.button)


def test_a_class_that_has_no_label_yet_is_named_where_its_texts_are_left_out(
    home: Home, named: ProjectSummary, open_page: Open
) -> None:
    texts = home.path / "texts.json"
    texts.write_text('{"Forest": ["Aerial view of a forest."], "SeaLake": ["Aerial view of water."]}')
    import_descriptions(home, named.id, texts)
    manifest = read_manifest(home, named.id)
    one_each = manifest.groupby(manifest["path"].str.split("/").str[0])["image_id"].first()
    give_labels(home, named.id, {one_each[name]: name for name in ("Forest", "SeaLake")})
    app = open_page("decisions", project=named.id)
    assert "Left out until an image is labelled: residential." in all_text(app)
    assert any(button.label == "Label images" for button in app.button)
    assert {metric.label: metric.value for metric in app.metric}["Teacher on validation"] == "no images"


@pytest.mark.parametrize("name", ["review", "decisions"])
def test_later_pages_say_what_lacks(home: Home, named: ProjectSummary, open_page: Open, name: str) -> None:
    texts = home.path / "texts.json"
    texts.write_text('{"Forest": ["Aerial view of a forest."], "SeaLake": ["Aerial view of water."]}')
    import_descriptions(home, named.id, texts)
    app = open_page(name, project=named.id)
    assert "Labels are missing" in all_text(app)
    assert any(button.label == "Label images" for button in app.button)


def test_labels_come_from_the_grid_once_and_can_be_undone(home: Home, named: ProjectSummary, open_page: Open) -> None:
    app = open_page("label", project=named.id)
    assert "by the class names alone" in all_text(app)
    work_list = app.session_state["_label_list"]
    first, second, third, fourth = work_list.order[:4]
    assert set(work_list.order) == set(unlabelled(home, named.id))
    entries = [
        {"action": "label", "labels": {first: "Forest"}},
        {"action": "go", "id": third},
        {"action": "label", "labels": {third: "SeaLake", fourth: "SeaLake"}},
    ]
    press(app, *entries)
    press(app, *entries)  # the browser sends its whole queue until it is acknowledged
    labels = read_manifest(home, named.id).set_index("image_id")["label"]
    assert [labels[image] for image in (first, second, third, fourth)] == ["Forest", "", "SeaLake", "SeaLake"]
    assert app.session_state["_label_list"].order == work_list.order  # labelling moves nothing
    assert app.session_state["_label_list"].cursor == work_list.order[4]
    press(app, *entries, {"action": "undo"})
    assert app.session_state["_label_list"].cursor == third
    assert sum(read_manifest(home, named.id)["label"] != "") == 1
    click(app, "Re-rank")
    assert set(app.session_state["_label_list"].order) == set(unlabelled(home, named.id))


def test_labels_of_another_list_are_written_and_the_place_stays(
    home: Home, named: ProjectSummary, open_page: Open
) -> None:
    app = open_page("label", project=named.id)
    work_list = app.session_state["_label_list"]
    gone = work_list.order[-1]
    work_list.order.remove(gone)
    del work_list.places[gone]  # as after a reload, when the list was laid out without it
    press(app, {"action": "label", "labels": {gone: "Forest"}, "guesses": {gone: "SeaLake"}})
    assert read_manifest(home, named.id).set_index("image_id").at[gone, "label"] == "Forest"
    assert app.session_state["_label_list"].cursor == work_list.order[0]
    with reading(home.engine) as session:
        assert session.scalars(select(Label.guess).where(Label.image_id == gone)).all() == ["SeaLake"]


def test_labels_are_written_on_whichever_page_opens(home: Home, named: ProjectSummary, open_page: Open) -> None:
    image, other = unlabelled(home, named.id)[:2]
    app = open_page("journal", project=named.id)
    press(app, {"action": "go", "id": other}, {"action": "label", "labels": {image: "Forest"}})
    assert image not in unlabelled(home, named.id)
    press(app, *[{"action": "go", "id": other}] * 2, {"action": "undo"})
    assert image in unlabelled(home, named.id)


def test_a_label_that_cannot_be_written_is_told_and_blocks_no_other(
    home: Home, named: ProjectSummary, open_page: Open
) -> None:
    app = open_page("label", project=named.id)
    first, second = app.session_state["_label_list"].order[:2]
    press(
        app,
        {"action": "label", "labels": {first: "merged away"}},
        {"action": "label", "labels": {second: "Forest"}},
    )
    (error,) = app.error
    assert "no such class" in f"{error.proto.title} {error.value}"
    labels = read_manifest(home, named.id).set_index("image_id")["label"]
    assert (labels[first], labels[second]) == ("", "Forest")


def test_sure_guesses_are_confirmed_with_their_number(home: Home, named: ProjectSummary, open_page: Open) -> None:
    app = open_page("label", project=named.id)
    app.slider(key="label_sure").set_value(0.5).run()
    (button,) = (button for button in app.button if button.label.startswith("Label "))
    count = int(button.label.split()[1])
    settle(button.click().run())
    assert get_project(home, named.id).labelled == count > 0
    press(app, {"action": "undo"})
    assert get_project(home, named.id).labelled == 0


def test_test_images_are_drawn_when_labels_suffice(home: Home, named: ProjectSummary, open_page: Open) -> None:
    app = open_page("label", project=named.id)
    assert "missing: forest, residential, sea or lake" in all_text(app)
    table = image_table(home, named.id)
    give_labels(home, named.id, dict(zip(table["image_id"], table["name"].str.split("/").str[0], strict=True)))
    app = open_page("images", project=named.id)
    click(app, "Draw and seal")
    project = get_project(home, named.id)
    assert project.drawn
    assert [entry.test for entry in project.classes] == [IMAGES // 2] * 3
    app = open_page("label", project=named.id)
    assert "Every image has a label" in all_text(app)


def test_what_another_page_sends_is_labelled_anew(home: Home, open_page: Open) -> None:
    app = open_page("images")
    project = get_project(home, NAME)
    assert {metric.label: metric.value for metric in app.metric}["Test (sealed)"] == str(len(CLASSES) * IMAGES // 2)
    app.selectbox(key="image_class").set_value("Forest").run()
    captions = [caption.value for caption in app.caption if caption.value.startswith("forest · ")]
    assert len(captions) == IMAGES // 2  # the sealed half is a count
    click(app, f"Relabel {IMAGES // 2} images")
    app.switch_page("../pages/label.py")
    settle(app.run())
    work_list = app.session_state["_label_list"]
    held = set(read_splits(home, project.id).validation[1]["Forest"])
    assert held <= set(work_list.order)
    press(app, {"action": "label", "labels": {work_list.order[0]: "SeaLake"}})
    assert "1 of 6" in all_text(app)
    assert read_manifest(home, project.id).set_index("image_id").at[work_list.order[0], "label"] == "SeaLake"
    click(app, "Back to the unlabelled images")
    assert "Every image has a label" in all_text(app)


def test_a_list_sent_in_one_project_is_none_of_another(home: Home, named: ProjectSummary, open_page: Open) -> None:
    first = get_project(home, NAME)
    shots = read_splits(home, first.id).shots(1, 2)["Forest"]
    app = open_page("label", project=first.id, images=keep_selection(home, first.id, shots))
    assert app.session_state["_label_list"].order == shots
    app = settle(app.selectbox(key="project_selector").select(named.id).run())
    assert set(app.session_state["_label_list"].order) == set(unlabelled(home, named.id))
    assert "images" not in app.query_params
    app = settle(app.selectbox(key="project_selector").select(first.id).run())
    assert app.session_state["_label_list"].order == shots


def test_a_list_of_images_that_is_gone_is_told_of(home: Home, named: ProjectSummary, open_page: Open) -> None:
    app = open_page("label", project=named.id, images="0123456789abcdef")
    assert "This list no longer exists" in all_text(app)
    click(app, "Show all")
    assert set(app.session_state["_label_list"].order) == set(unlabelled(home, named.id))


def test_the_sealed_pictures_are_shown_on_purpose(home: Home, open_page: Open) -> None:
    app = open_page("images")
    app.selectbox(key="image_part").set_value("test").run()
    assert "No picture of this class and part" in all_text(app)
    app.toggle[0].set_value(True).run()
    assert "residential · test" in all_text(app)


def test_another_recipe_is_seen_and_then_in_force(home: Home, open_page: Open) -> None:
    app = open_page("images")
    project = get_project(home, NAME)
    assert "This is the current recipe." in all_text(app)
    next(box for box in app.text_input if box.label == "Bands").set_value("3, 2, 1").run()
    click(app, "Use this recipe")
    changed = get_project(home, NAME)
    assert changed.recipe.bands == (3, 2, 1)
    assert changed.revision != project.revision
    next(box for box in app.text_input if box.label == "Bands").set_value("3, 2").run()
    assert "Name one band" in app.error[0].value


def test_a_card_is_edited(home: Home, open_page: Open) -> None:
    app = open_page("classes")
    fields = {box.label: box for box in [*app.text_input, *app.text_area]}
    fields["Name in prompts"].set_value("evergreen forest")
    fields["Code"].set_value("3.1.2")
    fields["Definition"].set_value("Closed canopy of needle-leaved trees.")
    click(app, "Save the card")
    card = get_project(home, NAME).classes[0]
    assert (card.prompt_name, card.code) == ("evergreen forest", "3.1.2")
    assert card.definition.startswith("Closed canopy")
    assert card.colour == ""  # nobody chose one
    assert "forest was renamed to evergreen forest." in all_text(app)
    click(app, "Undo")
    assert get_project(home, NAME).classes[0].prompt_name == "forest"


def test_classes_are_added_merged_and_divided(home: Home, open_page: Open) -> None:
    app = open_page("classes")
    next(box for box in app.text_input if box.label == "New class").set_value("solar farm")
    click(app, "Add the class")
    assert app.query_params["class_card"] == "solar farm"
    app.selectbox(key="class_card_selector").set_value("Forest").run()
    click(app, "Merge forest into residential")
    assert [entry.key for entry in get_project(home, NAME).classes] == ["Residential", "SeaLake", "solar farm"]
    app.text_input(key="split_Residential").set_value("dense forest").run()
    click(app, "Split, then sort its images")
    assert len(class_changes(home, NAME)) == 3
    parts = image_table(home, get_project(home, NAME).id).set_index("image_id")["part"]
    ((_, sent),) = app.session_state["_sent_lists"].values()
    assert len(sent) == IMAGES  # of the two classes merged, half are sealed and keep their label
    assert "test" not in set(parts[sent])


def test_every_key_has_one_meaning() -> None:
    assert len(set(PRESSES)) == len(PRESSES) == 32
    assert not set(PRESSES) & set("asuh")
