"""Curation: every description with the figures behind its fate, people's decisions, and what rules would change.

Only training shots and validation images are looked at here; the test set stays sealed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from avion_core.config import DescriptionsConfig, PrototypesConfig, RunConfig
from avion_core.data.progress import Progress
from avion_core.descriptions.rs_flag import load_rule_set
from avion_core.errors import NotFoundError
from avion_core.features.store import image_features, text_features
from avion_core.prototypes.text_prototypes import (
    TextPrototypes,
    leave_one_out_influence,
    prototype_accuracy,
    text_prototypes,
    visual_prototypes,
)
from avion_core.store import projects as rows
from avion_core.store import verdicts
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Verdict
from avion_core.store.verdicts import Decision
from avion_core.studio.candidates import read_candidates
from avion_core.studio.models import open_towers
from avion_core.studio.projects import get_project, read_manifest, read_splits
from avion_core.studio.rules import run_config

EVIDENCE_IMAGES = 4


@dataclass(frozen=True)
class Preview:
    """What rules decide.

    table: one row per description with every figure (see `TextPrototypes.table`; reasons and hits as lists).
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

    zeta: float
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


@dataclass(frozen=True)
class Match:
    path: Path
    similarity: float


@dataclass(frozen=True)
class Evidence:
    """The class's training images that a description matches best and worst, the extreme one first."""

    best: list[Match]
    worst: list[Match]


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
    table = _readable(decided).join(candidates.drop(columns=["description_id", "class_key", "text", "verdict"]))
    table["influence"] = leave_one_out_influence(decided, embeddings)
    return Curation(
        table=table,
        would_change=_would_change(table, table, names),
        n_eff=decided.n_eff,
        blocked=decided.blocked,
        vectors=decided.vectors,
        teacher_accuracy=_accuracy(decided.vectors, images),
        zeta=config.prototypes.zeta,
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
    table = _readable(decided)
    names = dict(zip(curation.candidates["class_key"], curation.candidates["class_name"], strict=True))
    return Preview(
        table=table,
        would_change=_would_change(curation.table, table, names),
        n_eff=decided.n_eff,
        blocked=decided.blocked,
        vectors=decided.vectors,
        teacher_accuracy=_accuracy(decided.vectors, curation.images),
    )


def record_verdict(
    home: Home,
    project: str,
    description_id: str,
    verdict: Decision,
    *,
    reviewer: str = "me",
    text: str | None = None,
    reason: str = "",
    token: str | None = None,
) -> None:
    """Write one person's decision down, for good; the same token again is the same decision.

    Raises:
        NotFoundError: no such project or description.
        DescriptionError: a word that is no decision, or an edit without its text.
    """
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        verdicts.add_verdict(
            session, project_id, description_id, verdict, reviewer=reviewer, text=text, reason=reason, token=token
        )


def undo(home: Home, project: str, reviewer: str = "me", *, token: str | None = None) -> str | None:
    """Take back the reviewer's newest decision that still holds; returns the description it was about."""
    with writing(home.engine) as session:
        return verdicts.undo(session, rows.find_project(session, project).id, reviewer, token)


def history(home: Home, project: str, description_id: str) -> list[Verdict]:
    """Everything anybody decided on a description, the oldest first, with undos."""
    with reading(home.engine) as session:
        return verdicts.history(session, rows.find_project(session, project).id, description_id)


def evidence(home: Home, project: str, description_id: str) -> Evidence:
    """The training shots of its class that a description, as it reads now, matches best and worst.

    Raises:
        NotFoundError: no such project or description.
    """
    summary = get_project(home, project)
    config = run_config(home, summary.id)
    candidates = read_candidates(home, summary.id).set_index("description_id")
    if description_id not in candidates.index:
        raise NotFoundError("the project has no such description", "Reload the page.", value=description_id)
    class_key, text = str(candidates.at[description_id, "class_key"]), str(candidates.at[description_id, "text"])
    towers = open_towers(home, config.teacher)
    shots = read_splits(home, summary.id).shots(config.data.seed, config.data.shots)[class_key]
    manifest = read_manifest(home, summary.id)
    paths = dict(zip(manifest["image_id"], manifest["path"], strict=True))
    images = [(image, summary.image_root / paths[image]) for image in shots]
    features = image_features(towers, images, home.features, recipe=summary.recipe).cpu()
    (embedding,) = text_features(towers, [text], home.features).cpu()
    similarities = (features @ embedding).tolist()
    matches = [Match(path, similarity) for (_, path), similarity in zip(images, similarities, strict=True)]
    matches.sort(key=lambda match: match.similarity, reverse=True)
    # With few shots no picture is shown both as a good match and as a bad one.
    half = min(EVIDENCE_IMAGES, (len(matches) + 1) // 2)
    return Evidence(best=matches[:half], worst=matches[half:][: -EVIDENCE_IMAGES - 1 : -1])


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


def _readable(decided: TextPrototypes) -> pd.DataFrame:
    table = decided.table
    return table.assign(reasons=table["reasons"].map(json.loads), hits=table["hits"].map(json.loads))


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
