"""One curation that all reviewers of a project share, and each one's own view of it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from avion_core.store.home import Home
from avion_core.usecases.curation.blind import Sight, my_sight
from avion_core.usecases.curation.refreshing import as_judged, refresh
from avion_core.usecases.curation.table import Curation
from avion_core.usecases.curation.value import ReviewValue, review_value
from avion_core.usecases.policies import use_case

HIDDEN = "Hidden until you have decided: this review is blind."
_FIRST_COUNT_SECONDS, _COUNT_SECONDS = 0.5, 0.05
_BLIND_VIEWS = 16
"""Reviewers of a blind project whose own curations are kept: each costs a table, and making one anew a second or so."""
# What a colleague's verdict shows in, and what stands there while the review is blind and one's own is missing.
_HIDDEN_VALUES = {"verdict": "undecided", "reviewer": "", "reason": ""}
_HIDDEN_FIGURES = ("weight", "influence")

CARD = (
    "description_id",
    "class_key",
    "text",
    "original",
    "edited",
    "verdict",
    "mine",
    "reviewer",
    "conflict",
    "writer",
)
"""Columns of a reviewer's table that a card shows."""

# A thread, not a job: it counts on a curation in this process's memory, for a figure that the next verdict outdates.
# One, so that two projects' counts do not fight for the cores that draw the pages.
_counter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="remaining-value")


@dataclass(frozen=True)
class RemainingValue:
    """What more verdicts could change, and of which curation that was counted (seconds on the monotonic clock)."""

    value: ReviewValue
    curation: Curation
    counted_at: float


@dataclass
class SharedCuration:
    """A curation brought up to date at each look, for the pages of all reviewers."""

    curation: Curation
    """With all verdicts up to the last look."""
    remaining: RemainingValue | None = None
    """What more verdicts could change, as last counted."""
    _views: OrderedDict[str, Curation] = field(default_factory=OrderedDict)
    _refreshing: Lock = field(default_factory=Lock)
    _viewing: Lock = field(default_factory=Lock)
    _counting: Future[None] | None = None
    _count_seconds: float = 0.0

    def current(self, home: Home) -> Curation:
        """The curation with every verdict given since."""
        with self._refreshing:
            self.curation = refresh(home, self.curation)
            return self.curation

    def through(self, reviewer: str, sight: Sight, curation: Curation) -> Curation:
        """The curation as if what this reviewer has not decided were undecided for everybody.

        Those of the last reviewers are kept: with one, a look costs a class or two and not all of them.
        """
        if not sight.hides(curation.table["description_id"]).any():
            return curation
        with self._viewing:
            seen = as_judged(curation, sight.verdicts(curation.table), self._views.pop(reviewer, None))
            self._views[reviewer] = seen
            if len(self._views) > _BLIND_VIEWS:
                self._views.popitem(last=False)
            return seen

    def count_remaining(self) -> RemainingValue | None:
        """What more verdicts could change, as last counted; None where the first count is not done.

        Thousands of classes take a second to count, so it goes on beside the pages, a tenth of the time at most.
        """
        with self._refreshing:
            stale = self.remaining is None or self.remaining.curation is not self.curation
            if stale and (self._counting is None or self._counting.done()) and self._rested():
                self._counting = _counter.submit(self._count, self.curation)
            counting = self._counting
        if counting is not None:
            wait([counting], timeout=_FIRST_COUNT_SECONDS if self.remaining is None else _COUNT_SECONDS)
        return self.remaining

    def _rested(self) -> bool:
        return self.remaining is None or time.monotonic() - self.remaining.counted_at > 9 * self._count_seconds

    def _count(self, curation: Curation) -> None:
        start = time.monotonic()
        value = review_value(curation)
        self._count_seconds = time.monotonic() - start
        self.remaining = RemainingValue(value, curation, time.monotonic())


@dataclass(frozen=True)
class ReviewerView:
    """What one reviewer sees of a curation."""

    curation: Curation
    """In a blind project, as if what one has not decided were undecided for everybody: no figure of it tells what
    others decided."""
    table: pd.DataFrame
    """The curation's, with mine (one's own verdict: accepted, rejected, undecided, skipped, or ""), judged (one's own
    verdict stands, a skip among them), at_odds (flag and z disagree) and settled (no verdict left in its class could
    change a prediction, as last counted; in a blind project nothing is called settled while something is hidden, since
    that is counted for all). Rows of which something is hidden tell nothing of whether they are kept: their verdict is
    undecided, their kept None, their weight and influence NaN."""
    blind: bool
    """The project is reviewed blind."""
    hides_figures: bool
    """Something is hidden, so that figures over many texts would tell what others decided."""
    judges: list[str]
    """Everybody whose verdicts this reviewer may ask for."""
    count_remaining: Callable[[], RemainingValue | None]
    """What more verdicts could change; the newest count there is."""

    @property
    def places(self) -> pd.Index:
        """The table's description_id."""
        return self.curation.places

    def rows(self, ids: Sequence[str]) -> pd.DataFrame:
        """These descriptions, in this order, with why, reasons and hits (see `Curation.explained`)."""
        places = self.places.get_indexer(pd.Index(ids))
        words = self.curation.explained(self.curation.table.iloc[places])[["why", "reasons", "hits"]]
        rows = self.table.iloc[places].join(words)
        return rows.assign(why=words["why"].mask(rows["kept"].isna(), HIDDEN)) if self.blind else rows

    def records(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """A few descriptions, each with all its figures and words: what `rows` gives, without making a table."""
        return [self._record(place) for place in self.places.get_indexer(pd.Index(ids)).tolist()]

    def _record(self, place: int) -> dict[str, Any]:
        words = self.curation.explanation(_native(self.curation.table.iloc[place]))
        row = _native(self.table.iloc[place]) | words
        return row if isinstance(row["kept"], bool) else row | {"why": HIDDEN}

    def cards(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """What a card shows of these descriptions, in this order: CARD of the table, and hits (see `explained`).

        A hundred are sent ahead at each key, of which one is looked at: the others' figures and sentences would take
        longer to make than all the rest.
        """
        places = self.places.get_indexer(pd.Index(ids))
        columns = {name: self.table[name].take(places).tolist() for name in CARD}
        columns["hits"] = self.curation.hits(columns["text"])
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def of_class(self, class_key: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All descriptions of a class; with all columns, or those that are named."""
        table = self.table if columns is None else self.table[list(columns)]
        return table.take(np.flatnonzero(self.curation.owner == self.curation.class_keys.index(class_key)))


def _native(row: pd.Series) -> dict[str, Any]:
    return {str(name): value.item() if isinstance(value, np.generic) else value for name, value in row.items()}


@use_case
def reviewer_view(home: Home, shared: SharedCuration) -> ReviewerView:
    """The shared curation, up to date, as the home's actor may see it."""
    curation, sight = shared.current(home), my_sight(home, shared.curation.project_id)
    return seen_by(home.actor.name, sight, shared.through(home.actor.name, sight, curation), shared.count_remaining)


def seen_by(
    reviewer: str,
    sight: Sight,
    curation: Curation,
    count_remaining: Callable[[], RemainingValue | None] = lambda: None,
) -> ReviewerView:
    """A curation as somebody may see it.

    Args:
        curation: in a blind project as that reviewer's decisions alone make it.
    """
    table, remaining = curation.table, count_remaining()
    own = table["description_id"].map(sight.mine).astype(object).fillna("")
    hidden = sight.hides(table["description_id"])
    hides_figures = bool(hidden.any())
    judges = set().union(*table["judged_by"])
    table = table.assign(
        mine=own,
        judged=own.isin(["accepted", "rejected", "skipped"]),
        at_odds=table["flag"] != (table["past_cut"] <= 0),
        settled=table["class_key"].isin(remaining.value.settled if remaining and not hides_figures else []),
    )
    if sight.blind:
        masked = {name: table[name].mask(hidden, value) for name, value in _HIDDEN_VALUES.items()}
        masked |= {name: table[name].mask(hidden) for name in _HIDDEN_FIGURES}
        named = [() if hide else names for hide, names in zip(hidden, table["judged_by"], strict=True)]
        masked["judged_by"] = pd.Series(named, index=table.index, dtype=object)
        table = table.assign(**masked, kept=table["kept"].mask(hidden, None), conflict=table["conflict"] & ~hidden)
        judges &= {reviewer}
    return ReviewerView(curation, table, sight.blind, hides_figures, sorted(judges), count_remaining)
