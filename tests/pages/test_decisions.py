"""Decisions: rules are tried before they hold, and hold once saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from avion_core.actor import Actor
from avion_core.config import DescriptionsConfig
from avion_core.errors import EditedMeanwhileError, NotFoundError
from avion_core.usecases.curation import curation_table, record_verdict
from avion_core.usecases.curation.agreement import set_blind
from avion_core.usecases.curation.rules import current_rules, restore_rules, save_rules
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import get_project
from tests.acting import by
from tests.app.tiny_home import CLASSES, NAME
from tests.pages.conftest import Open, all_text, settle


def metrics(app) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_the_rules_in_force_change_nothing(home: Home, open_page: Open) -> None:
    app = open_page("decisions")
    assert metrics(app)["Texts that would change"] == "0"
    assert "these are the current rules" in all_text(app)
    assert next(button for button in app.button if "Save" in button.label).disabled
    assert "%" in metrics(app)["Teacher on validation"]


def test_a_slider_shows_what_would_change_and_saves(home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    app = open_page("decisions")
    in_use = int(metrics(app)["Texts in use"])
    app = settle(app.slider(key=f"rules_{project.id}@0_zeta").set_value(0.5).run())
    changes = int(metrics(app)["Texts that would change"])
    assert changes > 0
    table = next(frame.value for frame in app.dataframe if "now" in frame.value.columns)
    assert len(table) == changes
    assert int(metrics(app)["Texts in use"]) == in_use - changes  # a tighter cut only takes away

    app = settle(next(button for button in app.button if "Save" in button.label).click().run())
    prototypes, _, version = current_rules(home, project.id)
    assert (prototypes.zeta, version) == (0.5, 1)
    assert metrics(app)["Texts that would change"] == "0"
    assert "Current rules: version 1" in all_text(app)


def test_rules_that_only_weigh_otherwise_say_so(home: Home, open_page: Open) -> None:
    app = open_page("decisions")
    app = settle(app.slider(key=f"rules_{get_project(home, NAME).id}@0_beta").set_value(50.0).run())
    assert metrics(app)["Texts that would change"] == "0"
    assert "No text moves between kept and cut; only weights change." in all_text(app)
    assert "these are the current rules" not in all_text(app)
    figures = next(frame.value for frame in app.dataframe if "n_eff then" in frame.value.columns)
    assert (figures["n_eff then"] < figures["n_eff now"]).all()  # a sharper softmax leans on fewer texts


def test_in_a_blind_review_others_verdicts_move_no_figure(home: Home, open_page: Open) -> None:
    before = metrics(open_page("decisions"))
    for item in curation_table(home, NAME).table["description_id"][:4]:
        record_verdict(by("ana", home), NAME, item, "reject")
    assert metrics(open_page("decisions"))["Texts in use"] != before["Texts in use"]
    set_blind(home, NAME, True)
    app = open_page("decisions")
    assert metrics(app) == before
    assert "This review is blind" in all_text(app)


def test_versions_of_the_rules_say_who_changed_what(home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    app = open_page("decisions")
    app = settle(app.slider(key=f"rules_{project.id}@0_beta").set_value(20.0).run())
    app = settle(next(button for button in app.button if "Save" in button.label).click().run())
    versions = next(frame.value for frame in app.dataframe if "what" in frame.value.columns)
    assert versions["number"].tolist() == [1, 0]
    assert "beta 10.0 → 20.0" in versions["what"].iloc[0]
    assert versions["who"].iloc[0] == "me"


def test_a_two_sided_z_is_said_to_cut_the_best_match(home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    app = open_page("decisions")
    assert "both ways" not in all_text(app)
    app.button_group(key=f"rules_{project.id}@0_z_mode").set_value("paper")
    app = settle(app.run())
    assert f"of {len(CLASSES)} classes" in all_text(app)


def test_rules_are_saved_by_those_who_may(home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.state.door.actor", lambda: Actor("me", "reviewer"))
    app = open_page("decisions")
    app = settle(app.slider(key=f"rules_{get_project(home, NAME).id}@0_zeta").set_value(0.5).run())
    assert next(button for button in app.button if "Save" in button.label).disabled


@pytest.mark.parametrize(("rule", "value"), [("z_mode", "paper"), ("flag_mode", "hard"), ("rule_set", "paper")])
def test_modes_recompute(rule: str, value: str, home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    app = open_page("decisions")
    app.button_group(key=f"rules_{project.id}@0_{rule}").set_value(value)
    app = settle(app.run())
    assert not next(button for button in app.button if "Save" in button.label).disabled


def test_hard_flags_that_empty_a_class_are_named(home: Home, open_page: Open) -> None:
    project = get_project(home, NAME)
    app = open_page("decisions")
    app.button_group(key=f"rules_{project.id}@0_flag_mode").set_value("hard")
    app.button_group(key=f"rules_{project.id}@0_rule_set").set_value("paper")
    app = settle(app.run())
    in_use = int(metrics(app)["Texts in use"])
    named = [warning for warning in app.warning if "Accept a text of each" in warning.value]
    kept = next(frame.value for frame in app.dataframe if "n_eff" in frame.value.columns)
    assert kept["in use"].sum() == in_use
    assert bool(named) == bool((kept["in use"] == 0).any())


def test_the_class_is_in_the_address(home: Home, open_page: Open) -> None:
    app = open_page("decisions", decision_class="sea or lake")
    assert app.selectbox(key="decision_class").value == "SeaLake"


def test_a_class_without_descriptions_has_the_way_to_some(home: Home, open_page: Open) -> None:
    key = add_class(home, NAME, "quay")
    app = open_page("decisions", decision_class=key)
    assert "This class has no descriptions." in all_text(app)
    app = next(button for button in app.button if button.label == "Ask a writer for some").click().run()
    assert app.title[0].value == "Generate"


def test_a_class_without_a_labelled_image_is_named_and_its_texts_are_not_judged(
    home: Home, open_page: Open, tmp_path: Path
) -> None:
    key = add_class(home, NAME, "quay")
    (tmp_path / "quay.csv").write_text(f"class,text\n{key},Aerial view of a quay.\n", encoding="utf-8")
    import_descriptions(home, NAME, tmp_path / "quay.csv")
    app = open_page("decisions", decision_class=key)
    assert "Left out until an image is labelled: quay." in all_text(app)
    assert "so its descriptions are not judged" in all_text(app)
    assert "This class has no descriptions." not in all_text(app)


def test_an_earlier_version_of_the_rules_is_put_back(home: Home, open_page: Open) -> None:
    begun = current_rules(home, NAME)[0]
    save_rules(home, NAME, begun.model_copy(update={"zeta": 2.0}), DescriptionsConfig())
    save_rules(home, NAME, begun.model_copy(update={"zeta": 1.0}), DescriptionsConfig())
    app = open_page("decisions")
    app.selectbox(key="rules_version").set_value(1).run()
    app = settle(app.button(key="restore_rules").click().run())
    rules, _, version = current_rules(home, NAME)
    assert (rules.zeta, version) == (2.0, 3)
    assert app.selectbox(key="rules_version").options == ["version 2", "version 1", "the defaults"]
    app.selectbox(key="rules_version").set_value(0).run()
    settle(app.button(key="restore_rules").click().run())
    assert current_rules(home, NAME)[0] == begun


def test_a_version_that_somebody_else_replaced_meanwhile_is_not_put_back_unseen(home: Home) -> None:
    begun = current_rules(home, NAME)[0]
    save_rules(home, NAME, begun.model_copy(update={"zeta": 2.0}), DescriptionsConfig())
    with pytest.raises(EditedMeanwhileError):
        restore_rules(home, NAME, 0, opened=0)
    with pytest.raises(NotFoundError, match="no such version"):
        restore_rules(home, NAME, 7)
