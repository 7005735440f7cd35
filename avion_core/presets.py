"""Presets, and settings made from them: defaults of a project, then a preset, then what a person changed.

What a field's own type cannot tell is checked here: that the method and the protocol exist, and the method's options.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from avion_core import settings
from avion_core.config import DistillationConfig, PrototypesConfig, RunConfig, StudentConfig
from avion_core.errors import ConfigError
from avion_core.methods import find_method
from avion_core.protocols import PROTOCOLS, find_protocol
from avion_core.reading import Subject, refuse_mark

_OPTIONS = "options."

# The paper's settings one by one, so that they hold whatever a project's own defaults and rules say. Where the paper is
# silent (weight decay, map, template, halves) it is this project's reading (docs/method.md sections 4 to 7). How a run
# is kept is not the paper's to say; its passes follow from the protocol.
_PAPER: dict[str, Any] = {
    "method": "avion",
    "descriptions": {"rule_set": "paper"},
    "prototypes": PrototypesConfig(z_mode="paper").model_dump(exclude={"template_fallback"}),
    "model": StudentConfig().model_dump(),
    "distillation": DistillationConfig().model_dump(exclude={"precision", "validate_every", "checkpoint_seconds"})
    | {"epochs": None},
    "protocol": {"novel_policy": "first_half"},
}
# Where the authors' public code differs from the paper's text (docs/method.md sections 2, 4 and 7).
_AUTHORS: dict[str, Any] = {
    "model": {"template": "{}"},
    "distillation": {"weight_decay": 0.0, "augment": True},
    "protocol": {"novel_policy": "seeded_random"},
}
# For one's own data (docs/method.md section 9): what was measured to pay, docs/results/options.md.
_OWN_DATA: dict[str, Any] = {
    "distillation": {"unlabelled_images": 2000, "least_steps": 200, "batch_size": 16, "schedule": "cosine"}
    | {"learning_rate": 2e-3, "augment": True, "epochs": 20},
}
_NO_ALIGNMENT = {"image_weight": 0.0, "text_weight": 0.0, "logit_weight": 0.0}
_NO_DESCRIPTIONS = {"source": "template"}
# All rows share one map, fitted on images and class templates, so that each step changes one thing.
_ONE_MAP = {"distillation": {"map_texts": "template"}}

# Ablation rows are cumulative; B3, B4 and B6 are this project's reading (docs/method.md section 7).
_ABLATIONS: dict[str, dict[str, Any]] = {
    "B0": {
        "model": {"visual_prompts": 0, "depth": "shallow"},
        "prototypes": _NO_DESCRIPTIONS,
        "distillation": _NO_ALIGNMENT,
    },
    "B1": {"prototypes": _NO_DESCRIPTIONS, "distillation": _NO_ALIGNMENT},
    "B2": {"prototypes": _NO_DESCRIPTIONS, "distillation": _NO_ALIGNMENT | {"image_weight": 0.5}},
    "B3": {"prototypes": _NO_DESCRIPTIONS, "distillation": {"logit_weight": 0.0}},
    "B4": {"prototypes": {"selective": False}, "distillation": {"logit_weight": 0.0}},
    "B5": {"distillation": {"logit_weight": 0.0}},
    "B6": {"distillation": {"warmup": 0.0}},
    "B7": {},
}
# What each part of the prototypes is worth, the rest as in B7 (docs/method.md section 7). A cut of 100 cuts nothing
# that is not a hundred deviations away.
_PROTOTYPES: dict[str, dict[str, Any]] = {
    "P0": {"prototypes": _NO_DESCRIPTIONS},
    "P-uniform": {"prototypes": {"selective": False}},
    "P-flag-only": {"prototypes": {"zeta": 100.0, "beta": 0.0}},
    "P-z-only": {"prototypes": {"beta": 0.0, "gamma": 0.0}},
    "P-full": {},
}


def _over(under: dict[str, Any], *overs: dict[str, Any]) -> dict[str, Any]:
    flat = settings.flatten(under)
    for over in overs:
        flat |= settings.flatten(over)
    return settings.nest(flat)


PRESETS: dict[str, dict[str, Any]] = {
    "recommended": {},
    "own-data": _OWN_DATA,
    "paper": _PAPER,
    "authors": _over(_PAPER, _AUTHORS),
    "demo": {
        "teacher": "demo-teacher",
        "student": "demo-student",
        "distillation": {"epochs": 20, "batch_size": 16, "learning_rate": 2e-3, "schedule": "cosine", "augment": True},
    },
} | {name: _over(_PAPER, _ONE_MAP, row) for name, row in (_ABLATIONS | _PROTOTYPES).items()}


def make_config(
    preset: str = "recommended", overrides: dict[str, Any] | None = None, base: dict[str, Any] | None = None
) -> RunConfig:
    """A run's settings: project defaults (`base`), then a preset, then overrides with dotted keys.

    Args:
        preset: a name in PRESETS.
        overrides: for example {"distillation.epochs": 5, "data.shots": 1}; a text is read by the field's own type.
        base: nested settings under the preset (a demo project names its own teacher, student and schedule here).

    Raises:
        ConfigError: unknown preset or key, a key given twice, or a value out of its range.
    """
    if preset not in PRESETS:
        raise ConfigError("there is no such preset", f"Choose one of: {', '.join(PRESETS)}.", value=preset)
    chosen = settings.flatten(overrides or {})
    flat = settings.flatten(base or {}) | settings.flatten(PRESETS[preset])
    if chosen.get("method", flat.get("method")) != flat.get("method", "avion"):
        flat = {key: value for key, value in flat.items() if not key.startswith(_OPTIONS)}  # another method's
    flat |= chosen
    known = settings.fields(RunConfig)
    if strange := [key for key in flat if key not in known and not key.startswith(_OPTIONS)]:
        raise settings.unknown(RunConfig, strange[0], flat[strange[0]])
    if flat.get("distillation.epochs") is None and "distillation.epochs" not in chosen:
        # A protocol that does not exist is refused by its own name below.
        protocol = PROTOCOLS.get(str(flat.get("protocol.name", "few-shot")))
        flat["distillation.epochs"] = protocol.paper_epochs if protocol else 1
    return parse_config(settings.nest(flat))


def parse_config(nested: dict[str, Any]) -> RunConfig:
    """Check nested settings; the first problem is named with its key, its value and a hint."""
    config = settings.validated(RunConfig, nested)
    around = config.model.template.replace("{}", "", 1)
    control = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in around)
    if around == config.model.template or {"{", "}"} & set(around) or control:
        raise ConfigError(
            "the setting model.template cannot be used",
            "Write {} once, where the class name goes, and no other curly brackets, on one line.",
            value=config.model.template,
        )
    refuse_mark(config.model.template, Subject("the setting model.template", ConfigError, "Leave it out."))
    find_protocol(config.protocol.name)
    method = find_method(config.method)
    options = settings.validated(method.Settings, config.options, _OPTIONS)
    config = config.model_copy(update={"options": options.model_dump(mode="json", exclude_defaults=True)})
    method.check(config)
    return config
