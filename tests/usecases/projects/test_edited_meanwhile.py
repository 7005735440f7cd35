"""Nobody writes over what somebody else has saved since a form was opened: both texts come back instead."""

from __future__ import annotations

import pytest

from avion_core.config import PrototypesConfig
from avion_core.data.recipe import RenderingRecipe
from avion_core.errors import EditedMeanwhileError
from avion_core.usecases.curation.rules import current_rules, save_rules
from avion_core.usecases.projects.classes import edit_card, rename_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.images import set_recipe
from avion_core.usecases.projects.labels import give_labels, undo_labels, unlabelled
from avion_core.usecases.projects.summaries import get_project, read_manifest
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.marking import rename_run
from avion_core.usecases.runs.views import get_run
from avion_core.usecases.writing.prompts import keep_prompt, prompts
from tests.acting import by

OPENED = {"definition": "", "code": "", "prompt_name": "beach"}


def card(home, project):
    return get_project(home, project.id).classes[0]


def test_a_field_of_a_card_is_not_written_over(home, project):
    edit_card(by("Ada", home), project.id, "beach", {**OPENED, "definition": "Sand."}, opened=OPENED)
    mine = {**OPENED, "definition": "Bare ground.", "code": "3.3", "prompt_name": "shore"}
    with pytest.raises(EditedMeanwhileError) as refused:
        edit_card(home, project.id, "beach", mine, opened=OPENED)
    assert (refused.value.yours, refused.value.now) == ({"definition": "Bare ground."}, {"definition": "Sand."})
    assert (card(home, project).definition, card(home, project).code) == ("Sand.", "")  # all of it or nothing
    assert card(home, project).prompt_name == "beach"
    edit_card(home, project.id, "beach", mine, opened={**OPENED, **refused.value.now})  # seen now
    now = card(home, project)
    assert (now.definition, now.code, now.prompt_name) == ("Bare ground.", "3.3", "shore")


def test_two_people_edit_two_fields_of_one_card(home, project):
    edit_card(by("Ada", home), project.id, "beach", {**OPENED, "definition": "Sand."}, opened=OPENED)
    edit_card(home, project.id, "beach", {**OPENED, "code": "3.3"}, opened=OPENED)
    assert (card(home, project).definition, card(home, project).code) == ("Sand.", "3.3")
    edit_card(home, project.id, "beach", {**OPENED, "definition": "Sand. "}, opened=OPENED)  # the same words
    edit_card(home, project.id, "beach", {"definition": "Dunes."})  # the command line edits what is there
    assert card(home, project).definition == "Dunes."


def test_a_name_is_not_written_over(home, described, tiny_towers):
    project = described
    rename_class(by("Ada", home), project.id, "beach", "shore", opened="beach")
    with pytest.raises(EditedMeanwhileError, match="edited meanwhile: shore"):
        rename_class(home, project.id, "beach", "strand", opened="beach")
    rename_class(home, project.id, "beach", "strand", opened="shore")
    run = create_run(home, project.id, name="first")
    rename_run(by("Ada", home), run, "hers", opened="first")
    with pytest.raises(EditedMeanwhileError) as refused:
        rename_run(home, run, "mine", opened="first")
    assert (refused.value.yours, refused.value.now) == ({"name": "mine"}, {"name": "hers"})
    assert get_run(home, run).name == "hers"


def test_rules_hold_together(home, project):
    prototypes, descriptions, version = current_rules(home, project.id)
    save_rules(by("Ada", home), project.id, prototypes.model_copy(update={"zeta": 2.5}), descriptions, opened=version)
    mine = PrototypesConfig(**{**prototypes.model_dump(), "beta": 20.0})
    with pytest.raises(EditedMeanwhileError, match="version 1 was saved meanwhile") as refused:
        save_rules(home, project.id, mine, descriptions, opened=version)
    assert refused.value.yours == {"zeta": "3.0", "beta": "20.0"}
    assert refused.value.now == {"zeta": "2.5", "beta": "10.0"}
    assert current_rules(home, project.id)[2] == 1
    assert save_rules(home, project.id, mine, descriptions, opened=1) == 2


def test_a_recipe_is_not_written_over(home, project):
    opened, hers, mine = RenderingRecipe(), RenderingRecipe(bands=(3, 2, 1)), RenderingRecipe(bands=(2, 1, 3))
    set_recipe(by("Ada", home), project.id, hers, opened=opened)
    with pytest.raises(EditedMeanwhileError) as refused:
        set_recipe(home, project.id, mine, opened=opened)
    assert (refused.value.yours, refused.value.now) == ({"bands": "(2, 1, 3)"}, {"bands": "(3, 2, 1)"})
    set_recipe(home, project.id, mine, opened=hers)
    assert get_project(home, project.id).recipe == mine


def test_a_prompt_of_ones_own_is_not_written_over(home):
    shipped = next(iter(prompts(home).values()))
    keep_prompt(home, "ours", "Ada's text", opened=shipped.text)
    with pytest.raises(EditedMeanwhileError) as refused:
        keep_prompt(home, "ours", "My text", opened=shipped.text)
    assert (refused.value.yours, refused.value.now) == ({"prompt": "My text"}, {"prompt": "Ada's text"})
    keep_prompt(home, "ours", "My text", opened="Ada's text")
    assert prompts(home)["ours"].text == "My text"


def test_a_label_that_was_not_seen_is_not_written_over(home, images):
    bare = create_project(home, "bare", images, class_folders=False)
    from avion_core.usecases.projects.classes import add_class

    for name in ("beach", "forest"):
        add_class(home, bare.id, name)
    first, second = unlabelled(home, bare.id)[:2]
    give_labels(by("Ada", home), bare.id, {first: "beach"}, shown={first: None})
    with pytest.raises(EditedMeanwhileError, match="1 image was labelled meanwhile") as refused:
        give_labels(home, bare.id, {first: "forest", second: "forest"}, shown={first: None, second: None})
    assert (refused.value.yours, refused.value.now) == ({first: "forest"}, {first: "beach"})
    labels = read_manifest(home, bare.id).set_index("image_id")["label"]
    assert (labels[first], labels[second]) == ("beach", "")
    give_labels(home, bare.id, {first: "beach"}, shown={first: None})  # they agree
    batch = give_labels(home, bare.id, {first: "forest"}, shown={first: "beach"}, batch="one")
    assert give_labels(home, bare.id, {first: "forest"}, shown={first: "beach"}, batch="one") == batch  # sent again
    give_labels(home, bare.id, {first: None}, shown={first: "forest"})
    undo_labels(home, bare.id)
    assert read_manifest(home, bare.id).set_index("image_id").at[first, "label"] == "forest"
