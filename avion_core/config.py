"""Every setting of a run: one frozen model per stage, and the presets.

Each field's description is the one-line help that the studio and the command line show. Defaults follow
the paper (AVION, arXiv 2603.12659) unless the description says otherwise.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avion_core import settings
from avion_core.errors import ConfigError

DEFAULT_TEMPLATE = "a satellite photo of {}."


class Stage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class DataConfig(Stage):
    shots: int = Field(default=16, ge=1, le=1024)
    """Labelled training images per class; the 1-shot set is inside the 2-shot set, and so on."""
    seed: int = Field(default=1, ge=1, le=1000)
    """Which of the frozen draws of training images to use (1, 2 and 3 are reported)."""


class DescriptionsConfig(Stage):
    rule_set: Literal["paper", "extended"] = "extended"
    """RS-Flag word lists: `paper` is the exact published list, `extended` knows inflections and the modality."""
    modality: Literal["optical", "sar", "multispectral"] = "optical"
    """What the sensor is; `extended` counts only words that fit it."""


class PrototypesConfig(Stage):
    source: Literal["descriptions", "template"] = "descriptions"
    """Text prototypes from the curated descriptions, or from the class-name template alone (an ablation)."""
    selective: bool = True
    """Cut outliers and weigh by similarity and flag; off gives every description the same weight (an ablation)."""
    z_mode: Literal["paper", "scaled", "low_side"] = "low_side"
    """Robust z-score: `paper` cuts both sides, `scaled` in sigmas of a normal, `low_side` only below the median."""
    zeta: float = Field(default=3.0, gt=0, le=100)
    """Texts whose robust z-score is above this are cut."""
    flag_mode: Literal["soft", "hard"] = "soft"
    """RS-Flag as a bonus in the weight (`soft`, paper) or as a filter (`hard`)."""
    beta: float = Field(default=10.0, ge=0, le=1000)
    """How strongly the weight follows the similarity to the visual prototype."""
    gamma: float = Field(default=2.0, ge=0, le=100)
    """Bonus of a flagged (or accepted) text in the weight."""
    template_fallback: bool = False
    """Let a class without any usable description fall back to the template, on purpose."""


class StudentConfig(Stage):
    visual_prompts: int = Field(default=8, ge=0, le=256)
    """Prompt tokens in every layer of the image encoder."""
    text_prompts: int = Field(default=4, ge=0, le=64)
    """Prompt tokens in every layer of the text encoder."""
    depth: Literal["deep", "shallow"] = "deep"
    """Prompts in every layer, or in the first layer alone (an ablation)."""
    init_std: float = Field(default=0.02, gt=0, le=1)
    """Standard deviation of the prompts at the start."""
    template: str = DEFAULT_TEMPLATE
    """The sentence around a class name, `{}` once; `bare` names are given as "{}"."""


class DistillationConfig(Stage):
    projection: Literal["procrustes", "linear", "gram", "none"] = "procrustes"
    """How the teacher meets the student's dimension: a closed-form map, a trained one, relations only, or none."""
    image_weight: float = Field(default=0.5, ge=0, le=100)
    """Weight of the visual alignment loss."""
    text_weight: float = Field(default=0.5, ge=0, le=100)
    """Weight of the textual alignment loss."""
    logit_weight: float = Field(default=1.0, ge=0, le=100)
    """Weight of the similarity (logit) alignment loss, once warmed up."""
    temperature: float = Field(default=2.0, gt=0, le=100)
    """Softening of both distributions in the similarity alignment."""
    warmup: float = Field(default=0.3, ge=0, le=1)
    """Share of the steps over which the similarity alignment rises from 0 to its weight."""
    epochs: int = Field(default=100, ge=1, le=10000)
    """Passes over the training images; the paper's are 100 in few-shot and 50 in base-to-novel."""
    batch_size: int = Field(default=4, ge=1, le=4096)
    """Images per step."""
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    """AdamW's rate."""
    schedule: Literal["constant", "cosine"] = "constant"
    """The rate over time."""
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    """AdamW's decay on prompts (none on the logit scale)."""
    augment: bool = False
    """Random flips and quarter turns of the student's view; the teacher's cached view stays as it is."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the towers; norms, softmaxes and losses are float32 always."""
    validate_every: int = Field(default=5, ge=1, le=10000)
    """Epochs between looks at the validation images."""
    checkpoint_seconds: float = Field(default=20.0, ge=0)
    """Save the training state at the first step after this many seconds (0: every step)."""


class ProtocolConfig(Stage):
    name: Literal["few-shot", "base-to-novel"] = "few-shot"
    """`few-shot`: all classes; `base-to-novel`: train on half of the classes, test on both halves."""
    novel_policy: Literal["first_half", "seeded_random"] = "first_half"
    """Which classes are base: the first half by name (the literature's habit), or a seeded draw."""


class RunConfig(Stage):
    """One run from images to report."""

    teacher: str = "georsclip-vit-h-14"
    """The frozen teacher: a name in the weight catalog."""
    student: str = "georsclip-vit-b-32"
    """The student's frozen backbone: a name in the weight catalog."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; `auto` takes a GPU where there is one."""
    data: DataConfig = DataConfig()
    descriptions: DescriptionsConfig = DescriptionsConfig()
    prototypes: PrototypesConfig = PrototypesConfig()
    model: StudentConfig = StudentConfig()
    distillation: DistillationConfig = DistillationConfig()
    protocol: ProtocolConfig = ProtocolConfig()


_PAPER_PASSES = {"few-shot": 100, "base-to-novel": 50}
"""Passes over the training images, by protocol."""

# The paper's settings one by one, so that they hold whatever a project's own defaults and rules say. The map, the
# template and how a run is kept are not the paper's to say; its passes follow from the protocol.
_PAPER: dict[str, Any] = {
    "descriptions": {"rule_set": "paper"},
    "prototypes": PrototypesConfig(z_mode="paper").model_dump(exclude={"template_fallback"}),
    "model": StudentConfig().model_dump(exclude={"template"}),
    "distillation": DistillationConfig().model_dump(
        exclude={"projection", "precision", "validate_every", "checkpoint_seconds"}
    )
    | {"epochs": None},
}
_NO_ALIGNMENT = {"image_weight": 0.0, "text_weight": 0.0, "logit_weight": 0.0}

# Ablation rows are cumulative; B3, B4 and B6 are this project's reading (docs/method.md section 7).
_ABLATIONS: dict[str, dict[str, Any]] = {
    "B0": {"model": {"visual_prompts": 0, "depth": "shallow"}, "distillation": _NO_ALIGNMENT},
    "B1": {"distillation": _NO_ALIGNMENT},
    "B2": {"distillation": _NO_ALIGNMENT | {"image_weight": 0.5}},
    "B3": {"prototypes": {"source": "template"}, "distillation": {"logit_weight": 0.0}},
    "B4": {"prototypes": {"selective": False}, "distillation": {"logit_weight": 0.0}},
    "B5": {"distillation": {"logit_weight": 0.0}},
    "B6": {"distillation": {"warmup": 0.0}},
    "B7": {},
}
PRESETS: dict[str, dict[str, Any]] = {
    "recommended": {},
    "paper": _PAPER,
    "demo": {
        "teacher": "demo-teacher",
        "student": "demo-student",
        "distillation": {"epochs": 20, "batch_size": 16, "learning_rate": 2e-3, "schedule": "cosine", "augment": True},
    },
} | {name: settings.nest(settings.flatten(_PAPER) | settings.flatten(row)) for name, row in _ABLATIONS.items()}


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
    flat = settings.flatten(base or {}) | settings.flatten(PRESETS[preset]) | chosen
    if strange := [key for key in flat if key not in settings.fields(RunConfig)]:
        raise settings.unknown(RunConfig, strange[0], flat[strange[0]])
    if flat.get("distillation.epochs") is None and "distillation.epochs" not in chosen:
        # A protocol that there is not is refused by its own name below.
        flat["distillation.epochs"] = _PAPER_PASSES.get(str(flat.get("protocol.name", "few-shot")), 1)
    return parse_config(settings.nest(flat))


def parse_config(nested: dict[str, Any]) -> RunConfig:
    """Check nested settings; the first problem is named with its key, its value and a hint."""
    try:
        config = RunConfig.model_validate(nested)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("extra_forbidden", "model_type"):
            raise settings.unknown(RunConfig, key, first["input"]) from None
        hint = f"{first['msg'].removesuffix('.')}."
        raise ConfigError(f"the setting {key} cannot be used", hint, value=first["input"]) from None
    around = config.model.template.replace("{}", "", 1)
    control = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in around)
    if around == config.model.template or {"{", "}"} & set(around) or control:
        raise ConfigError(
            "the setting model.template cannot be used",
            "Write {} once, where the class name goes, and no other curly brackets, on one line.",
            value=config.model.template,
        )
    return config
