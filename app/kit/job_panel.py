"""The one live panel of a job of any kind: how far it is, how long it will take, its log, and a button to stop it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.kit.background import duration
from app.kit.guard import plain
from avion_core.errors import AvionError
from avion_core.progress import BYTES
from avion_core.usecases.installation.home import Home
from avion_core.usecases.job_control import start_job_now, stop_job
from avion_core.usecases.jobs import JobView, get_job, log_tail

_LOG_LINES = 100


@st.fragment(run_every=1.0)
def job_panel(
    home: Home,
    job_id: str,
    title: str,
    stop: Callable[[JobView], object] | None = None,
    *,
    may_stop: bool = True,
    why_not: str = "",
    note: str = "",
) -> None:
    """Show a job once a second, and the page anew when it has ended.

    Args:
        stop: what the button does, where it is more than `stop_job`.
        may_stop, why_not: whether it is for this person, and if not, why.
        note: what else there is to know while it lasts.
    """
    try:
        job = get_job(home, job_id)
    except AvionError:  # forgotten in another tab
        st.rerun()
    if not job.active:
        st.rerun()
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(title)}**", width="stretch")
            if job.waiting and st.button(
                "Start now",
                key=f"start_{job.id}",
                icon=":material/play_arrow:",
                disabled=not may_stop,
                help="Beside whatever computes already.",
            ):
                start_job_now(home, job.id)
                st.rerun(scope="fragment")
            disabled = job.stopping or not may_stop
            if st.button(
                "Stop",
                key=f"stop_{job.id}",
                icon=":material/stop_circle:",
                disabled=disabled,
                help=plain(why_not) or None,
            ):
                stop(job) if stop else stop_job(home, job.id)
                st.rerun(scope="fragment")
        job_progress(job)
        st.caption(f"You can leave this page or stop the server: the work goes on. {note}".strip())
        job_log(home, job)


def job_progress(job: JobView) -> None:
    """A bar and a line: what is counted, how far, and how long it will take."""
    doing = "stopping" if job.stopping else "waiting for its turn" if job.waiting else _doing(job) or "starting"
    counts = f" · {job.counts}" if job.total else ""
    if not counts and job.seconds is not None:
        counts = f" · {duration(job.seconds)} so far"
    left = "" if job.eta_seconds is None else f" · about {duration(job.eta_seconds)} left"
    share = min(job.done / job.total, 1.0) if job.total else 0.0
    st.progress(share, text=f"{plain(doing[:1].upper() + doing[1:])}{counts}{left}")


def how_far(job: JobView) -> str:
    """In a word or two: "waiting", "stopping", "at 40 %, about 3 min left"."""
    if job.status != "running":
        return job.status
    share = f"at {100 * job.done / job.total:.0f} %" if job.total else "running"
    return share if job.eta_seconds is None else f"{share}, about {duration(job.eta_seconds)} left"


def _doing(job: JobView) -> str:
    """What it is at: what it counts, or the part of the work where that are bytes."""
    return job.stage if job.what == BYTES else job.what or job.stage


def job_log(home: Home, job: JobView, *, expanded: bool = False) -> None:
    """The end of a job's log."""
    with st.expander("Log", icon=":material/article:", expanded=expanded):
        st.code("\n".join(log_tail(home, job.id, _LOG_LINES)) or "Nothing yet.", language=None, height=260)
