"""Why each description is kept or out, in a sentence, from the figures of its row.

Sentences are made for the rows somebody looks at: of the 50,000 of a large project those are few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from avion_core.config import PrototypesConfig
from avion_core.descriptions.rs_flag import RuleSet
from avion_core.prototypes.robust_z import NO_SPREAD_REACH

_ONLY_JUST = 0.8
"""Share of the cut above which a kept text is said to be kept only just."""
_FIGURES = ("verdict", "in_play", "kept", "similarity", "median", "mad", "z", "cut")


def explained(table: pd.DataFrame, rule_set: RuleSet, config: PrototypesConfig) -> pd.DataFrame:
    """Rows of a prototype table (see `TextPrototypes.table`) with the words behind the figures.

    Returns:
        The rows with three more columns: why, reasons and hits (see `explanation`).
    """
    flags = [_flag_in_words(rule_set, text) for text in table["text"]]
    return table.assign(
        why=pd.Series(explanations(table, config), index=table.index, dtype=str),
        reasons=pd.Series([flag["reasons"] for flag in flags], table.index, dtype=object),
        hits=pd.Series([flag["hits"] for flag in flags], table.index, dtype=object),
    )


def explanation(row: Mapping[str, Any], rule_set: RuleSet, config: PrototypesConfig) -> dict[str, Any]:
    """The words behind one row of a prototype table.

    Returns:
        why (a sentence), reasons (of each RS-Flag rule, a dict of rule, passed and sentence) and hits (of each term
        found, a dict of start, end, term and kind).
    """
    return {"why": _explanation(config, *(row[name] for name in _FIGURES)), **_flag_in_words(rule_set, row["text"])}


def _flag_in_words(rule_set: RuleSet, text: str) -> dict[str, Any]:
    """Reasons and hits of RS-Flag on a text, see `explanation`."""
    flag = rule_set.judge(text)
    return {"reasons": [asdict(entry) for entry in flag.reasons], "hits": [asdict(entry) for entry in flag.hits]}


def explanations(table: pd.DataFrame, config: PrototypesConfig) -> list[str]:
    """One sentence for each row of a prototype table."""
    return [_explanation(config, *figures) for figures in zip(*(table[name] for name in _FIGURES), strict=True)]


def _explanation(
    config: PrototypesConfig,
    verdict: str,
    in_play: bool,
    kept: bool,
    similarity: float,
    median: float,
    mad: float,
    z: float,
    cut: float,
) -> str:
    if config.source == "template":
        return "Not used: the prototype comes from the class-name template alone."
    if not in_play:
        if verdict == "rejected":
            return "Cut: a reviewer rejected it."
        return "Cut: it does not pass RS-Flag, and the rules use only texts that do."
    low = similarity < median
    if mad > 0:
        unit = " in sigmas" if config.z_mode == "scaled" else ""
        place = f"similarity {similarity:.3f}, class median {median:.3f}; robust z {z:.1f}{unit}"
        limit = f"cut at {config.zeta:.1f}"
    else:
        gap, side = abs(similarity - median), "below" if low else "above"
        place = f"similarity {similarity:.3f}, {gap:.4f} {side} the {median:.3f} that most texts of the class share"
        limit = f"cut at {NO_SPREAD_REACH}"
    compared = f"{'less' if low else 'more'} typical than the class's other texts"
    if verdict == "accepted":
        return f"Kept: a reviewer accepted it ({place})."
    if not config.selective:
        return f"Kept: these rules cut no outliers ({place})."
    if cut != cut:  # NaN: no similarity is too low
        return f"Kept: similarity {similarity:.3f}; one or two texts are too few to find an outlier."
    if not kept:
        return f"Cut: {compared} ({place}, {limit})."
    if z > config.zeta:
        return f"Kept: {compared}, and only less typical ones are cut ({place})."
    if low and z > _ONLY_JUST * config.zeta:
        return f"Kept, only just: {compared} ({place}, {limit})."
    return f"Kept: {place}, {limit}."
