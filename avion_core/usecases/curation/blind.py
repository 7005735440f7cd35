"""Blind review: what a person may see of others' decisions. It is decided here, and nowhere else.

In a blind project nobody learns what others decided on a description before they have accepted or rejected it
themselves; a skip or an edit is no judgement. Whoever settles conflicts sees both sides of each, and all exports.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from avion_core.store import current_verdicts
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.usecases.policies import ADJUDICATE, may, use_case
from avion_core.usecases.projects.current_descriptions import current_descriptions

_WORD_OF = {
    "accept": "accepted",
    "reject": "rejected",
    "edit": "undecided",
    "undecide": "undecided",
    "skip": "skipped",
}
_JUDGED = ("accepted", "rejected")


@dataclass(frozen=True)
class Sight:
    """What one person may see of a project's decisions."""

    blind: bool
    """The project is reviewed blind."""
    mine: dict[str, str]
    """Description -> this person's own newest decision that holds: "accepted", "rejected", "skipped", or "undecided"
    (edited, or the verdict cleared). What they never decided on is not in it."""

    def hides(self, description_ids: pd.Series) -> pd.Series:
        """Of each description, whether others' decisions on it are hidden."""
        if not self.blind:
            return pd.Series(False, index=description_ids.index, dtype=bool)
        return ~description_ids.map(self.mine).isin(_JUDGED)

    def verdicts(self, table: pd.DataFrame) -> pd.Series:
        """The column `verdict` of a table with description_id, as this person sees it: what is hidden is undecided."""
        return table["verdict"].mask(self.hides(table["description_id"]), "undecided")


@use_case
def my_sight(home: Home, project: str, description_id: str | None = None) -> Sight:
    """What the home's actor may see, and what they decided themselves: on all descriptions, or on one."""
    with reading(home.engine) as session:
        row = find_project(session, project)
        own = current_verdicts.own_decisions(session, row.id, home.actor.name, description_id)
    return Sight(row.blind, {key: _WORD_OF[decision] for key, decision in own.items()})


@use_case
def visible_verdicts(home: Home, project: str) -> dict[str, str]:
    """Description -> its verdict as the home's actor may see it."""
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
    table = current_descriptions(home, project_id)
    return dict(zip(table["description_id"], my_sight(home, project_id).verdicts(table), strict=True))


@use_case
def sees_all(home: Home, project: str) -> bool:
    """Whether the home's actor may see everybody's verdicts: the review is open, or they settle its conflicts."""
    with reading(home.engine) as session:
        blind = find_project(session, project).blind
    return not blind or may(home.actor, ADJUDICATE)
