"""How far a review is, for the project, each class and each person; and whether going on would pay."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.components.review.shared_curation import FIGURES_HIDDEN
from app.kit.guard import plain
from app.state import filter_values, studio
from avion_core.usecases.curation import ReviewerView
from avion_core.usecases.curation.agreement import review_progress
from avion_core.usecases.projects.summaries import ProjectSummary


def overview(seen: ReviewerView) -> None:
    """One line for the project, and what is left to gain from more verdicts."""
    verdict, mine = seen.table["verdict"], seen.table["mine"]
    judged, accepted = int((verdict != "undecided").sum()), int((verdict == "accepted").sum())
    own = int(mine.isin(["accepted", "rejected"]).sum())
    told = f"{judged:,} of {len(seen.table):,} judged · {accepted:,} accepted · {judged - accepted:,} rejected · "
    told += f"{own:,} by you"
    if not seen.hides_figures:
        told += f" · {int(seen.curation.table['kept'].sum()):,} in use"
    st.progress(judged / max(1, len(seen.table)), text=told)
    if seen.hides_figures:
        st.caption(FIGURES_HIDDEN)
        return
    worth = seen.count_remaining()
    if worth is not None and worth.curation is seen.curation:
        _meter(seen)
    else:
        st.fragment(_meter, run_every=2.0)(seen)


def _meter(seen: ReviewerView) -> None:
    """Whether going on with the review could pay."""
    worth = seen.count_remaining()
    if worth is None:
        st.markdown(":material/hourglass: Counting what more verdicts could change.")
        return
    value = worth.value
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/{'insights' if value.that_matter else 'task_alt'}: {plain(value.sentence)}",
            help="Counts the undecided descriptions whose verdicts, alone or together, could change the class that the "
            "teacher's prototypes predict for a validation image. The test set is never used."
            + ("" if worth.curation is seen.curation else " The newest verdicts are not counted yet."),
            width="content",
        )
        label = f"Judge these {value.that_matter:,}" if value.that_matter > 1 else "Judge this one"
        pressed = value.that_matter and st.button(
            label,
            icon=":material/arrow_forward:",
            type="tertiary",
            key="what_matters",
            on_click=filter_values.show_unsettled,
        )
    if pressed:
        st.rerun()  # the whole page, also where this line is drawn alone


def progress_tables(project: ProjectSummary, seen: ReviewerView, names: Mapping[str, str]) -> None:
    """A bar for each class, and what each person has done; counted when somebody looks."""
    progress = st.expander(
        "Progress per class and per person", icon=":material/checklist:", key="review_progress", on_change="rerun"
    )
    if not progress.open:
        return
    with progress:
        classes, people = st.columns([3, 2], gap="large")
        classes.dataframe(
            _per_class(seen, names),
            column_config={
                "judged": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.0f %%"),
            },
            alt="Review progress per class",
        )
        people.dataframe(review_progress(studio.home(), project.id), hide_index=True, alt="Decisions of each person")


def _per_class(seen: ReviewerView, names: Mapping[str, str]) -> pd.DataFrame:
    table, verdict = seen.table, seen.table["verdict"]
    counts = (
        pd.DataFrame(
            {
                "class": table["class_key"].map(names),
                "judged": 100 * (verdict != "undecided"),
                "accepted": verdict == "accepted",
                "rejected": verdict == "rejected",
                "in use": seen.curation.table["kept"],
                "texts": 1,
            }
        )
        .groupby("class")
        .agg({"judged": "mean", "accepted": "sum", "rejected": "sum", "in use": "sum", "texts": "sum"})
    )
    return counts.drop(columns="in use") if seen.hides_figures else counts
