"""From a confused pair of classes to texts: which pull them together, and what other texts would change."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app import session, shell
from app.components.background import Progress, computed
from avion_core.studio import rights
from avion_core.studio.confusion import Confusions, Judge, Rescore, add_contrastive, pulling_texts, try_texts
from avion_core.studio.projects import ProjectSummary

Names = Mapping[str, str]

_MARGIN = (
    "How much closer the text is to its own class's training images than to those of the other class (cosines, as the "
    "teacher sees them). Near or below 0 it describes the other class as well as its own."
)
_JUDGES = {
    "teacher": "Teacher, text prototypes",
    "student": "Student's images, on the prototypes mapped into its space",
}
_COSINE = "%.3f"


def pulling_panel(found: Confusions, cell: tuple[str, str], judge: Judge, names: Names, *, blind: bool) -> None:
    """The kept texts of both classes, those that pull them together first; chosen ones go to the review."""
    true, said = cell
    table = pulling_texts(found, true, said, judge)
    st.subheader(f"Texts that pull {names[true]} and {names[said]} together")
    if table.empty:
        st.caption("Neither class has a kept text.")
        return
    shown = table.assign(**{"class": table["class_key"].map(names)})
    columns = ["class", "text", "margin", "own", "other", "confused", *(() if blind else ("weight",))]
    st.dataframe(
        shown[columns],
        hide_index=True,
        key=f"pulling_{true}_{said}",
        on_select="rerun",
        selection_mode="multi-row",
        height=320,
        column_config={
            "text": st.column_config.TextColumn(width="large"),
            "margin": st.column_config.NumberColumn(format=_COSINE, help=_MARGIN),
            "own": st.column_config.NumberColumn("to its own", format=_COSINE),
            "other": st.column_config.NumberColumn("to the other", format=_COSINE),
            "confused": st.column_config.NumberColumn(
                "to the confused pictures", format=_COSINE, help="Mean cosine with the pictures of this cell."
            ),
            "weight": st.column_config.NumberColumn("weight", format="percent"),
        },
        alt=f"Texts of {names[true]} and {names[said]}, the smallest margin first",
    )
    st.caption(f":material/help: **Margin** — {_MARGIN}")
    rows = session.selected_rows(f"pulling_{true}_{said}")
    ids = table["description_id"].iloc[rows].tolist() or table["description_id"].head(5).tolist()
    label = f"Review the {len(rows)} chosen" if rows else f"Review the first {len(ids)}"
    if st.button(label, icon=":material/rate_review:", help="Opens the review with these texts alone."):
        to_review(ids)


def contrast_form(project: ProjectSummary, found: Confusions, cell: tuple[str, str], names: Names) -> None:
    """Write texts that tell the two classes apart, see what they would change, and add them."""
    st.subheader("Write a contrast")
    st.caption(
        "Say what one class shows from above and the other does not. One text a line; nothing is trained, and "
        "nothing is added before you say so."
    )
    with st.form(f"contrast_{'_'.join(cell)}", border=False):
        sides = st.columns(2, gap="large")
        written = {
            key: side.text_area(
                f"Texts of {names[key]}",
                placeholder=f"Aerial view of {names[key]} …, unlike {names[other]} …",
                height=120,
                key=f"contrast_{key}_{other}",
            )
            for side, key, other in zip(sides, cell, reversed(cell), strict=True)
        }
        with st.container(horizontal=True):
            tried = st.form_submit_button("Try them", icon=":material/science:", type="primary")
            may_add = session.may(rights.CHANGE_PROJECTS)
            added = st.form_submit_button("Add and review them", icon=":material/playlist_add:", disabled=not may_add)
    texts = {key: [line for line in text.splitlines() if line.strip()] for key, text in written.items()}
    if added:
        session.demand(rights.CHANGE_PROJECTS)
        to_review(add_contrastive(session.home(), project.id, texts, session.reviewer()))
    if tried or any(texts.values()):
        outcome(found, texts, cell, names)


def outcome(found: Confusions, texts: dict[str, list[str]], cell: tuple[str, str], names: Names) -> None:
    """Before and after on the validation images."""

    def score(progress: Progress) -> Rescore:
        return try_texts(session.home(), found, texts, cell)

    # The figures rest on the texts in force too: verdicts given meanwhile make another piece of work of it.
    state = pd.util.hash_pandas_object(found.curation.table[["text", "kept", "weight"]]).sum()
    result = computed(f"contrast:{found.curation.project_id}:{state}:{cell}:{texts}", "Scoring the texts", score)
    titles = {"all": "all classes", **names}
    teacher = result.figures[result.figures["judge"] == "teacher"]
    with st.grid(3):
        for row in teacher.to_dict("records"):
            gain = row["after"] - row["before"]
            st.metric(
                f"Teacher, {titles[row['part']]}",
                f"{row['after']:.1f} %",
                f"{gain:+.1f} points" if gain else "no change",
                delta_color="normal" if gain else "off",
                delta_arrow="auto" if gain else "off",
                border=True,
                help=f"{row['images']} validation images; before: {row['before']:.1f} %.",
            )
    table = result.figures.assign(judge=result.figures["judge"].map(_JUDGES), part=result.figures["part"].map(titles))
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        table, hide_index=True, column_config={"before": percent, "after": percent}, alt="Accuracy before and after"
    )
    st.caption(
        "Validation images only. The teacher's text prototypes change at once. A trained student reads class names: "
        "it changes at its next training, and its row, where there is one, holds its images against the mapped "
        "prototypes."
    )
    new = result.texts.assign(**{"class": result.texts["class_key"].map(names)})
    cosine = st.column_config.NumberColumn(format=_COSINE)
    st.dataframe(
        new[["class", "text", "kept", "why", "weight", "margin"]],
        hide_index=True,
        column_config={"margin": cosine, "weight": st.column_config.NumberColumn(format="percent")},
        alt="What the rules make of the new texts",
    )


def to_review(ids: list[str]) -> None:
    """Go to the review with these descriptions alone."""
    session.send_to_review(ids)
    st.switch_page(shell.page_path("review"))
