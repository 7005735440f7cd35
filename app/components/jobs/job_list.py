"""Jobs of every kind in a table, filtered and by pages."""

from __future__ import annotations

from contextlib import suppress

import pandas as pd
import streamlit as st

from app import shell
from app.kit.background import duration
from app.kit.job_panel import STATUSES, standing
from app.state import address, studio, widgets
from avion_core.errors import AvionError
from avion_core.usecases.job_control import list_jobs
from avion_core.usecases.jobs import JobPage, JobView, get_job
from avion_core.usecases.projects.summaries import project_names

_ROWS = 25
_PAGE = "jobs_page"


def filtered_jobs() -> JobPage[JobView]:
    """Draw the filters (they live in the address); returns the page of jobs that pass."""
    home = studio.home()
    every = list_jobs(home, limit=1)
    statuses = [status for status in STATUSES if status in every.statuses]
    widgets.forget_unknown_among("job_kinds", list(every.kinds))
    widgets.forget_unknown_among("job_states", statuses)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kinds = st.pills("Kind", list(every.kinds), selection_mode="multi", key="job_kinds", bind="query-params")
        chosen = st.pills("State", statuses, selection_mode="multi", key="job_states", bind="query-params")
        st.button("Refresh", icon=":material/refresh:", help="The selected job below refreshes automatically.")
    asked = {"kinds": tuple(kinds), "statuses": tuple(chosen), "limit": _ROWS}
    found = list_jobs(home, **asked, page=shell.page_asked(_PAGE))
    return found if found.page <= found.pages else list_jobs(home, **asked, page=found.pages)


def job_table(found: JobPage[JobView]) -> None:
    """The jobs of a page, and the way to the other pages."""
    projects = project_names(studio.home())
    st.dataframe(
        pd.DataFrame([_row(job, found.places.get(job.id), projects) for job in found.rows]),
        hide_index=True,
        height=min(420, 38 + 35 * len(found.rows)),
        placeholder="–",
        column_config={
            "progress": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
            "asked for": st.column_config.DatetimeColumn(format="distance"),
        },
        alt="Jobs of every kind, the newest first",
    )
    shell.page_picker(_PAGE, found.page, found.pages)


def job_selector(found: JobPage[JobView]) -> JobView:
    """Choose one of the jobs on the page, or the one that the address names; the address keeps the choice."""
    by_id = {job.id: job for job in found.rows}
    named = address.asked(address.JOB)
    if named and named not in by_id:
        with suppress(AvionError):  # no longer exists: the selector says so
            job = get_job(studio.home(), named)
            by_id[job.id] = job
    chosen = st.selectbox(
        "Job",
        list(by_id),
        format_func=lambda job: f"{by_id[job].kind} · {by_id[job].status} · {job}",
        key=address.selector(address.JOB, list(by_id)),
        on_change=address.take_selected,
        args=(address.JOB,),
        width=420,
    )
    return by_id[chosen]


def _row(job: JobView, place: int | None, projects: dict[str, str]) -> dict[str, object]:
    return {
        "kind": job.kind,
        "project": projects.get(job.project_id or "", ""),
        "state": standing(job, place),
        "progress": 100.0 * job.done / job.total if job.total else 100.0 * (job.state == "finished"),
        "counted": job.what,
        "time left": duration(job.eta_seconds) if job.eta_seconds else "",
        "who": job.who,
        "executor": job.executor,
        "asked for": job.created_at,
        "job": job.id,
    }
