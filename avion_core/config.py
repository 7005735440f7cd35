"""Every setting of a run: one frozen model per stage. Presets, and what is checked beyond a field, are in `presets`.

Each field's description is the one-line help that the studio and the command line show. Defaults follow
the paper (AVION, arXiv 2603.12659) unless the description says otherwise.
"""

from __future__ import annotations

import csv
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

DEFAULT_TEMPLATE = "a satellite photo of {}."


class Stage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class DataConfig(Stage):
    shots: int = Field(default=16, ge=1, le=1024)
    """Labelled training images per class; the 1-shot set is inside the 2-shot set, and so on."""
    seed: int = Field(default=1, ge=1, le=1000)
    """Seed of the frozen split to use (1, 2 and 3 are reported)."""
    label_budget: Literal["told", "kept"] = "told"
    """Texts and verdicts that have seen other labels than these shots: used and `told`, or left out (budget `kept`)."""


class DescriptionsConfig(Stage):
    rule_set: Literal["paper", "extended"] = "extended"
    """RS-Flag word lists: `paper` is the exact published list, `extended` knows inflections and the modality."""
    modality: Literal["optical", "sar", "multispectral"] = "optical"
    """The kind of sensor; `extended` counts only words that fit it."""


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
    """Use the template for a class without any usable description."""


class StudentConfig(Stage):
    visual_prompts: int = Field(default=8, ge=0, le=256)
    """Prompt tokens in every layer of the image encoder."""
    text_prompts: int = Field(default=4, ge=0, le=64)
    """Prompt tokens in every layer of the text encoder."""
    depth: Literal["deep", "shallow"] = "deep"
    """Prompts in every layer, or in the first layer alone (an ablation)."""
    init_std: float = Field(default=0.02, gt=0, le=1)
    """Standard deviation of the prompts at the start."""
    class_mean: Literal["none", "by_shots"] = "none"
    """Class vectors of the trained student: its texts alone (paper), or with the mean of each class's shots added."""
    template: str = DEFAULT_TEMPLATE
    """The sentence around a class name, `{}` once; `bare` names are given as "{}"."""


class DistillationConfig(Stage):
    projection: Literal["procrustes", "linear", "gram", "none"] = "procrustes"
    """How teacher embeddings get the student's dimension: a closed-form map, a trained one, similarities only, none."""
    map_texts: Literal["descriptions", "template"] = "descriptions"
    """Texts that the procrustes map is fitted on beside the images: the kept descriptions, or the template."""
    image_weight: float = Field(default=0.5, ge=0, le=100)
    """Weight of the visual alignment loss."""
    text_weight: float = Field(default=0.5, ge=0, le=100)
    """Weight of the textual alignment loss."""
    logit_weight: float = Field(default=1.0, ge=0, le=100)
    """Weight of the similarity (logit) alignment loss, once warmed up."""
    teacher_logits: Literal["texts", "texts_and_images"] = "texts"
    """Teacher logits from the text prototypes (paper), or from the sum of text and visual prototype of each class."""
    frozen_weight: float = Field(default=0.0, ge=0, le=100)
    """Weight of a loss that keeps the student's embeddings near those it had before training (0: none, paper)."""
    unlabelled_images: int = Field(default=0, ge=0, le=100_000)
    """Most images without a label that the visual and the similarity alignment learn from as well (0: none, paper)."""
    temperature: float = Field(default=2.0, gt=0, le=100)
    """Temperature that softens both distributions in the similarity alignment."""
    warmup: float = Field(default=0.3, ge=0, le=1)
    """Share of the steps over which the similarity alignment rises from 0 to its weight."""
    epochs: int = Field(default=100, ge=1, le=10000)
    """Passes over the training images; the paper uses 100 in few-shot and 50 in base-to-novel."""
    least_steps: int = Field(default=0, ge=0, le=1_000_000)
    """Steps that a training has at least, however few its images are (0: as many as its epochs make, paper)."""
    batch_size: int = Field(default=4, ge=1, le=4096)
    """Images per step."""
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    """AdamW's learning rate."""
    schedule: Literal["constant", "cosine"] = "constant"
    """How the learning rate changes over time."""
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    """AdamW's weight decay on prompts (none on the logit scale)."""
    augment: bool = False
    """Random flips and quarter turns of the student's view; the teacher's cached view stays as it is."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the two models; norms, softmaxes and losses are always float32."""
    validate_every: int = Field(default=5, ge=1, le=10000)
    """Epochs between measurements on the validation images."""
    checkpoint_seconds: float = Field(default=20.0, ge=0)
    """Save the training state at the first step after this many seconds (0: every step)."""


def _listed(value: object) -> object:
    """Several names may come as one text, with commas between them; one that holds a comma is in double quotes."""
    if not isinstance(value, str):
        return value
    try:
        rows = list(csv.reader([value], skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"these are no names with commas between them: {error}") from error
    return [name.strip() for row in rows for name in row if name.strip()]


class ProtocolConfig(Stage):
    name: str = "few-shot"
    """What is trained on and measured on; `few-shot`: all classes; `base-to-novel`: half of them, measured on both."""
    novel_policy: Literal["first_half", "seeded_random"] = "first_half"
    """Which classes are base: the first half by name (usual in the literature), or drawn with the seed."""
    projects: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Other projects whose images are measured on as well, for protocols that span projects."""
    aliases: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Class names of other projects that mean one of this project's, as `harbor=port`; usual ones are known."""


class RunConfig(Stage):
    """One run from images to report."""

    method: str = "avion"
    """What is trained: AVION, or one of the methods it is compared with."""
    options: dict[str, Any] = {}
    """The method's own settings, those that differ from its defaults; AVION's are the sections below."""
    teacher: str = "georsclip-vit-h-14"
    """The frozen teacher: a name in the weight catalog."""
    student: str = "georsclip-vit-b-32"
    """The student's frozen backbone: a name in the weight catalog."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; `auto` uses a GPU if there is one."""
    data: DataConfig = DataConfig()
    descriptions: DescriptionsConfig = DescriptionsConfig()
    prototypes: PrototypesConfig = PrototypesConfig()
    model: StudentConfig = StudentConfig()
    distillation: DistillationConfig = DistillationConfig()
    protocol: ProtocolConfig = ProtocolConfig()
