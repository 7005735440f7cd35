"""Where a run's settings come from: what followed the rules is recorded, and a name claims only what holds."""

from __future__ import annotations

import pytest

from avion_core.config import DescriptionsConfig, PrototypesConfig
from avion_core.presets import PRESETS
from avion_core.store.database import writing
from avion_core.store.runs import find_run
from avion_core.usecases.curation.rules import save_rules
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.planning import Origin, plan_run
from avion_core.usecases.runs.views import get_run

NEW_RULES = PrototypesConfig(z_mode="scaled", zeta=1.5, flag_mode="hard", beta=50.0, gamma=5.0)


@pytest.fixture
def run(home, described, tiny_towers):
    """Makes a run; returns its id."""
    return lambda preset="recommended", overrides=None, **more: create_run(
        home, described.id, preset, overrides, **more
    )


@pytest.fixture
def change_rules(home, described):
    return lambda: save_rules(home, described.id, NEW_RULES, DescriptionsConfig(rule_set="paper"))


def forget(home, run, origin=None):
    """As a version without the record wrote the row, or a pack with something else in its place."""
    with writing(home.engine) as session:
        find_run(session, run).origin = origin


@pytest.mark.parametrize("preset", ["paper", "authors", "B4", "P-z-only"])
def test_what_a_preset_fixes_follows_no_rules_though_the_values_are_equal(home, described, run, change_rules, preset):
    # z_mode aside, the paper's rules are the project's: equal values say nothing.
    save_rules(home, described.id, PrototypesConfig(z_mode="paper"), DescriptionsConfig(rule_set="paper"))
    first = run(preset)
    change_rules()
    plan = plan_run(home, described.id, based_on=first)
    assert plan.config == get_run(home, first).config
    assert plan.name == f"{preset}, 2-shot, seed 1"
    assert plan.origin.preset == preset


def test_what_followed_the_rules_follows_them_as_they_stand_now(home, described, run, change_rules):
    first = run(overrides={"prototypes.zeta": 3.0, "distillation.epochs": 9})  # 3.0 is what the rules say as well
    change_rules()
    plan = plan_run(home, described.id, based_on=first)
    assert plan.config.prototypes == NEW_RULES.model_copy(update={"zeta": 3.0})
    assert plan.config.descriptions.rule_set == "paper"
    assert plan.config.distillation.epochs == 9
    assert "prototypes.zeta" not in plan.origin.followed
    assert {"prototypes.beta", "descriptions.rule_set"} <= {*plan.origin.followed}


def test_a_choice_on_the_way_holds_from_then_on(home, described, run, change_rules):
    second = run(overrides={"prototypes.gamma": 2.0}, based_on=run())
    change_rules()
    plan = plan_run(home, described.id, based_on=run(based_on=second))
    assert (plan.config.prototypes.gamma, plan.config.prototypes.beta) == (2.0, 50.0)


def test_a_run_without_a_record_keeps_all_its_settings(home, described, run, change_rules):
    first = run("paper")
    for origin in (None, {"preset": 5}, {"followed": "all"}):
        forget(home, first, origin)
        change_rules()
        plan = plan_run(home, described.id, based_on=first)
        assert (plan.config, plan.origin) == (get_run(home, first).config, Origin(preset="paper"))
        assert get_run(home, first).origin is None
    forget(home, first, {"preset": "paper", "followed": ["prototypes.no_such", "distillation.epochs"]})
    assert plan_run(home, described.id, based_on=first).config == get_run(home, first).config


@pytest.mark.parametrize(
    ("preset", "overrides", "name"),
    [
        ("paper", {}, "paper"),
        ("paper", {"data.shots": 1, "device": "cpu", "distillation.validate_every": 1}, "paper"),
        ("paper", {"protocol.name": "base-to-novel"}, "paper"),  # with its own number of passes
        ("paper", {"distillation.epochs": 100}, "paper"),
        ("paper", {"distillation.epochs": 5}, "paper with changes"),
        ("paper", {"prototypes.beta": "50"}, "paper with changes"),
        ("paper", {"protocol.novel_policy": "seeded_random"}, "paper with changes"),
        ("authors", {"model.template": "a photo of {}."}, "authors with changes"),
        ("B6", {"distillation.warmup": 0.3}, "B6 with changes"),  # which is B7
        ("recommended", {"prototypes.zeta": 2.5}, "recommended with changes"),
        ("recommended", {"protocol.novel_policy": "seeded_random"}, "recommended"),
        ("paper", {"method": "linear_probe"}, "linear probe"),
        ("recommended", {"method": "zero_shot"}, "zero-shot"),
    ],
)  # fmt: skip
def test_a_name_claims_a_preset_only_where_it_holds(home, described, preset, overrides, name):
    found = plan_run(home, described.id, preset, overrides).name.split(",")[0]
    assert found.lower() == name.lower()


def test_a_name_claims_none_of_an_earlier_runs_name_either(home, described, run):
    first = run("paper", name="paper, the last one")
    assert plan_run(home, described.id, "recommended", {}, first).name == "paper, 2-shot, seed 1"
    changed = plan_run(home, described.id, "recommended", {"prototypes.beta": 50}, first)
    assert changed.name == "paper with changes, 2-shot, seed 1"
    unmarked = run("paper", {"prototypes.beta": 50}, name="paper, the last one")
    forget(home, unmarked)  # only its name speaks, and says too much
    assert plan_run(home, described.id, based_on=unmarked).name == "paper with changes, 2-shot, seed 1"
    own = run(name="seven passes", overrides={"distillation.epochs": 7})
    forget(home, own)
    assert plan_run(home, described.id, "recommended", {"distillation.epochs": 5}, own).name.startswith("own settings,")


def test_every_preset_can_be_claimed(home, described):
    assert all(plan_run(home, described.id, preset).name.startswith(f"{preset},") for preset in PRESETS)
