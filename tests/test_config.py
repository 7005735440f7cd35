from __future__ import annotations

import pytest

from avion_core.config import RunConfig
from avion_core.errors import ConfigError
from avion_core.presets import PRESETS, make_config, parse_config

OTHERS = {
    "prototypes": {"flag_mode": "hard", "zeta": 1.5, "beta": 3, "gamma": 0, "selective": False},
    "model": {"visual_prompts": 2},
    "distillation": {"epochs": 7, "batch_size": 16, "schedule": "cosine", "augment": True, "warmup": 0.9},
}


def test_the_paper_s_preset_is_the_paper_whatever_a_project_has() -> None:
    assert make_config("paper", base=OTHERS) == make_config("paper")
    paper = make_config("paper")
    figures = paper.distillation
    assert (figures.epochs, figures.batch_size, figures.learning_rate, figures.schedule) == (100, 4, 5e-4, "constant")
    assert (figures.image_weight, figures.text_weight, figures.logit_weight, figures.warmup) == (0.5, 0.5, 1.0, 0.3)
    rules = paper.prototypes
    assert (rules.z_mode, rules.zeta, rules.beta, rules.gamma, rules.flag_mode) == ("paper", 3.0, 10.0, 2.0, "soft")
    assert (paper.descriptions.rule_set, paper.model.visual_prompts, paper.model.text_prompts) == ("paper", 8, 4)


def test_the_ablations_differ_from_one_another_whatever_a_project_has() -> None:
    rows = [make_config(f"B{number}", base=OTHERS).model_dump_json() for number in range(8)]
    assert len(set(rows)) == 8
    assert make_config("B7", base=OTHERS) == make_config("paper", {"distillation.map_texts": "template"})


def test_the_ablations_share_one_map_and_those_without_texts_need_none() -> None:
    rows = {f"B{number}": make_config(f"B{number}", base=OTHERS) for number in range(8)}
    assert {config.distillation.map_texts for config in rows.values()} == {"template"}
    assert {config.distillation.projection for config in rows.values()} == {"procrustes"}
    sources = [config.prototypes.source for config in rows.values()]
    assert sources == ["template"] * 4 + ["descriptions"] * 4


def test_the_prototypes_ablations_differ_in_the_prototypes_alone() -> None:
    names = ("P0", "P-uniform", "P-flag-only", "P-z-only", "P-full")
    rows = [make_config(name, base=OTHERS) for name in names]
    assert len({config.prototypes.model_dump_json() for config in rows}) == 5
    assert all(config.model_copy(update={"prototypes": rows[0].prototypes}) == rows[0] for config in rows)
    assert rows[4] == make_config("B7")
    kinds = [(config.prototypes.source, config.prototypes.selective) for config in rows[:2]]
    assert kinds == [("template", True), ("descriptions", False)]
    assert [(r.prototypes.beta, r.prototypes.gamma, r.prototypes.zeta) for r in rows[2:4]] == [(0, 2, 100), (0, 0, 3)]


def test_the_paper_pins_what_it_leaves_open_and_the_authors_differ() -> None:
    theirs = {
        "model": {"template": "{}"},
        "distillation": {"weight_decay": 0.5, "projection": "gram", "map_texts": "template"},
        "protocol": {"novel_policy": "seeded_random"},
    }
    assert make_config("paper", base=theirs) == make_config("paper")
    paper, authors = make_config("paper"), make_config("authors", base=OTHERS)
    assert (paper.distillation.weight_decay, paper.protocol.novel_policy) == (0.01, "first_half")
    assert (authors.model.template, authors.distillation.weight_decay, authors.distillation.augment) == ("{}", 0, True)
    assert (authors.protocol.novel_policy, authors.descriptions.rule_set) == ("seeded_random", "paper")
    same = {"model.template", "distillation.weight_decay", "distillation.augment", "protocol.novel_policy"}
    assert authors == make_config("paper", {key: _value(authors, key) for key in same})


def _value(config: RunConfig, dotted: str) -> object:
    for name in dotted.split("."):
        config = getattr(config, name)
    return config


def test_a_method_and_its_own_settings() -> None:
    assert (make_config().method, make_config().options) == ("avion", {})
    config = make_config(overrides={"method": "linear_probe", "options.model": "teacher"})
    assert config.options == {"model": "teacher"}
    assert make_config(overrides={"method": "linear_probe", "options.model": "student"}).options == {}  # the default
    assert make_config(overrides={"method": "avion"}, base=config.model_dump()).options == {}  # another method's
    with pytest.raises(ConfigError, match=r"no such method: cop. Choose one of: avion, zero_shot, "):
        make_config(overrides={"method": "cop"})
    with pytest.raises(ConfigError, match=r"options\.model cannot be used: nobody"):
        make_config(overrides={"method": "class_mean", "options.model": "nobody"})
    with pytest.raises(ConfigError, match=r"options\.depth does not exist: 3. The settings are: options\.model\."):
        make_config(overrides={"method": "class_mean", "options.depth": 3})
    with pytest.raises(ConfigError, match=r"options\.model does not exist.*This method has no settings of its own"):
        make_config(overrides={"options.model": "teacher"})


def test_settings_of_earlier_versions_still_parse() -> None:
    old = RunConfig().model_dump(mode="json")
    for key in ("method", "options"):
        del old[key]
    del old["protocol"]["projects"], old["distillation"]["map_texts"]
    assert parse_config(old) == RunConfig()


@pytest.mark.parametrize("preset", ["paper", "recommended", "B5"])
def test_half_the_passes_in_base_to_novel(preset: str) -> None:
    novel = {"protocol.name": "base-to-novel"}
    assert make_config(preset).distillation.epochs == 100
    assert make_config(preset, novel).distillation.epochs == 50
    assert make_config(preset, novel | {"distillation.epochs": 3}).distillation.epochs == 3
    assert make_config("demo", novel).distillation.epochs == PRESETS["demo"]["distillation"]["epochs"]
    assert make_config("recommended", novel, base=PRESETS["demo"]).distillation.epochs == 20
    assert make_config("paper", novel, base=PRESETS["demo"]).distillation.epochs == 50
    with pytest.raises(ConfigError, match=r"no such protocol: zero-shot. Choose one of: few-shot, base-to-novel"):
        make_config(preset, {"protocol.name": "zero-shot"})


@pytest.mark.parametrize("template", ["", "a photo", "{} and {}", "a {} of {x}", "{} {0}", "{}}", "{} {", "{!r} {}"])
def test_a_template_that_cannot_be_filled_in_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.template cannot be used.*Write \{\} once"):
        make_config(overrides={"model.template": template})
