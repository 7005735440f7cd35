"""The curation table: every description with the figures behind its fate, and what other rules would change."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from avion_core.config import DescriptionsConfig, PrototypesConfig, RunConfig
from avion_core.data.progress import Progress
from avion_core.descriptions.rs_flag import load_rule_set
from avion_core.errors import NotFoundError
from avion_core.features.store import image_features, text_features
from avion_core.prototypes.stakes import verdicts_that_matter
from avion_core.prototypes.text_prototypes import (
    TextPrototypes,
    leave_one_out_influence,
    prototype_accuracy,
    text_prototypes,
    visual_prototypes,
)
from avion_core.store.home import Home
from avion_core.studio.candidates import read_candidates
from avion_core.studio.models import open_towers
from avion_core.studio.projects import get_project, read_manifest, read_splits
from avion_core.studio.rules import run_config


@dataclass(frozen=True)
class Preview:
    """What rules decide.

    table: one row per description with every figure (see `TextPrototypes.table`).
    would_change: class, text, "now" and "then" in words, of each description whose fate differs from that under the
    rules in force.
    n_eff: class -> effective number of texts. blocked: classes left without a text.
    vectors: (C, D) text prototypes. teacher_accuracy: "train" and "validation" -> percent of these images whose nearest
    text prototype is their class's (NaN without images).
    """

    table: pd.DataFrame
    would_change: pd.DataFrame
    n_eff: dict[str, float]
    blocked: list[str]
    vectors: Tensor
    teacher_accuracy: dict[str, float]


@dataclass(frozen=True)
class Curation(Preview):
    """What the rules in force decide, with all that is needed to try other rules at once.

    table has besides: writer, model, original, edited, parent, reviewer, reason, conflict, and influence (degrees by
    which leaving the text out would turn its class's prototype). template_accuracy: as teacher_accuracy, for the
    class-name template alone. M descriptions, C classes, D dimensions of the teacher.
    """

    project_id: str
    config: RunConfig
    class_keys: tuple[str, ...]
    template_accuracy: dict[str, float]
    candidates: pd.DataFrame
    embeddings: Tensor
    """(M, D)"""
    visual: Tensor
    """(C, D)"""
    template: Tensor
    """(C, D)"""
    images: dict[str, tuple[Tensor, Tensor]]
    """"train" and "validation" -> features (N, D) and labels (N,)."""

    @property
    def zeta(self) -> float:
        """The robust z-score above which texts are cut."""
        return self.config.prototypes.zeta

    def place(self, description_id: str) -> int:
        """The row of a description.

        Raises:
            NotFoundError: there is none.
        """
        found = (self.table["description_id"] == description_id).to_numpy().nonzero()[0]
        if not len(found):
            raise NotFoundError("the project has no such description", "Reload the page.", value=description_id)
        return int(found[0])


def curation_table(
    home: Home, project: str, config: RunConfig | None = None, *, progress: Progress | None = None
) -> Curation:
    """Judge every description of a project by the teacher, the rules and people's verdicts.

    Embeddings that are not there yet are computed, which takes a while the first time.

    Args:
        config: shots, seed, teacher and rules to judge by; None takes those in force.

    Raises:
        NotFoundError: no such project, or the teacher's weights are not installed.
    """
    summary = get_project(home, project)
    config = config or run_config(home, summary.id)
    towers = open_towers(home, config.teacher)
    manifest, splits = read_manifest(home, summary.id), read_splits(home, summary.id)
    shots = splits.shots(config.data.seed, config.data.shots)
    class_keys = tuple(sorted(key for key, images in shots.items() if images))
    paths = dict(zip(manifest["image_id"], manifest["path"], strict=True))

    images: dict[str, tuple[Tensor, Tensor]] = {}
    for part, ids_by_class in (
        ("train", shots),
        ("validation", splits.validation_images(config.data.seed, config.data.shots)),
    ):
        labelled = [(image, place) for place, key in enumerate(class_keys) for image in ids_by_class.get(key, [])]
        features = image_features(
            towers,
            [(image, summary.image_root / paths[image]) for image, _ in labelled],
            home.features,
            recipe=summary.recipe,
            progress=progress,
        )
        images[part] = features.cpu(), torch.tensor([place for _, place in labelled], dtype=torch.long)

    candidates = read_candidates(home, summary.id).query("class_key in @class_keys").reset_index(drop=True)
    names = {entry.key: entry.prompt_name for entry in summary.classes}
    embeddings = text_features(towers, list(candidates["text"]), home.features, progress=progress).cpu()
    template_texts = [config.model.template.format(names[key]) for key in class_keys]
    template = text_features(towers, template_texts, home.features).cpu()
    visual = visual_prototypes(*images["train"], class_keys)

    decided = _decide(candidates, embeddings, visual, template, class_keys, config.prototypes, config.descriptions)
    table = decided.table.join(candidates.drop(columns=["description_id", "class_key", "text", "verdict"]))
    table["influence"] = leave_one_out_influence(decided, embeddings)
    table["matters"] = verdicts_that_matter(decided, embeddings, config.prototypes, images["validation"][0])
    return Curation(
        table=table,
        would_change=_would_change(table, table, names),
        n_eff=decided.n_eff,
        blocked=decided.blocked,
        vectors=decided.vectors,
        teacher_accuracy=_accuracy(decided.vectors, images),
        project_id=summary.id,
        config=config,
        class_keys=class_keys,
        template_accuracy=_accuracy(template, images),
        candidates=candidates.assign(class_name=[names[key] for key in candidates["class_key"]]),
        embeddings=embeddings,
        visual=visual,
        template=template,
        images=images,
    )


def decision_preview(curation: Curation, prototypes: PrototypesConfig, descriptions: DescriptionsConfig) -> Preview:
    """What other rules would decide, from what `curation_table` has computed: fast enough for a slider."""
    decided = _decide(
        curation.candidates,
        curation.embeddings,
        curation.visual,
        curation.template,
        curation.class_keys,
        prototypes,
        descriptions,
    )
    table = decided.table
    names = dict(zip(curation.candidates["class_key"], curation.candidates["class_name"], strict=True))
    return Preview(
        table=table,
        would_change=_would_change(curation.table, table, names),
        n_eff=decided.n_eff,
        blocked=decided.blocked,
        vectors=decided.vectors,
        teacher_accuracy=_accuracy(decided.vectors, curation.images),
    )


def refresh(home: Home, curation: Curation) -> Curation:
    """The curation with every verdict given since."""
    return curation_table(home, curation.project_id, curation.config)


def _decide(
    candidates: pd.DataFrame,
    embeddings: Tensor,
    visual: Tensor,
    template: Tensor,
    class_keys: tuple[str, ...],
    prototypes: PrototypesConfig,
    descriptions: DescriptionsConfig,
) -> TextPrototypes:
    rule_set = load_rule_set(descriptions.rule_set, descriptions.modality)
    return text_prototypes(
        candidates, embeddings, visual, class_keys, rule_set, prototypes, template, allow_blocked=True
    )


def _would_change(now: pd.DataFrame, then: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    changed = now["kept"] != then["kept"]
    return pd.DataFrame(
        {
            "class": then.loc[changed, "class_key"].map(names),
            "text": then.loc[changed, "text"],
            "now": now.loc[changed, "why"],
            "then": then.loc[changed, "why"],
        }
    )


def _accuracy(vectors: Tensor, images: dict[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
    return {
        part: prototype_accuracy(vectors, features, labels) if len(features) else float("nan")
        for part, (features, labels) in images.items()
    }
