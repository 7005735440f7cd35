"""Slow work beside the page: computed once per key in a thread, with its progress shown while it runs."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from app.kit.guard import end_page, plain
from avion_core.progress import Progress, remaining_seconds

Result = TypeVar("Result")

_KEPT_RESULTS = 24
_WORTH_WAITING_SECONDS = 0.4


@dataclass
class Work:
    """One piece of work and how far it is."""

    future: Future[Any] | None = None
    done: int = 0
    total: int = 0
    what: str = ""
    started: float = field(default_factory=time.monotonic)

    def progress(self, done: int, total: int, what: str) -> None:
        self.done, self.total, self.what = done, total, what

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
    work raises its error once and is tried again at the next call.

    Args:
        most: how many results are kept of the keys that begin like this one, up to its first colon.
    """
    works = _works()
    work = works.get(key)
    if work is None:
        work = works[key] = Work()
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
        _show_progress(work, title)
        end_page()
    try:
        return work.future.result()
    except Exception:
        works.pop(key, None)
        raise


def is_computed(key: str) -> bool:
    """Whether the work of this key has been asked for (and is running or done)."""
    return key in _works()


@st.fragment(run_every=1.0)
def _show_progress(work: Work, title: str) -> None:
    assert work.future is not None
    if work.future.done():
        st.rerun()
    with st.container(border=True):
        st.markdown(f"**{plain(title)}**")
        remaining = work.remaining_seconds
        left = "" if remaining is None else f" · about {duration(remaining)} left"
        share = work.done / work.total if work.total else 0.0
        counts = f" · {work.done:,} of {work.total:,}" if work.total else ""
        what = work.what[:1].upper() + work.what[1:] or "Preparing"
        st.progress(min(max(share, 0.0), 1.0), text=f"{plain(what)}{counts}{left}")
        st.caption("You can leave this page: the work goes on.")


def duration(seconds: float) -> str:
    """Seconds in words a person says: "8 s", "3 min", "1 h 20 min"."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
