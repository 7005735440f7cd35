"""The curation as one reviewer may see it; apart from the shell, since it brings the models' library along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

import pandas as pd
import streamlit as st

from app import session
from app.components.background import Progress, computed
from app.components.guard import empty_state
from app.shell import go_button, need_labels
from avion_core.studio.curation import Curation, curation_table, my_verdicts, refresh
from avion_core.studio.home import Home
from avion_core.studio.projects import ProjectSummary
from avion_core.studio.rules import current_rules

HIDDEN = "Hidden until you have decided: this review is blind."
# What a colleague's verdict shows in, and what stands there while the review is blind and one's own is missing.
_VEIL = {"verdict": "undecided", "reviewer": "", "reason": "", "why": HIDDEN}
_VEILED_FIGURES = ("weight", "influence")


@dataclass(frozen=True)
class Seen:
    """What one reviewer sees of a curation.

    table: the curation's, with mine (one's own verdict: accepted, rejected, undecided, skipped, or ""), judged (one's
    own verdict stands, a skip among them) and at_odds (flag and z disagree). In a blind project, what tells the
    verdicts of others is left out of the rows that one has not decided: their verdict is undecided, their kept None,
    their weight and influence NaN.
    """

    curation: Curation
    table: pd.DataFrame
    blind: bool

    @cached_property
    def places(self) -> pd.Index:
        return pd.Index(self.table["description_id"])

    def rows(self, ids: Sequence[str]) -> pd.DataFrame:
        """These descriptions, in this order."""
        return self.table.iloc[self.places.get_indexer(pd.Index(ids))]

    def records(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """These descriptions, each with all its figures."""
        return [{str(name): value for name, value in row.items()} for row in self.rows(ids).to_dict("records")]

    def of_class(self, class_key: str) -> pd.DataFrame:
        """All descriptions of a class."""
        return self.table[self.table["class_key"] == class_key]


@dataclass
class _Held:
    """A curation that the pages of all reviewers share, brought up to date at each look."""

    curation: Curation
    lock: Lock = field(default_factory=Lock)

    def fresh(self, home: Home) -> Curation:
        """The curation with every verdict given since."""
        with self.lock:
            self.curation = refresh(home, self.curation)
            return self.curation


def need_curation(project: ProjectSummary) -> Seen:
    """Every description with every figure behind its fate; without descriptions, an empty state, and the page ends.

    The first look computes features (minutes for a large teacher), so it runs beside the page; later looks find them
    and only take in the verdicts given since.
    """
    if not project.descriptions:
        with empty_state(
            "description",
            "No descriptions yet",
            "Import a file of class descriptions (JSONL, CSV, or one JSON object of class and texts).",
        ):
            go_button("Import descriptions", "projects", "upload_file")
        st.stop()
    need_labels(project)
    home = session.home()
    state = (
        project.descriptions,
        project.revision,
        tuple(entry.prompt_name for entry in project.classes),
        current_rules(home, project.id)[2],
    )
    computed(
        f"features:{project.id}:{project.descriptions}:{project.revision}",
        "Computing the teacher's features",
        lambda progress: _held(home, project.id, state, progress),
    )
    curation = _held(home, project.id, state).fresh(home)
    return seen(curation, my_verdicts(home, project.id, session.reviewer()), project.blind)


def seen(curation: Curation, mine: dict[str, str], blind: bool) -> Seen:
    """The curation through one reviewer's eyes.

    Args:
        mine: description -> one's own verdict (see `my_verdicts`).
    """
    table = curation.table
    own = table["description_id"].map(mine).fillna("")
    table = table.assign(
        mine=own,
        judged=own.isin(["accepted", "rejected", "skipped"]),
        at_odds=table["flag"] != (table["z"].fillna(0) <= curation.zeta),
    )
    if blind:
        hidden = ~own.isin(["accepted", "rejected"])
        veil = {name: table[name].mask(hidden, value) for name, value in _VEIL.items()}
        veil |= {name: table[name].mask(hidden) for name in _VEILED_FIGURES}
        table = table.assign(**veil, kept=table["kept"].mask(hidden, None), conflict=table["conflict"] & ~hidden)
    return Seen(curation, table, blind)


@st.cache_resource(max_entries=4, show_spinner=False)
def _held(_home: Home, project: str, state: tuple[Any, ...], _progress: Progress | None = None) -> _Held:
    """The curation as it follows from `state`: number of texts, images and labels, class names, rules."""
    return _Held(curation_table(_home, project, progress=_progress))
