from __future__ import annotations

import pytest

from avion_core.config import PRESETS, make_config
from avion_core.errors import ConfigError

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
    assert make_config("B7", base=OTHERS) == make_config("paper")


@pytest.mark.parametrize("preset", ["paper", "recommended", "B5"])
def test_half_the_passes_in_base_to_novel(preset: str) -> None:
    novel = {"protocol.name": "base-to-novel"}
    assert make_config(preset).distillation.epochs == 100
    assert make_config(preset, novel).distillation.epochs == 50
    assert make_config(preset, novel | {"distillation.epochs": 3}).distillation.epochs == 3
    assert make_config("demo", novel).distillation.epochs == PRESETS["demo"]["distillation"]["epochs"]
    assert make_config("recommended", novel, base=PRESETS["demo"]).distillation.epochs == 20
    assert make_config("paper", novel, base=PRESETS["demo"]).distillation.epochs == 50
    with pytest.raises(ConfigError, match=r"protocol\.name cannot be used"):
        make_config(preset, {"protocol.name": "zero-shot"})


@pytest.mark.parametrize("template", ["", "a photo", "{} and {}", "a {} of {x}", "{} {0}", "{}}", "{} {", "{!r} {}"])
def test_a_template_that_cannot_be_filled_in_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.template cannot be used.*Write \{\} once"):
        make_config(overrides={"model.template": template})
