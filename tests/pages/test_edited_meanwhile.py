"""Two tabs on one form: the second is shown both texts and chooses; nothing typed is dropped, nothing said untruly."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app.kit.both_texts import OVERWRITE
from app.kit.guard import plain
from avion_core.data.recipe import RenderingRecipe
from avion_core.usecases.curation.rules import current_rules, save_rules
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import edit_card, rename_class
from avion_core.usecases.projects.images import set_recipe
from avion_core.usecases.projects.labels import give_labels, unlabelled
from avion_core.usecases.projects.summaries import get_project, read_manifest
from avion_core.usecases.runs.marking import rename_run
from avion_core.usecases.runs.views import get_run, list_runs
from avion_core.usecases.writing.prompts import keep_prompt, prompts
from tests.acting import by
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text, settle
from tests.pages.test_label import bare, named, press  # noqa: F401  (fixtures)


def field(app: AppTest, label: str):
    return next(box for box in [*app.text_input, *app.text_area] if box.label == label)


def click(app: AppTest, label: str) -> AppTest:
    return settle(next(button for button in app.button if button.label == label).click().run())


def both(app: AppTest, mine: str, theirs: str) -> bool:
    return mine in all_text(app) and theirs in all_text(app)


def said(app: AppTest) -> list[str]:
    return [toast.value for toast in app.toast]


def test_a_card_shows_both_texts_and_saves_mine_when_told(home: Home, open_page: Open) -> None:
    app = open_page("classes")
    edit_card(by("bob", home), NAME, "Forest", {"definition": "Bob's words.", "code": "3.1"})
    field(app, "Definition").set_value("My words.")
    field(app, "Local name").set_value("Wald")
    app = click(app, "Save the card")
    assert both(app, "My words.", "Bob's words.")
    assert not said(app)
    assert field(app, "Definition").value == "My words."
    assert get_project(home, NAME).classes[0].definition == "Bob's words."
    edit_card(by("bob", home), NAME, "Forest", {"definition": "Bob's second thoughts."})
    app = click(app, OVERWRITE)
    assert both(app, "My words.", "Bob's second thoughts.")  # what was not seen is not written over either
    app = click(app, OVERWRITE)
    card = get_project(home, NAME).classes[0]
    assert (card.definition, card.local_name, card.code, card.colour) == ("My words.", "Wald", "3.1", "")
    assert said(app) == ["The card of forest is saved"]
    assert field(app, "Code").value == "3.1"


def test_a_card_can_keep_what_is_there(home: Home, open_page: Open) -> None:
    app = open_page("classes")
    rename_class(by("bob", home), NAME, "Forest", "woods")
    field(app, "Name in prompts").set_value("trees")
    app = click(click(app, "Save the card"), "Discard mine")
    assert field(app, "Name in prompts").value == "woods"
    assert any(button.label == "Save the card" for button in app.button)
    assert get_project(home, NAME).classes[0].prompt_name == "woods"


def test_a_card_that_is_left_and_opened_again_shows_what_is_saved(home: Home, open_page: Open) -> None:
    app = open_page("classes")
    app.selectbox(key="class_card_selector").set_value("SeaLake").run()
    edit_card(home, NAME, "Forest", {"definition": "Bob's words."})
    app.selectbox(key="class_card_selector").set_value("Forest").run()
    assert field(app, "Definition").value == "Bob's words."


def test_rules_show_both_and_keep_the_sliders(home: Home, open_page: Open) -> None:
    app = open_page("decisions")
    prototypes, descriptions, _ = current_rules(home, NAME)
    key = f"rules_{get_project(home, NAME).id}@0_zeta"
    app = settle(app.slider(key=key).set_value(0.5).run())
    save_rules(by("bob", home), NAME, prototypes.model_copy(update={"zeta": 2.0}), descriptions)
    app = click(app, "Save as the project's rules")
    assert app.slider(key=key).value == 0.5
    assert both(app, "0.5", "2.0")
    assert "saved meanwhile" in all_text(app)
    assert current_rules(home, NAME)[2] == 1
    app = click(app, OVERWRITE)
    assert (current_rules(home, NAME)[0].zeta, current_rules(home, NAME)[2]) == (0.5, 2)
    save_rules(by("bob", home), NAME, prototypes, descriptions)
    assert settle(app.run()).slider(key=key.replace("@0", "@2")).value == prototypes.zeta  # nothing moved here: theirs


def test_a_recipe_shows_both(home: Home, open_page: Open) -> None:
    app = open_page("images")
    set_recipe(by("bob", home), NAME, RenderingRecipe(bands=(2, 1, 3)))
    app = settle(field(app, "Bands").set_value("3, 2, 1").run())
    app = click(app, "Use this recipe")
    assert both(app, "(3, 2, 1)", "(2, 1, 3)")
    assert get_project(home, NAME).recipe.bands == (2, 1, 3)
    click(app, OVERWRITE)
    assert get_project(home, NAME).recipe.bands == (3, 2, 1)


def test_a_runs_name_shows_both(home: Home, open_page: Open) -> None:
    run = list_runs(home, NAME)[0].id
    app = open_page("runs", run=run)
    rename_run(by("bob", home), run, "bobs best")
    app = settle(field(app, "Name").set_value("the first").run())
    app = click(app, "Save the name")
    assert both(app, "the first", "bobs best")
    click(app, OVERWRITE)
    assert get_run(home, run).name == "the first"


def test_a_prompt_shows_both(home: Home, open_page: Open) -> None:
    app = open_page("generate")
    app = settle(field(app, "Prompt").set_value("My prompt.").run())
    app = settle(field(app, "Save as").set_value("ours").run())
    keep_prompt(by("bob", home), "ours", "Bob's prompt.")
    app = click(app, "Save")
    assert both(app, "My prompt.", "Bob's prompt.")
    assert prompts(home)["ours"].text == "Bob's prompt."
    click(app, OVERWRITE)
    assert prompts(home)["ours"].text == "My prompt."


@pytest.mark.usefixtures("named")
def test_a_label_that_a_colleague_gave_meanwhile_is_kept_and_shown(home: Home, open_page: Open) -> None:
    app = open_page("label", project=get_project(home, "bare").id)
    first, second = app.session_state["_label_list"].order[:2]
    give_labels(by("bob", home), "bare", {first: "SeaLake"})
    entry = {"action": "label", "labels": {first: "Forest", second: "Forest"}, "shown": {first: None, second: None}}
    app = press(app, entry)
    labels = read_manifest(home, get_project(home, "bare").id).set_index("image_id")["label"]
    assert (labels[first], labels[second]) == ("SeaLake", "Forest")
    assert "1 image was labelled meanwhile" in said(app)[0]
    assert plain("sea or lake (you: forest)") in said(app)[0]
    assert app.session_state["_label_list"].cursor == first
    press(app, entry, {"action": "label", "labels": {first: "Forest"}, "shown": {first: "SeaLake"}})
    assert read_manifest(home, get_project(home, "bare").id).set_index("image_id").at[first, "label"] == "Forest"


@pytest.mark.usefixtures("named")
def test_guesses_confirmed_together_leave_a_colleagues_labels_alone(home: Home, open_page: Open) -> None:
    app = open_page("label", project=get_project(home, "bare").id)
    app.slider(key="label_sure").set_value(0.5).run()
    button = next(button for button in app.button if "the teacher's guess" in button.label)
    chosen = {image: row["guess"] for image, row in app.session_state["_label_list"].guesses.items()
              if row["probability"] >= 0.5}  # fmt: skip
    hers = next(iter(chosen))
    other = next(key for key in ("Forest", "SeaLake") if key != chosen[hers])
    give_labels(by("bob", home), "bare", {hers: other})
    app = settle(button.click().run())
    labels = read_manifest(home, get_project(home, "bare").id).set_index("image_id")["label"]
    assert labels[hers] == other
    assert sum(labels[image] == key for image, key in chosen.items()) == len(chosen) - 1
    assert hers not in unlabelled(home, "bare")
