"""How far a review is: one line for the project, one bar per class."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st


def progress_line(table: pd.DataFrame) -> None:
    judged = int((table["verdict"] != "undecided").sum())
    accepted = int((table["verdict"] == "accepted").sum())
    st.progress(
        judged / max(1, len(table)),
        text=f"{judged:,} of {len(table):,} judged · {accepted:,} accepted · {judged - accepted:,} rejected · "
        f"{int(table['kept'].sum()):,} in use",
    )


def class_progress(table: pd.DataFrame, names: Mapping[str, str]) -> None:
    """A table with a bar per class: judged, accepted, rejected, in use."""
    verdict = table["verdict"]
    per_class = (
        pd.DataFrame(
            {
                "class": table["class_key"].map(names),
                "judged": 100 * (verdict != "undecided"),
                "accepted": verdict == "accepted",
                "rejected": verdict == "rejected",
                "in use": table["kept"],
                "texts": 1,
            }
        )
        .groupby("class")
        .agg({"judged": "mean", "accepted": "sum", "rejected": "sum", "in use": "sum", "texts": "sum"})
    )
    with st.expander("Progress per class", icon=":material/checklist:"):
        st.dataframe(
            per_class,
            column_config={
                "judged": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.0f %%"),
            },
            alt="Review progress per class",
        )
