"""The one live panel of a job of any kind: its status, how far it is, its log, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import streamlit as st

from app.kit import background
from app.kit.background import duration
from app.kit.guard import guard, plain
from avion_core.errors import AvionError
from avion_core.progress import BYTES
from avion_core.usecases.installation.home import Home
from avion_core.usecases.job_control import kill_job, may_control, resume_job, start_job_now, stop_job, who_controls
from avion_core.usecases.jobs import JobView, get_job, log_tail

Colour = Literal["gray", "blue", "orange", "green", "red"]
STATUSES: dict[str, tuple[Colour, str]] = {
    "waiting": ("gray", "schedule"),
    "starting": ("gray", "hourglass_top"),
    "running": ("blue", "play_circle"),
    "stopping": ("orange", "pause_circle"),
    "stopped": ("orange", "pause_circle"),
    "finished": ("green", "check_circle"),
    "failed": ("red", "error"),
    "lost": ("red", "signal_disconnected"),
}
"""Status of a job -> the colour and the icon of its badge."""

_LOG_LINES = 200
_HELP = {
    "Start now": "Beside whatever computes already.",
    "Leave": "Takes it off the queue.",
    "Stop": "Saves what it has, then stops.",
    "Kill": "Ends it at once; what it has not saved is lost.",
    "Resume": "Continues with what it has saved; waits its turn while another job uses the device.",
}


def job_panel(
    home: Home,
    job_id: str,
    title: str,
    *,
    stop: Callable[[JobView], object] | None = None,
    helps: Mapping[str, str] | None = None,
    note: str = "",
) -> None:
    """Show a job for which the page waits, every second, and the page again once it has ended.

    Args:
        stop: what the button does, where it is more than `stop_job`.
        helps: button -> what it does to this job, where that is more than `_HELP` says.
        note: what else there is to know while it lasts.
    """

    def draw(job: JobView) -> None:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain(title)}**", width="stretch")
                _start_and_stop(home, job, stop, _HELP | dict(helps or {}))
            job_progress(job)
            st.caption(f"You can leave this page or stop the server: the work goes on. {note}".strip())
            job_log(home, job)

    _live(home, job_id, draw)


def whole_job(
    home: Home,
    job_id: str,
    title: str,
    more: str = "",
    *,
    body: Callable[[JobView], object] | None = None,
    helps: Mapping[str, str] | None = None,
    every: float = 1.0,
) -> None:
    """Show the job that a page is about, live or ended: its status, what came in its way, all that can be done with it.

    Args:
        more: Markdown beside its title.
        body: draws what its kind shows of it, in place of the bare progress.
        helps: button -> what it does to this job, where that is more than `_HELP` says.
        every: seconds after which it is drawn again while it is live.
    """

    def draw(job: JobView) -> None:
        colour, icon = STATUSES[job.status]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(job.status, icon=f":material/{icon}:", color=colour)
            st.markdown(f"**{plain(title)}**{more}", width="stretch")
            _every_button(home, job, _HELP | dict(helps or {}))
        if not may_control(home.actor, job):
            st.caption(f":material/lock: {plain(who_controls(job))}")
        if job.error:
            st.error(plain(job.error), title=_ending(job), icon=":material/error:")
        (body or job_progress)(job)
        job_log(home, job, expanded=job.state == "failed")

    _live(home, job_id, draw, every)


def _live(home: Home, job_id: str, draw: Callable[[JobView], None], every: float = 1.0) -> None:
    """Draw a job again and again while it is active; once it has ended, or begun again, the whole page."""
    try:
        drawn = get_job(home, job_id)
    except AvionError:  # forgotten in another tab
        st.rerun()

    @guard()
    def again() -> None:
        try:
            job = get_job(home, drawn.id)
        except AvionError:
            st.rerun(scope="app")
        if job.active != drawn.active:
            st.rerun(scope="app")
        draw(job)

    st.fragment(again, run_every=every if drawn.active else None)()


def _every_button(home: Home, job: JobView, helps: Mapping[str, str]) -> None:
    may = may_control(home.actor, job)
    if job.active:
        _start_and_stop(home, job, None, helps)
        if not job.waiting and st.button(
            "Kill", key=f"kill_{job.id}", icon=":material/dangerous:", help=helps["Kill"], disabled=not may
        ):
            kill_job(home, job.id)
            st.rerun(scope="app")
    elif job.state != "finished" and st.button(
        "Resume",
        key=f"resume_{job.id}",
        icon=":material/resume:",
        type="primary",
        help=helps["Resume"],
        disabled=not may,
    ):
        resume_job(home, job.id)
        st.rerun(scope="app")


def _start_and_stop(
    home: Home, job: JobView, stop: Callable[[JobView], object] | None, helps: Mapping[str, str]
) -> None:
    may = may_control(home.actor, job)
    if job.waiting and st.button(
        "Start now", key=f"start_{job.id}", icon=":material/play_arrow:", help=helps["Start now"], disabled=not may
    ):
        start_job_now(home, job.id)
        st.rerun(scope="app")
    what = helps["Leave" if job.waiting else "Stop"]
    if st.button(
        "Stop",
        key=f"stop_{job.id}",
        icon=":material/stop_circle:",
        help=plain(what if may else who_controls(job)),
        disabled=job.stopping or not may,
    ):
        stop(job) if stop else stop_job(home, job.id)
        st.rerun(scope="app")


def _ending(job: JobView) -> str:
    how = {"failed": "It failed", "lost": "It was lost"}.get(job.state, "It was ended")
    return f"{how} ({job.cause})" if job.cause else how


def job_progress(job: JobView) -> None:
    """A bar and a line: what is counted, how far, and how long it will take."""
    doing = job.status if not job.active else "waiting for its turn" if job.waiting else _doing(job) or "starting"
    counts = job.counts
    if not counts and job.seconds is not None:
        counts = f"{duration(job.seconds)} so far"
    share = job.done / job.total if job.total else float(job.state == "finished")
    progress_line("stopping" if job.stopping else doing, counts, share, job.eta_seconds)


def progress_line(doing: str, counts: str, share: float, left_seconds: float | None) -> None:
    """The bar and line of whatever has a progress.

    Args:
        share: done, of 1.
    """
    left = "" if left_seconds is None else f"about {duration(left_seconds)} left"
    said = " · ".join(filter(None, (plain(doing[:1].upper() + doing[1:]), counts, left)))
    st.progress(min(max(share, 0.0), 1.0), text=said)


def how_far(job: JobView) -> str:
    """In a word or two: "waiting", "stopping", "at 40 %, about 3 min left"."""
    if job.status != "running":
        return job.status
    return background.how_far(job.done / job.total if job.total else None, job.eta_seconds, "running")


def _doing(job: JobView) -> str:
    """What it is at: what it counts, or the part of the work where that are bytes."""
    return job.stage if job.what == BYTES else job.what or job.stage


def job_log(home: Home, job: JobView, *, expanded: bool = False) -> None:
    """The end of a job's log."""
    with st.expander("Log", icon=":material/article:", expanded=expanded):
        st.code("\n".join(log_tail(home, job.id, _LOG_LINES)) or "Nothing yet.", language=None, height=260)


def standing(job: JobView, place: int | None) -> str:
    """A job's status in a list, with its place in the queue where it waits there."""
    return f"{job.status}, {place} in the queue" if place else job.status


def age(seconds: float | None) -> str:
    """ "3 s ago"; "" for what never was."""
    return "" if seconds is None else f"{duration(seconds)} ago"
