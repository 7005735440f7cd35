"""The curation as one reviewer may see it; apart from the shell, since it brings the models' library along."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

import pandas as pd
import streamlit as st

from app.kit.background import computed
from app.kit.guard import empty_state, end_page
from app.shell import go_button, need_labels
from app.state import studio, visitor
from avion_core.progress import Progress
from avion_core.usecases.curation import (
    Curation,
    ReviewValue,
    as_judged,
    curation_table,
    my_verdicts,
    refresh,
    review_value,
)
from avion_core.usecases.curation.rules import current_rules
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.projects import ProjectSummary

FIGURES_HIDDEN = "This review is blind: figures that depend on others' verdicts appear once you have judged every text."
HIDDEN = "Hidden until you have decided: this review is blind."
_FIRST_COUNT_SECONDS, _COUNT_SECONDS = 0.5, 0.05
# What a colleague's verdict shows in, and what stands there while the review is blind and one's own is missing.
_VEIL = {"verdict": "undecided", "reviewer": "", "reason": ""}
_OWN = ("accepted", "rejected")
_VEILED_FIGURES = ("weight", "influence")


@dataclass(frozen=True)
class Worth:
    """What more verdicts are worth, and of which curation that was counted (seconds on the monotonic clock)."""

    value: ReviewValue
    curation: Curation
    counted_at: float


@dataclass(frozen=True)
class Seen:
    """What one reviewer sees of a curation.

    curation: in a blind project, as if what one has not decided were undecided for everybody: no figure of it tells
    what others decided. table: the curation's, with mine (one's own verdict: accepted, rejected, undecided, skipped,
    or ""), judged (one's own verdict stands, a skip among them), at_odds (flag and z disagree) and settled (no verdict
    left in its class could change a prediction, as last counted; in a blind project nothing is called settled while
    something is hidden, since that is counted for all). In a blind project the rows that one has not decided tell
    nothing of whether they are kept: their verdict is undecided, their kept None, their weight and influence NaN.
    """

    curation: Curation
    table: pd.DataFrame
    blind: bool
    count_worth: Callable[[], Worth | None]
    """What more verdicts are worth; the newest count there is."""

    @cached_property
    def veiled(self) -> bool:
        """Whether something is hidden, so that figures over many texts would tell what others decided."""
        return self.blind and not self.table["mine"].isin(_OWN).all()

    @cached_property
    def places(self) -> pd.Index:
        return pd.Index(self.table["description_id"])

    def rows(self, ids: Sequence[str]) -> pd.DataFrame:
        """These descriptions, in this order, with why, reasons and hits (see `Curation.explained`)."""
        places = self.places.get_indexer(pd.Index(ids))
        words = self.curation.explained(self.curation.table.iloc[places])[["why", "reasons", "hits"]]
        rows = self.table.iloc[places].join(words)
        return rows.assign(why=words["why"].mask(rows["kept"].isna(), HIDDEN)) if self.blind else rows

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
    worth: Worth | None = None
    views: dict[str, Curation] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    viewing: Lock = field(default_factory=Lock)
    counting: Future[None] | None = None
    seconds: float = 0.0

    def fresh(self, home: Home) -> Curation:
        """The curation with every verdict given since."""
        with self.lock:
            self.curation = refresh(home, self.curation)
            return self.curation

    def through(self, reviewer: str, mine: dict[str, str], curation: Curation) -> Curation:
        """The curation as if what this reviewer has not decided were undecided for everybody.

        Each reviewer's is kept: it costs a class or two at a look, and not all of them.
        """
        hidden = ~curation.table["description_id"].map(mine).isin(_OWN)
        if not hidden.any():
            return curation
        with self.viewing:
            verdict = curation.table["verdict"].mask(hidden, "undecided")
            self.views[reviewer] = as_judged(curation, verdict, self.views.get(reviewer))
            return self.views[reviewer]

    def count(self) -> Worth | None:
        """What more verdicts are worth, as last counted; None where the first count is not done.

        Thousands of classes take a second to count, so it goes on beside the pages, a tenth of the time at most.
        """
        with self.lock:
            stale = self.worth is None or self.worth.curation is not self.curation
            if stale and (self.counting is None or self.counting.done()) and self._rested():
                self.counting = _counter().submit(self._count, self.curation)
            counting = self.counting
        if counting is not None:
            wait([counting], timeout=_FIRST_COUNT_SECONDS if self.worth is None else _COUNT_SECONDS)
        return self.worth

    def _rested(self) -> bool:
        return self.worth is None or time.monotonic() - self.worth.counted_at > 9 * self.seconds

    def _count(self, curation: Curation) -> None:
        start = time.monotonic()
        value = review_value(curation)
        self.seconds = time.monotonic() - start
        self.worth = Worth(value, curation, time.monotonic())


def need_curation(project: ProjectSummary) -> Seen:
    """Every description with the figures that keep or cut it; without descriptions, an empty state, and the page ends.

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
        end_page()
    need_labels(project)
    home = studio.home()
    state = (
        project.descriptions,
        project.revision,
        str(project.image_root),
        tuple(entry.prompt_name for entry in project.classes),
        current_rules(home, project.id)[2],
    )
    computed(
        f"features:{project.id}:{project.descriptions}:{project.revision}",
        "Computing the teacher's features",
        lambda progress: _held(home, project.id, state, progress),
    )
    held = _held(home, project.id, state)
    curation, reviewer = held.fresh(home), visitor.name()
    mine = my_verdicts(home, project.id)
    if project.blind:
        curation = held.through(reviewer, mine, curation)
    return seen(curation, mine, project.blind, held.count)


def seen(
    curation: Curation, mine: dict[str, str], blind: bool, count_worth: Callable[[], Worth | None] = lambda: None
) -> Seen:
    """The curation through one reviewer's eyes.

    Args:
        curation: in a blind project as that reviewer's decisions alone make it.
        mine: description -> one's own verdict (see `my_verdicts`).
    """
    table, worth = curation.table, count_worth()
    own = table["description_id"].map(mine).astype(object).fillna("")
    hidden = ~own.isin(_OWN) & blind
    table = table.assign(
        mine=own,
        judged=own.isin(["accepted", "rejected", "skipped"]),
        at_odds=table["flag"] != (table["past_cut"] <= 0),
        settled=table["class_key"].isin(worth.value.settled if worth and not hidden.any() else []),
    )
    if blind:
        veil = {name: table[name].mask(hidden, value) for name, value in _VEIL.items()}
        veil |= {name: table[name].mask(hidden) for name in _VEILED_FIGURES}
        judges = [() if hide else names for hide, names in zip(hidden, table["judged_by"], strict=True)]
        veil["judged_by"] = pd.Series(judges, index=table.index, dtype=object)
        table = table.assign(**veil, kept=table["kept"].mask(hidden, None), conflict=table["conflict"] & ~hidden)
    return Seen(curation, table, blind, count_worth)


@st.cache_resource(show_spinner=False)
def _counter() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="worth")


@st.cache_resource(max_entries=4, show_spinner=False)
def _held(_home: Home, project: str, state: tuple[Any, ...], _progress: Progress | None = None) -> _Held:
    """The curation as it follows from `state`: texts, images and their labels and place, class names, rules."""
    return _Held(curation_table(_home, project, progress=_progress))
