"""The value of going on with a review: which texts first, and whether any that are left could matter."""

from __future__ import annotations

from dataclasses import dataclass

from avion_core.studio.curation.table import Curation


@dataclass(frozen=True)
class ReviewValue:
    """What is left to review, and what it is worth.

    order: the undecided descriptions, those with the most influence first. undecided: how many they are. that_matter:
    how many of them could change a validation prediction. sentence: the same in words.
    """

    order: list[str]
    undecided: int
    that_matter: int
    sentence: str


def review_value(curation: Curation) -> ReviewValue:
    """Order what is undecided by what a verdict on it could change."""
    open_rows = curation.table[curation.table["verdict"] == "undecided"]
    ordered = open_rows.sort_values(["matters", "influence"], ascending=False, kind="stable")
    that_matter = int(ordered["matters"].sum())
    return ReviewValue(
        order=ordered["description_id"].tolist(),
        undecided=len(ordered),
        that_matter=that_matter,
        sentence=f"{that_matter:,} of the {len(ordered):,} undecided texts alone could change a validation prediction.",
    )
