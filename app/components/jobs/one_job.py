"""One job of any kind: live while it goes on, with what came of it after; and starting one."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.kit.guard import plain
from app.kit.job_panel import whole_job
from app.state import address, notices, studio, visitor
from avion_core.settings import fields
from avion_core.usecases.job_control import may_control, start_job, startable_kinds
from avion_core.usecases.jobs import JobView
from avion_core.usecases.policies import TRAIN


def one_job(job: JobView) -> None:
    """Its status, its progress or its result, its log, and what can be done with it."""
    home = studio.home()
    whole_job(home, job.id, job.kind, f" · {job.id} · {plain(job.who)} · attempt {job.attempt}")
    asked, result = st.columns(2)
    with asked:
        if may_control(home.actor, job):  # it may hold a path of the server
            _values("What was asked for", job.request)
    with result:
        _values("What came of it", job.result)


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
