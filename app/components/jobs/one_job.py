"""One job of any kind: live while it goes on, with what came of it after; and starting one."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.components.runs.run_table import STATES
from app.kit.guard import plain
from app.kit.job_panel import job_log, job_panel
from app.state import address, notices, studio, visitor
from avion_core.settings import fields
from avion_core.usecases.job_control import kill_job, may_control, resume_job, start_job, startable_kinds
from avion_core.usecases.jobs import JobView
from avion_core.usecases.policies import TRAIN


def one_job(job: JobView) -> None:
    """Its state, its progress or its result, its log, and what can be done with it."""
    home, may = studio.home(), may_control(visitor.signed_in(), job)
    colour, icon = STATES[job.status]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(job.status, icon=f":material/{icon}:", color=colour)
        st.markdown(f"**{plain(job.kind)}** · {job.id} · {plain(job.who)} · attempt {job.attempt}")
        if not may:
            st.caption(":material/lock: It is for whoever asked for it, and for an adjudicator or an admin.")
    if job.error:
        st.error(plain(job.error), title=f"It {'was lost' if job.state == 'lost' else job.state}")
    if job.active:
        job_panel(home, job.id, job.kind, may_stop=may)
        if not job.waiting and st.button("Kill", icon=":material/dangerous:", help=_LOSES, disabled=not may):
            kill_job(home, job.id)
            st.rerun()
    elif job.state != "finished" and st.button(
        "Resume", icon=":material/play_arrow:", type="primary", disabled=not may
    ):
        resume_job(home, job.id)
        st.rerun()
    asked, result = st.columns(2)
    with asked:
        if may:  # it may hold a path of the server
            _values("What was asked for", job.request)
    with result:
        _values("What came of it", job.result)
    if not job.active:
        job_log(home, job, expanded=job.state == "failed")


_LOSES = "Ends it at once; what it has not saved is lost."


def start_form() -> None:
    """Start a job of a kind that has no page of its own; nothing where every kind has one."""
    kinds = startable_kinds()
    if not kinds:
        return
    with st.popover("Start a job", icon=":material/add:", disabled=not visitor.may(TRAIN)):
        kind = st.selectbox("Kind", list(kinds), key="start_kind")
        typed = {
            name: st.text_input(
                name, placeholder=str(field.default) if not field.is_required() else "", key=f"start_{kind}:{name}"
            )
            for name, field in fields(kinds[kind]).items()
        }
        if st.button("Start", icon=":material/play_arrow:", type="primary"):
            job = start_job(studio.home(), kind, {name: value for name, value in typed.items() if value.strip()})
            address.choose(address.JOB, job)
            notices.say_after_rerun("The job is started", ":material/rocket_launch:")
            st.rerun()


def _values(title: str, values: dict[str, object]) -> None:
    st.markdown(f"**{title}**")
    if values:
        rows = pd.DataFrame([{"name": name, "value": str(value)} for name, value in values.items()])
        st.dataframe(rows, hide_index=True, alt=title)
    else:
        st.caption("Nothing more.")
