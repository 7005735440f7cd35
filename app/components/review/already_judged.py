"""What a verdict on several descriptions would change: how many of them were judged already, how, and by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from app.state import visitor
from avion_core.usecases.curation import Decision, Unseen

_PAST: dict[str, str] = {"accept": "accepted", "reject": "rejected"}
_NAMED = 4


@dataclass(frozen=True)
class AlreadyJudged:
    """Of descriptions that are to be judged together, those that somebody has accepted or rejected."""

    ids: frozenset[str]
    changed: frozenset[str]
    """Those among them on which another verdict stands, one's own or the one that holds."""
    sentence: str
    """How many there are, how they stand and who judged them; "" for none."""


def already_judged(table: pd.DataFrame, ids: Sequence[str], verdict: Decision) -> AlreadyJudged:
    """Which of these descriptions were judged already, and what this verdict would change on them.

    Args:
        table: the reviewer's view; what is hidden from them is undecided there.
    """
    if verdict not in _PAST:  # a skip changes no verdict, and clearing one's own is what its name says
        return AlreadyJudged(frozenset(), frozenset(), "")
    rows = table[table["description_id"].isin(set(ids))]
    judged = rows[_judged(rows["verdict"]) | _judged(rows["mine"]) | rows["conflict"].astype(bool)]
    if judged.empty:
        return AlreadyJudged(frozenset(), frozenset(), "")
    against = [_judged(judged[name]) & (judged[name] != _PAST[verdict]) for name in ("verdict", "mine")]
    changed = frozenset(judged.loc[against[0] | against[1], "description_id"])
    stand = Counter("in conflict" if word == "undecided" else word for word in judged["verdict"])
    how = ", ".join(f"{count:,} {word}" for word, count in stand.most_common())
    me = visitor.name()
    people = Counter("you" if name == me else name for names in judged["judged_by"] for name in names)
    named = [f"{name} {count:,}" for name, count in people.most_common(_NAMED)]
    if len(people) > _NAMED:
        named.append(f"{len(people) - _NAMED} more")
    whose = f"; by {', '.join(named)}" if named else ""
    number = f"{len(judged):,} of them {'was' if len(judged) == 1 else 'were'}" if len(ids) > 1 else "It was"
    sentence = f"{number} judged already: {how}{whose}."
    if len(ids) > 1:
        sentence += f" {len(changed):,} would get another verdict from you." if changed else " None would change."
    return AlreadyJudged(frozenset(judged["description_id"]), changed, sentence)


def said_of_unseen(unseen: Mapping[str, Sequence[Unseen]]) -> str:
    """Which verdicts stood on what was just judged, and were given after its page was drawn; "" for none."""
    if not unseen:
        return ""
    me = visitor.name()
    who = Counter(
        f"you {_PAST[one.verdict]} in another tab" if one.reviewer == me else f"{one.reviewer} {_PAST[one.verdict]}"
        for given in unseen.values()
        for one in given
    )
    if len(unseen) == 1:
        return f"It was judged meanwhile ({', '.join(who)}): your verdict stands beside that one. U undoes yours."
    counts = ", ".join(f"{what} {count:,}" for what, count in who.most_common(_NAMED))
    return f"{len(unseen):,} of them were judged meanwhile ({counts}): your verdicts stand beside. U undoes yours."


def _judged(column: pd.Series) -> pd.Series:
    return column.isin(_PAST.values())
