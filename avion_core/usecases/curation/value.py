"""The value of going on with a review: which texts first, and whether those that are left could change anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avion_core.prototypes.settled import ClassAtHand, settled_classes
from avion_core.usecases.curation.table import Curation
from avion_core.wording import counted


@dataclass(frozen=True)
class ReviewValue:
    """What is left to review, and what it is worth."""

    order: list[str]
    """The undecided descriptions, those first that could alone change the teacher's prediction of a validation image,
    then those of classes that are not settled, by influence."""
    undecided: int
    """How many they are."""
    alone: int
    """How many could change one alone."""
    that_matter: int
    """How many could at all, alone or together: those of the classes that are not settled (see `prototypes.settled` for
    what is proven and assumed)."""
    settled: list[str]
    """The other classes."""
    sentence: str
    """This in words."""


def review_value(curation: Curation) -> ReviewValue:
    """Order what is undecided by what a verdict on it could change, and say when there is nothing left to change."""
    table, features, ranking = curation.table, curation.images["validation"][0], curation.rankings["validation"]
    settled = settled_classes(_at_hand(curation), curation.config.prototypes, features, ranking)
    left = table[["description_id", "decisive", "influence"]].assign(unsettled=~settled[curation.owner])
    left = left[table["verdict"] == "undecided"]
    left = left.sort_values(["decisive", "unsettled", "influence"], ascending=False, kind="stable")
    that_matter = int(left["unsettled"].sum())
    alone = int((left["decisive"] & left["unsettled"]).sum())
    open_classes = sum(not done for done in settled)
    return ReviewValue(
        order=left["description_id"].tolist(),
        undecided=len(left),
        alone=alone,
        that_matter=that_matter,
        settled=[key for key, done in zip(curation.class_keys, settled, strict=True) if done],
        sentence=_sentence(len(left), that_matter, alone, open_classes, len(features)),
    )


def _at_hand(curation: Curation) -> list[ClassAtHand]:
    """Every class as it stands."""
    similarity = curation.table["similarity"].to_numpy()
    verdict = curation.table["verdict"].to_numpy(dtype=str)
    order = curation.owner.argsort(kind="stable")
    ends = np.searchsorted(curation.owner[order], np.arange(1, len(curation.class_keys)))
    return [
        ClassAtHand(similarity[rows], verdict[rows], curation.embeddings[rows], vector)
        for rows, vector in zip(np.split(order, ends), curation.vectors, strict=True)
    ]


def _sentence(undecided: int, that_matter: int, alone: int, open_classes: int, images: int) -> str:
    if not undecided:
        return "Every text has a verdict."
    if not images:
        return "Without validation images, nothing shows which verdicts matter."
    if not that_matter:
        whatever = "whatever is decided on them: you may stop"
        return f"The next {undecided:,} cannot change any validation prediction, {whatever}."
    safe = undecided - that_matter
    rest = f"The other {safe:,} cannot change any, whatever is decided on them." if safe else ""
    classes = counted(open_classes, "class", "classes")
    return (
        f"{counted(alone, 'verdict')} could each change a prediction on the validation images; taken together, those "
        f"on {that_matter:,} of the {undecided:,} undecided texts, in {classes}. {rest}"
    ).strip()
