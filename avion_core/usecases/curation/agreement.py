"""Several reviewers: how far they agree, where they do not, and the blind mode that keeps them independent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from avion_core.metrics.agreement import cohen_kappa, krippendorff_alpha
from avion_core.store import current_verdicts, journal
from avion_core.store.current_verdicts import together
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import candidates_of, find_project
from avion_core.usecases.curation.blind import sees_all
from avion_core.usecases.policies import use_case

PAIRS = ("reviewer_a", "reviewer_b", "items", "agree", "kappa")
"""Columns of `Agreement.pairs`."""

PER_CLASS = ("class_key", "items", "agree", "alpha")
"""Columns of `Agreement.per_class`."""

CONFLICTS = ("description_id", "class_key", "text", "accepts", "rejects", "since")
"""Columns of `conflicts`."""


PROGRESS = {"accepted": "accept", "rejected": "reject", "edited": "edit", "skipped": "skip"}
"""Columns of `review_progress` beside the reviewer -> the decisions that each counts."""


@dataclass(frozen=True)
class Agreement:
    """How far the reviewers of a project agree on accepting and rejecting."""

    reviewers: list[str]
    """Who judged, by name."""
    items: int
    """Descriptions that two of them or more judged, in the same words."""
    kappa: float | None
    """Cohen's, of exactly two reviewers, else None."""
    alpha: float | None
    """Krippendorff's, of any number, None without an item that two judged."""
    pairs: pd.DataFrame
    """Columns reviewer_a, reviewer_b, items, agree (percent), kappa."""
    per_class: pd.DataFrame
    """Columns class_key, items, agree (percent of items on which all who judged say the same), alpha."""
    sentence: str
    """What it comes to."""


@use_case
def agreement(home: Home, project: str) -> Agreement:
    """Agreement of all who accepted or rejected; of each text, only the verdicts on its present words count.

    Raises:
        NotFoundError: no such project.
    """
    judged = _judged(home, project)  # one row per item, one column per reviewer
    reviewers = sorted(set(judged["reviewer"]))
    votes = judged.pivot(index="description_id", columns="reviewer", values="accepts").astype(float)
    votes = votes[votes.notna().sum(axis=1) >= 2]
    class_of = judged.drop_duplicates("description_id").set_index("description_id")["class_key"]
    pairs = [
        {"reviewer_a": a, "reviewer_b": b, **_pair(votes[[a, b]].dropna())}
        for place, a in enumerate(reviewers)
        for b in reviewers[place + 1 :]
    ]
    per_class = [
        {
            "class_key": key,
            "items": len(part),
            "agree": 100.0 * float((part.min(axis=1) == part.max(axis=1)).mean()),
            "alpha": krippendorff_alpha(part.to_numpy().T),
        }
        for key, part in votes.groupby(class_of.reindex(votes.index))
    ]
    alpha = krippendorff_alpha(votes.to_numpy().T) if len(votes) else None
    kappa = pairs[0]["kappa"] if len(reviewers) == 2 and len(votes) else None
    return Agreement(
        reviewers=reviewers,
        items=len(votes),
        kappa=kappa,
        alpha=alpha,
        pairs=pd.DataFrame(pairs, columns=list(PAIRS)),
        per_class=pd.DataFrame(per_class, columns=list(PER_CLASS)),
        sentence=_sentence(reviewers, len(votes), kappa, alpha),
    )


@use_case
def conflicts(home: Home, project: str) -> pd.DataFrame:
    """Descriptions that as many reviewers accept as reject, those that wait longest first.

    Who reviews blind gets the conflicts that they are a side of; who settles them, all.

    Columns: description_id, class_key, text (as it reads now), accepts and rejects (names), since (when the conflict
    came up).

    Raises:
        NotFoundError: no such project.
    """
    judged = _judged(home, project)
    found = []
    for key, part in judged[judged["conflict"]].groupby("description_id", sort=False):
        accepts, rejects = part[part["accepts"]], part[~part["accepts"]]
        found.append(
            {
                "description_id": key,
                "class_key": part["class_key"].iloc[0],
                "text": part["text"].iloc[0],
                "accepts": sorted(accepts["reviewer"]),
                "rejects": sorted(rejects["reviewer"]),
                "since": part["decided_at"].max(),
            }
        )
    if not sees_all(home, project):
        found = [row for row in found if home.actor.name in (*row["accepts"], *row["rejects"])]
    return pd.DataFrame(found, columns=list(CONFLICTS)).sort_values("since", ignore_index=True)


@use_case
def review_progress(home: Home, project: str) -> pd.DataFrame:
    """What each reviewer has done, by their newest decision on each description; blind, what one did oneself.

    Columns: reviewer, accepted, rejected, edited (and not judged since), skipped.

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        decided = current_verdicts.decisions_by_reviewer(session, find_project(session, project).id)
    if not sees_all(home, project):
        decided = {name: decisions for name, decisions in decided.items() if name == home.actor.name}
    counted = {reviewer: Counter(decisions.values()) for reviewer, decisions in decided.items()}
    table = [
        {"reviewer": reviewer, **{name: counts[word] for name, word in PROGRESS.items()}}
        for reviewer, counts in counted.items()
    ]
    return pd.DataFrame(table, columns=["reviewer", *PROGRESS])


@use_case
def set_blind(home: Home, project: str, on: bool) -> None:
    """Hide others' verdicts from each reviewer until they have judged a text themselves, or show them again."""
    with writing(home.engine) as session:
        row = find_project(session, project)
        if row.blind != on:
            row.blind = on
            sentence = "Reviewers see others' verdicts only after their own." if on else "Reviewers see all verdicts."
            journal.note(session, row.id, "review", sentence, home.actor.name)


def _judged(home: Home, project: str) -> pd.DataFrame:
    """One row per accept or reject that counts for the text as it reads now."""
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
        votes = current_verdicts.votes(session, project_id)
        # Who settles a conflict has both sides before their eyes: that is no second opinion.
        of_reviewers = current_verdicts.votes(session, project_id, settling=False)
        class_of = {row[0]: row[1] for row in candidates_of(session, project_id)}
    of_description: dict[str, list[current_verdicts.Vote]] = {}
    for vote in votes:
        of_description.setdefault(vote.description_id, []).append(vote)
    own: dict[str, list[current_verdicts.Vote]] = {}
    for vote in of_reviewers:
        own.setdefault(vote.description_id, []).append(vote)
    found = []
    for key, decisions in of_description.items():
        current = together(decisions)
        found += [
            {
                "description_id": key,
                "class_key": class_of[key],
                "text": current.text,
                "reviewer": vote.reviewer,
                "accepts": vote.verdict == "accept",
                "decided_at": vote.created_at,
                "conflict": current.conflict,
            }
            for vote in own.get(key, [])
            if vote.verdict in ("accept", "reject") and vote.text == current.text
        ]
    columns = ["description_id", "class_key", "text", "reviewer", "accepts", "decided_at", "conflict"]
    return pd.DataFrame(found, columns=columns).astype({"accepts": bool, "conflict": bool})


def _pair(both: pd.DataFrame) -> dict[str, float | int | None]:
    """Two reviewers on the texts that both judged: how many, how often they agree, and beyond chance."""
    a, b = both.to_numpy().T
    agree = 100.0 * float((a == b).mean()) if len(both) else float("nan")
    return {"items": len(both), "agree": agree, "kappa": cohen_kappa(a, b) if len(both) else None}


def _sentence(reviewers: list[str], items: int, kappa: float | None, alpha: float | None) -> str:
    if len(reviewers) < 2:
        return "Agreement needs a second reviewer."
    if items == 0:
        return "No description has verdicts from two reviewers yet."
    value, name = (kappa, "Cohen's kappa") if kappa is not None else (alpha, "Krippendorff's alpha")
    if value is None:
        return f"All verdicts on the {items:,} texts with two reviewers are the same; that could happen by chance."
    words = next(word for limit, word in _SCALE if value <= limit)
    return f"{name} is {value:.2f} over {items:,} texts with two or more reviewers: {words}."


# The usual reading of kappa, after Landis and Koch (1977); a rule of thumb, not a test.
_SCALE = (
    (0.0, "no better than chance"),
    (0.2, "slight agreement"),
    (0.4, "fair agreement"),
    (0.6, "moderate agreement"),
    (0.8, "substantial agreement"),
    (1.0, "almost perfect agreement"),
)
