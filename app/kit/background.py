"""Slow work beside the page: computed once per key in a thread, with its progress shown while it runs.

A thread, not a job: what it makes is for this server's pages alone and lives in its memory (a curation, a preview, a
file to download), or it is written in one transaction. A job's process would import the models again, for seconds,
and hand the result over through a file. So whatever is worth keeping when the server stops is a job (`jobs/kinds/`),
and nothing that is done here is lost but the seconds it took: the next look computes it again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from app.kit.guard import empty_state, end_page, plain
from avion_core.progress import Progress, remaining_seconds

Result = TypeVar("Result")

_KEPT_RESULTS = 24
_WORTH_WAITING_SECONDS = 0.4


class Cancelled(Exception):
    """A person asked for the work to end; what it has kept in files stays."""


@dataclass
class Work:
    """One piece of work and how far it is."""

    title: str
    future: Future[Any] | None = None
    done: int = 0
    total: int = 0
    what: str = ""
    started: float = field(default_factory=time.monotonic)
    cancelled: bool = False

    def progress(self, done: int, total: int, what: str) -> None:
        if self.cancelled:
            raise Cancelled
        self.done, self.total, self.what = done, total, what

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1; None while that is not known."""
        return min(self.done / self.total, 1.0) if self.total else None

    @property
    def under_way(self) -> bool:
        return self.future is not None and not self.future.done()

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds still to go at the pace so far; None before there is a pace."""
        return remaining_seconds(time.monotonic() - self.started, self.done, self.total)


@st.cache_resource(show_spinner=False)
def _works() -> OrderedDict[str, Work]:
    return OrderedDict()


@st.cache_resource(show_spinner=False)
def _executor() -> ThreadPoolExecutor:
    # One at a time: two of these side by side would only fight for the same processor cores.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="studio")


def computed(key: str, title: str, call: Callable[[Progress], Result], *, most: int = _KEPT_RESULTS) -> Result:
    """The result of `call(progress)`, once per key; until it is there the page shows how far it is and ends here.

    The work goes on when the page is left or refreshed, and the result is kept for the next look. A failed piece of
    work raises its error once and is tried again at the next call; one that was cancelled begins again when it is
    asked for.

    Args:
        most: how many results are kept of the keys that begin like this one, up to its first colon.
    """
    works = _works()
    work = works.get(key)
    if work is None:
        work = works[key] = Work(title)
        work.future = _executor().submit(call, work.progress)
        kin = [other for other in works if other.partition(":")[0] == key.partition(":")[0]]
        for old in kin[:-most]:
            works.pop(old, None)
        while len(works) > _KEPT_RESULTS:
            works.popitem(last=False)
    works.move_to_end(key)
    assert work.future is not None
    # Waited for, and then asked: a result that comes as the patience ends is a result, and work may time out itself.
    wait([work.future], timeout=_WORTH_WAITING_SECONDS)
    if not work.future.done():
        _show_progress(work)
        end_page()
    try:
        return work.future.result()
    except (Cancelled, CancelledError):
        if not _asked_again(title):
            end_page()
        works.pop(key, None)
        st.rerun()
    except Exception:
        works.pop(key, None)
        raise


def under_way() -> list[Work]:
    """What is computed beside pages at present, and what waits for that, in their order."""
    return [work for work in list(_works().values()) if work.under_way]


def cancel(work: Work) -> None:
    """End a piece of work at its next step; what waits for it never begins."""
    work.cancelled = True
    if work.future is not None:
        work.future.cancel()


def _asked_again(title: str) -> bool:
    with empty_state("cancel", "Cancelled", f"This page needs it: {plain(title[:1].lower() + title[1:])}."):
        return st.button("Start again", icon=":material/restart_alt:", type="primary", key="start_cancelled_again")


def is_computed(key: str) -> bool:
    """Whether the work of this key has been asked for (and is running or done)."""
    return key in _works()


@st.fragment(run_every=1.0)
def _show_progress(work: Work) -> None:
    if not work.under_way:
        st.rerun()
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(work.title)}**", width="stretch")
            if st.button("Cancel", icon=":material/cancel:", key="cancel_work"):
                cancel(work)
                st.rerun()
        remaining = work.remaining_seconds
        left = "" if remaining is None else f" · about {duration(remaining)} left"
        counts = f" · {work.done:,} of {work.total:,}" if work.total else ""
        what = work.what[:1].upper() + work.what[1:] or "Preparing"
        st.progress(work.share or 0.0, text=f"{plain(what)}{counts}{left}")
        st.caption("You can leave this page: the work goes on.")


def how_far(share: float | None, left_seconds: float | None, unknown: str) -> str:
    """ "at 40 %, about 3 min left"; `unknown` in place of a share that is not known."""
    at = unknown if share is None else f"at {100 * share:.0f} %"
    return at if left_seconds is None else f"{at}, about {duration(left_seconds)} left"


def duration(seconds: float) -> str:
    """Seconds in words a person says: "8 s", "3 min", "1 h 20 min"."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
