"""From candidate descriptions to one text prototype per class (docs/method.md section 3).

v_c = normalize(mean_i normalize(f_T(x_i)))        visual prototype of the labelled training shots
s_j = v_c . g_T(d_j)                               similarity
w_j = softmax(beta * s_j + gamma * flag_j)         over the kept descriptions
p_c = normalize(sum_j w_j g_T(d_j))                text prototype
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.config import PrototypesConfig
from avion_core.descriptions.rs_flag import RuleSet
from avion_core.errors import PrototypeError
from avion_core.prototypes.explanations import explained
from avion_core.prototypes.ranking import rank
from avion_core.prototypes.selection import class_blocks, select, softmax, weight_logits

VERDICTS = ("accepted", "rejected", "undecided")


@dataclass(frozen=True)
class TextPrototypes:
    """Text prototypes and every figure behind them. C classes, D dimensions."""

    table: pd.DataFrame
    """One row per candidate, in the order given: description_id, class_key, text, verdict, flag (RS-Flag's own), words,
    rule_positive, rule_negative and rule_words (which rules hold), similarity, median, mad, z, cut (the similarity
    under which a text is cut, NaN where none can be), in_play (neither rejected nor refused), kept, weight (sums to 1
    over a class). `explanations.explained` puts it in words."""
    vectors: Tensor
    """(C, D) float32, unit norm; a blocked class has a row of zeros."""
    class_keys: tuple[str, ...]
    visual: Tensor
    """(C, D) the visual prototypes they were judged by."""
    n_eff: dict[str, float]
    """Class -> 1 / sum(w_j^2), the effective number of texts; 0 where none is used."""
    blocked: list[str]
    """Classes left without a usable description."""
    template: list[str]
    """Classes whose prototype is the template's."""
    rule_set: RuleSet
    config: PrototypesConfig

    def full_table(self) -> pd.DataFrame:
        """The table in figures and words, lists as JSON: what a file holds."""
        table = explained(self.table, self.rule_set, self.config)
        lists = {name: [json.dumps(row, ensure_ascii=False) for row in table[name]] for name in ("reasons", "hits")}
        return table.assign(**lists)


def visual_prototypes(features: Tensor, labels: Tensor, classes: Sequence[str]) -> Tensor:
    """v_c = normalize(mean_i normalize(f_T(x_i))) over the labelled TRAINING shots of each class.

    Args:
        features: (N, D) teacher image embeddings.
        labels: (N,) integer positions in `classes`.
        classes: the C class keys.

    Returns:
        (C, D) float32, unit norm.

    Raises:
        PrototypeError: a class without an image, or whose embeddings are not numbers or cancel out.
    """
    labels = torch.as_tensor(labels, dtype=torch.long, device=features.device)
    counts = torch.bincount(labels, minlength=len(classes)).tolist()
    without = [key for key, count in zip(classes, counts, strict=True) if count == 0]
    if without:
        raise PrototypeError(
            "these classes have no labelled training image",
            "Label an image of each, or leave the class out.",
            value=", ".join(without),
        )
    sums = torch.zeros(len(classes), features.shape[1], dtype=torch.float64, device=features.device)
    sums.index_add_(0, labels, normalize(features.double(), dim=1))
    usable = (sums.norm(dim=1) > 1e-9).tolist()  # False for NaN too
    if not all(usable):
        raise PrototypeError(
            "the image embeddings of these classes are not numbers or cancel out",
            "Compute the embeddings again; a damaged image or weights file can do this.",
            value=", ".join(key for key, good in zip(classes, usable, strict=True) if not good),
        )
    return normalize(sums, dim=1).float()


def text_prototypes(
    candidates: pd.DataFrame,
    embeddings: Tensor,
    visual: Tensor,
    class_keys: Sequence[str],
    rule_set: RuleSet,
    config: PrototypesConfig,
    template_embeddings: Tensor | None = None,
    *,
    allow_blocked: bool = False,
) -> TextPrototypes:
    """Judge, select and combine the candidate descriptions of each class.

    Args:
        candidates: M rows with description_id, class_key, text (edited texts as they now read) and verdict
            ("accepted", "rejected" or "undecided").
        embeddings: (M, D) teacher text embeddings of the candidates, unit norm.
        visual: (C, D) visual prototypes in the order of class_keys.
        class_keys: the C classes; every candidate belongs to one of them.
        template_embeddings: (C, D) teacher text embeddings of the template, needed when `config.source` is
            "template" or `config.template_fallback` is on.
        allow_blocked: return with the blocked classes listed instead of raising (for a page that shows them).

    Raises:
        PrototypeError: embeddings that are not numbers, rows that do not fit together, a class without a usable
            description, or a template that is needed and not given.
    """
    class_keys = tuple(class_keys)
    _check(candidates, embeddings, visual, class_keys, config, template_embeddings)
    table = _judged(candidates, rule_set)
    flag, verdict = table["flag"].to_numpy(dtype=bool), table["verdict"].to_numpy(dtype=str)
    accepted, rejected = verdict == "accepted", verdict == "rejected"
    columns = {name: np.full(len(table), np.nan) for name in ("similarity", "median", "mad", "z", "cut")}
    columns |= {name: np.zeros(len(table), dtype=bool) for name in ("in_play", "kept")} | {
        "weight": np.zeros(len(table))
    }
    vectors = torch.zeros(visual.shape, dtype=torch.float64)  # (C, D)
    n_eff = np.zeros(len(class_keys))
    for places, rows, given in class_blocks(owner_of(table, class_keys)):
        g = embeddings[rows].cpu().double() * torch.from_numpy(given[..., None])  # (B, K, D)
        similarity = torch.einsum("bkd,bd->bk", g, visual[places].cpu().double()).numpy()
        selection = select(similarity, flag[rows], accepted[rows], rejected[rows], config, given)
        z = selection.z
        figures = {"similarity": similarity, "median": z.median[:, None], "mad": z.mad[:, None], "z": z.z}
        figures |= {"cut": z.low_cut[:, None], "in_play": selection.in_play, "kept": selection.kept}
        figures["weight"] = selection.weights
        for name, values in figures.items():
            columns[name][rows[given]] = np.broadcast_to(values, rows.shape)[given]
        vectors[places] = torch.einsum("bk,bkd->bd", torch.from_numpy(selection.weights), g)
        n_eff[places] = selection.n_eff

    empty = np.flatnonzero(n_eff == 0)
    blocked, template = [class_keys[place] for place in empty], []
    if template_embeddings is not None and (config.source == "template" or config.template_fallback):
        vectors[empty] = template_embeddings[empty].cpu().double()
        blocked, template = template, blocked
    if blocked and not allow_blocked:
        raise PrototypeError(
            "no usable description is left for these classes",
            "Accept or add a description of each, loosen the rules, or use the class name where a class has no "
            "description (prototypes.template_fallback).",
            value=", ".join(blocked),
        )
    return TextPrototypes(
        table=table.assign(**columns),
        vectors=normalize(vectors, dim=1).float(),
        class_keys=class_keys,
        visual=visual,
        n_eff=dict(zip(class_keys, n_eff.tolist(), strict=True)),
        blocked=blocked,
        template=template,
        rule_set=rule_set,
        config=config,
    )


def owner_of(table: pd.DataFrame, class_keys: Sequence[str]) -> np.ndarray:
    """The place of each row's class in class_keys: (M,)."""
    return pd.Index(class_keys).get_indexer(table["class_key"].to_numpy())


def _judged(candidates: pd.DataFrame, rule_set: RuleSet) -> pd.DataFrame:
    flags = [rule_set.judge(text) for text in candidates["text"]]
    words = np.array([flag.words for flag in flags], dtype=np.int64)
    rules = {
        "rule_positive": np.array([flag.positive for flag in flags], dtype=bool),
        "rule_negative": np.array([flag.negative for flag in flags], dtype=bool),
        "rule_words": (words >= rule_set.least_words) & (words <= rule_set.most_words),
    }
    known = candidates[["description_id", "class_key", "text", "verdict"]]
    return known.assign(flag=np.logical_and.reduce(list(rules.values())), words=words, **rules)


def _check(
    candidates: pd.DataFrame,
    embeddings: Tensor,
    visual: Tensor,
    class_keys: tuple[str, ...],
    config: PrototypesConfig,
    template_embeddings: Tensor | None,
) -> None:
    if embeddings.shape != (len(candidates), visual.shape[1]) or len(visual) != len(class_keys):
        raise PrototypeError(
            "descriptions, embeddings and visual prototypes do not fit together",
            "Give one embedding per description and one visual prototype per class, of the same dimension.",
            value=f"{len(candidates)} descriptions, embeddings {tuple(embeddings.shape)}, "
            f"visual prototypes {tuple(visual.shape)}, {len(class_keys)} classes",
        )
    if not embeddings.sum().isfinite():  # looking at every number by itself takes ten times as long
        finite = torch.isfinite(embeddings).all(dim=1)
        raise PrototypeError(
            "the embedding of a description holds values that are not numbers",
            "Compute the embeddings again, or reject the description.",
            value=candidates["description_id"].iloc[int((~finite).nonzero()[0])],
        )
    if not torch.isfinite(visual).all():
        raise PrototypeError(
            "the visual prototype of a class holds values that are not numbers",
            "Compute the embeddings of its training images again.",
            value=class_keys[int((~torch.isfinite(visual).all(dim=1)).nonzero()[0])],
        )
    strangers = set(candidates["class_key"]) - set(class_keys)
    if strangers:
        raise PrototypeError(
            "descriptions belong to classes that are not in the list",
            "Pass only the descriptions of the classes at hand.",
            value=", ".join(sorted(map(str, strangers))),
        )
    unknown = set(candidates["verdict"]) - set(VERDICTS)
    if unknown:
        raise PrototypeError(
            "a verdict is unknown", f"Use one of: {', '.join(VERDICTS)}.", value=", ".join(sorted(map(str, unknown)))
        )
    if template_embeddings is None and (config.source == "template" or config.template_fallback):
        raise PrototypeError(
            "the template's embeddings are needed and were not given",
            "Pass template_embeddings, or take descriptions alone (source = descriptions, no template_fallback).",
        )


def prototype_accuracy(vectors: Tensor, features: Tensor, labels: Tensor) -> float:
    """Share of images, in percent, whose nearest text prototype is that of their class.

    Args:
        vectors: (C, D) text prototypes; a blocked class (a row of zeros) is never predicted.
        features: (N, D) image embeddings in the same space. labels: (N,) integer positions in `vectors`.
    """
    if len(features) == 0:
        raise PrototypeError("there is no image to measure on", "Label images that are not training shots.")
    return rank(features.float(), vectors.float()).accuracy(torch.as_tensor(labels, device=features.device))


def leave_one_out_influence(prototypes: TextPrototypes, embeddings: Tensor) -> np.ndarray:
    """How far each description pulls its class prototype: the angle, in degrees, if it alone were left out.

    Selection and the other texts' relative weights stay as they are, so that with S = sum_j w_j g_j the prototype
    without text j points along S - w_j g_j, and in closed form, with c_j = g_j . p_c,

        angle_j = atan2(w_j |g_j - c_j p_c|, |S| - w_j c_j)

    Of the heaviest text both terms can be differences of equal numbers (at beta = 50 its weight may be 1 - 1e-17), so
    the sum over the others is taken for it, by their weights among themselves.

    A text that is not used has 0; the only text of a class has 180, for nothing is left without it.

    Args:
        embeddings: (M, D) teacher text embeddings, unit norm, in the rows' order of `prototypes.table`.

    Returns:
        (M,) degrees.
    """
    table = prototypes.table
    degrees = np.zeros(len(table))
    flag = (table["flag"] | (table["verdict"] == "accepted")).to_numpy(dtype=bool)
    similarity, used = table["similarity"].to_numpy(), table["kept"].to_numpy(dtype=bool)
    for _, rows, given in class_blocks(owner_of(table, prototypes.class_keys)):
        kept = used[rows] & given  # (B, K)
        logits = weight_logits(similarity[rows], flag[rows], kept, prototypes.config)
        g = embeddings[rows].cpu().double()  # (B, K, D)
        w = torch.from_numpy(softmax(logits))  # (B, K)
        total = torch.einsum("bk,bkd->bd", w, g)  # S
        p = normalize(total, dim=1)  # (B, D)
        along = torch.einsum("bkd,bd->bk", g, p)  # c_j
        across = (g - along[..., None] * p[:, None]).norm(dim=2)
        angle = torch.atan2(w * across, total.norm(dim=1, keepdim=True) - w * along)

        each, heaviest = np.arange(len(rows)), logits.argmax(axis=1)
        logits[each, heaviest] = -np.inf
        others = normalize(torch.einsum("bk,bkd->bd", torch.from_numpy(softmax(logits)), g), dim=1)
        # Between unit vectors, exact near 0 and 180 degrees too (Kahan).
        angle[each, heaviest] = 2 * torch.atan2((p - others).norm(dim=1), (p + others).norm(dim=1))
        angle[kept.sum(axis=1) == 1] = torch.pi
        degrees[rows[given]] = (torch.rad2deg(angle).numpy() * kept)[given]
    return degrees
