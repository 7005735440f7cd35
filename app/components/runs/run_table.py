"""All runs of a project in a table: filter, sort, tick one to look at it, or several to compare them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.kit.background import duration
from app.kit.job_panel import STATUSES, age, standing
from app.state import run_choice, studio, widgets
from avion_core.usecases.jobs import JobPage
from avion_core.usecases.runs.choices import describe
from avion_core.usecases.runs.listing import page_of_runs
from avion_core.usecases.runs.views import RunView

PAGE = "runs_page"
_ROWS = 50


def filtered_runs(project: str, page: int) -> JobPage[RunView]:
    """Draw the filters (they live in the address); returns the page of runs that pass."""
    home = studio.home()
    known = page_of_runs(home, project, limit=1).statuses
    statuses = [status for status in STATUSES if status in known]
    widgets.forget_unknown_among("run_states", statuses)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.pills("State", statuses, selection_mode="multi", key="run_states", bind="query-params")
        words = st.text_input(
            "Search", placeholder="name, id, student, shots 4 …", key="run_words", bind="query-params", width=280
        )
        st.button("Refresh", icon=":material/refresh:", help="The table also refreshes automatically.")
    asked = {"statuses": tuple(wanted), "words": words, "limit": _ROWS}
    found = page_of_runs(home, project, **asked, page=page)
    return found if page <= found.pages else page_of_runs(home, project, **asked, page=found.pages)


def run_table(found: JobPage[RunView], shown: Sequence[str], baseline: str | None) -> None:
    """The runs of a page as a table whose ticked rows are what the page shows below.

    Args:
        shown: ids of the runs that are shown now.
    """
    runs, places = found.rows, found.places
    ids = [run.id for run in runs]
    # Another list of runs is another table: ticks are row numbers, and would be another run's.
    key = f"runs_{hash(tuple(ids))}_{hash(tuple(shown))}"
    st.dataframe(
        pd.DataFrame([_row(run, places.get(run.id), baseline) for run in runs]),
        key=key,
        hide_index=True,
        height=min(420, 38 + 35 * len(runs)),
        placeholder="–",
        on_select=lambda: run_choice.take_picked(key, ids),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(run) for run in shown if run in ids]}},
        column_config={
            "progress": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
            "validation": st.column_config.NumberColumn(format="%.1f %%", help="Accuracy on the validation images."),
            "started": st.column_config.DatetimeColumn(format="distance"),
            "heartbeat": st.column_config.TextColumn(help="Time since the last heartbeat."),
        },
        alt="Runs of this project; select one to see it, several to compare them",
    )


def _row(run: RunView, place: int | None, baseline: str | None) -> dict[str, object]:
    return {
        "name": run.name,
        "role": "baseline" if run.id == baseline else "",
        "state": standing(run, place),
        "progress": 100 * run.step / run.steps if run.steps else 0.0,
        "validation": run.accuracy,
        "time left": duration(run.eta_seconds) if run.eta_seconds else "",
        "heartbeat": age(run.heartbeat_age),
        "device": run.device or "",
        "shots": run.config.data.shots,
        "seed": run.config.data.seed,
        "method": describe(run.config),
        "protocol": run.config.protocol.name,
        "started": run.started_at or run.created_at,
        "run": run.id,
    }
