"""One run as it stands: state, time left, loss curves, log."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from app import session
from app.components import charts
from app.components.background import duration
from avion_core.studio.projects import ProjectSummary
from avion_core.studio.training import RunView, curves, kill, list_runs, log_tail, resume, stop

STATES: dict[str, tuple[Literal["gray", "blue", "orange", "green", "red"], str]] = {
    "queued": ("gray", "schedule"),
    "running": ("blue", "play_circle"),
    "stopped": ("orange", "pause_circle"),
    "finished": ("green", "check_circle"),
    "failed": ("red", "error"),
    "lost": ("red", "signal_disconnected"),
}
ACTIVE = ("queued", "running")
RESUMABLE = ("stopped", "failed", "lost")

# Losses come as one number each; these are measured in percent and drawn apart.
_PERCENT = ("accuracy", "validation_accuracy")


def run_table(project: ProjectSummary) -> None:
    """Every run, the newest first."""
    runs = list_runs(session.home(), project.id)
    table = pd.DataFrame(
        {
            "name": run.name,
            "state": run.state,
            "progress": 100 * run.step / run.steps if run.steps else 0.0,
            "validation accuracy": run.accuracy,
            "device": run.device or "",
            "started": run.created_at,
            "run": run.id,
        }
        for run in runs
    )

    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config={
            "progress": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
            "validation accuracy": st.column_config.NumberColumn(format="%.1f %%"),
            "started": st.column_config.DatetimeColumn(format="distance"),
        },
        alt="Runs of this project",
    )


def run_figures(run: RunView) -> None:
    colour, icon = STATES[run.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(run.state, icon=f":material/{icon}:", color=colour)
        st.caption(f"{run.name} · {run.id}")
    if run.error:
        st.error(run.error, title="The training failed", icon=":material/error:")
    share = run.step / run.steps if run.steps else 0.0
    left = f" · about {duration(run.eta_seconds)} left" if run.state == "running" and run.eta_seconds else ""
    st.progress(min(share, 1.0), text=f"{run.stage or run.state} · step {run.step:,} of {run.steps:,}{left}")
    with st.container(horizontal=True):
        st.metric("Epoch", run.epoch, border=True)
        accuracy = "–" if run.accuracy is None else f"{run.accuracy:.1f} %"
        st.metric("Validation accuracy", accuracy, border=True)
        st.metric("Device", run.device or "–", border=True)
        beat = "–" if run.heartbeat_age is None or run.state not in ACTIVE else f"{run.heartbeat_age:.0f} s ago"
        st.metric("Last heartbeat", beat, border=True, help="The training process reports every few seconds.")


def run_controls(run: RunView) -> None:
    """Stop, kill, resume: those that make sense in this state."""
    home = session.home()
    with st.container(horizontal=True):
        if run.state in ACTIVE:
            if st.button("Stop", icon=":material/stop_circle:", help="Save, then stop. It can be resumed exactly."):
                stop(home, run.id)
                st.toast("Stopping: the state is being saved")
            if st.button("Kill", icon=":material/dangerous:", help="End at once; work since the last save is lost."):
                kill(home, run.id)
                st.rerun(scope="app")
        if run.state in RESUMABLE and st.button("Resume", icon=":material/play_arrow:", type="primary"):
            resume(home, run.id)
            st.rerun(scope="app")


def run_curves(run: RunView) -> None:
    table = curves(session.home(), run.id).table
    if table.empty:
        st.caption("Curves appear with the first steps.")
        return
    measured = [column for column in table.columns if table[column].notna().any()]
    losses = [column for column in measured if column in charts.LOSSES]
    percent = [column for column in measured if column in _PERCENT]
    left, right = st.columns(2)
    with left:
        st.markdown("**Loss and its parts**")
        st.plotly_chart(
            charts.curves(table, losses),
            key="loss_curves",
            config=charts.QUIET,
            alt="Loss and its parts over the training steps",
        )
    with right:
        st.markdown("**Validation accuracy**")
        if percent:
            st.plotly_chart(
                charts.curves(table, percent, percent=True),
                key="accuracy_curve",
                config=charts.QUIET,
                alt="Validation accuracy over the training steps",
            )
        else:
            st.caption("It appears after the first look at the validation images.")


def run_log(run: RunView) -> None:
    with st.expander("Log", icon=":material/article:"):
        st.code("\n".join(log_tail(session.home(), run.id, 40)) or "Nothing yet.", language=None, height=260)


def run_settings(run: RunView) -> None:
    with st.expander("Settings of this run", icon=":material/settings:"):
        st.json(run.config.model_dump(), expanded=1)
