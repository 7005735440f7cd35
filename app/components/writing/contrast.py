"""From a confused pair of classes to texts: which pull them together, and what other texts would change."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app import shell
from app.components.writing.writing_form import fill_contrast
from app.kit.background import computed
from app.kit.guard import plain
from app.state import sent_lists, studio, visitor, widgets
from avion_core.progress import Progress
from avion_core.usecases import policies
from avion_core.usecases.insight.confusion import (
    Confusions,
    Judge,
    Rescore,
    add_contrastive,
    contrasts,
    pulling_texts,
    try_texts,
)
from avion_core.usecases.insight.figure_words import right_of, told_apart
from avion_core.usecases.projects.summaries import ProjectSummary

Names = Mapping[str, str]

_MARGIN = (
    "How much closer the text is to its own class's training images than to those of the other class (cosines of the "
    "teacher). Near or below 0, it describes the other class as well as its own."
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
    st.subheader(f"Texts that pull {plain(names[true])} and {plain(names[said])} together")
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
            "text": st.column_config.TextColumn(width=255),
            "margin": st.column_config.NumberColumn(format=_COSINE, help=_MARGIN, width=70),
            "own": st.column_config.NumberColumn("to its own", format=_COSINE, width=85),
            "other": st.column_config.NumberColumn("to the other", format=_COSINE, width=95),
            "confused": st.column_config.NumberColumn(
                "to the pictures", format=_COSINE, help="Mean cosine with the pictures of this cell.", width=105
            ),
            "weight": st.column_config.NumberColumn("weight", format="percent", width=70),
        },
        alt=f"Texts of {names[true]} and {names[said]}, the smallest margin first",
    )
    st.caption(f":material/help: **Margin** — {_MARGIN}")
    rows = widgets.selected_rows(f"pulling_{true}_{said}")
    ids = table["description_id"].iloc[rows].tolist() or table["description_id"].head(5).tolist()
    label = f"Review the {len(rows)} chosen" if rows else f"Review the first {len(ids)}"
    if st.button(label, icon=":material/rate_review:", help="Opens the review with these texts alone."):
        to_review(ids)


def contrasts_panel(found: Confusions, cell: tuple[str, str], names: Names, *, blind: bool) -> None:
    """The contrastive descriptions that the project has of the two classes, and what they change as they stand."""

    def look(progress: Progress) -> Rescore:
        return contrasts(studio.home(), found, cell)

    result = computed(f"contrasts:{_state(found)}:{cell}", "Scoring the contrastive descriptions", look)
    if result.texts.empty:
        return
    st.subheader(f"Texts written to distinguish {plain(names[cell[0]])} and {plain(names[cell[1]])}")
    verdicts = result.texts["verdict"].value_counts()
    judged = f", {int(result.texts['kept'].sum()):,} of them in use"
    judged += "".join(f" · {count:,} {verdict}" for verdict, count in verdicts.items())
    ids = result.texts["description_id"].tolist()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(ids):,}** texts{'' if blind else judged}", width="content")
        if st.button("Review them", icon=":material/rate_review:", key="review_contrasts"):
            to_review(ids)
    _figures(result, names)
    _texts(result, names, blind=blind)


def ask_button(cell: tuple[str, str]) -> None:
    """To the writers, with an order for texts of the two classes that tell each from the other."""
    if st.button(
        "Ask for contrastive descriptions",
        icon=":material/edit:",
        disabled=not visitor.may(policies.CHANGE_PROJECTS),
        on_click=fill_contrast,
        args=(cell,),
        help="A language model writes texts that distinguish each class from the other. You see the request and its "
        "cost first.",
    ):
        shell.go("generate")


def contrast_form(project: ProjectSummary, found: Confusions, cell: tuple[str, str], names: Names) -> None:
    """Write texts that tell the two classes apart, see what they would change, and add them."""
    may_add = visitor.may(policies.CHANGE_PROJECTS)
    st.subheader("Write contrastive texts yourself")
    st.caption(
        "Describe what one class shows from above and the other does not. Avoid negations: the teacher reads “without "
        "trees” as trees. One text per line; nothing is trained, and nothing is added until you add it."
    )
    with st.form(f"contrast_{'_'.join(cell)}", border=False):
        sides = st.columns(2, gap="large")
        written = {
            key: side.text_area(
                f"Texts of {plain(names[key])}",
                placeholder=f"Aerial view of {names[key]} with what {names[other]} never shows …",
                height=120,
                key=f"contrast_{key}_{other}",
            )
            for side, key, other in zip(sides, cell, reversed(cell), strict=True)
        }
        with st.container(horizontal=True):
            tried = st.form_submit_button("Test them", icon=":material/science:", type="primary")
            added = st.form_submit_button("Add and review them", icon=":material/playlist_add:", disabled=not may_add)
    texts = {key: [line for line in text.splitlines() if line.strip()] for key, text in written.items()}
    if added:
        to_review(add_contrastive(studio.home(), project.id, texts))
    if tried or any(texts.values()):

        def score(progress: Progress) -> Rescore:
            return try_texts(studio.home(), found, texts, cell)

        result = computed(f"contrast:{_state(found)}:{cell}:{texts}", "Scoring the texts", score)
        _figures(result, names)
        _texts(result, names, blind=False)


def _state(found: Confusions) -> str:
    """Figures rest on the texts in force: verdicts given meanwhile make another piece of work of them."""
    texts = pd.util.hash_pandas_object(found.curation.table[["text", "verdict", "kept", "weight"]]).sum()
    return f"{found.curation.project_id}:{texts}"


def _figures(result: Rescore, names: Names) -> None:
    """Before and after on the validation images."""
    titles = {"all": "all classes", **names}
    teacher = result.figures[result.figures["judge"] == "teacher"]
    with st.grid(3):
        for row in teacher.to_dict("records"):
            if not row["images"]:
                st.metric(f"Teacher, {titles[row['part']]}", "no images", border=True, help="No validation image.")
                continue
            gain, certain = row["after"] - row["before"], told_apart(row["low"], row["high"])
            chance = "" if certain or not gain else ", could be chance"
            st.metric(
                f"Teacher, {titles[row['part']]}",
                f"{row['after']:.1f} %",
                f"{gain:+.1f} points{chance}" if gain else "no change",
                delta_color="normal" if certain else "off",
                delta_arrow="auto" if certain else "off",
                border=True,
                help=f"{right_of(round(row['after'] * row['images'] / 100), row['images'])}; without these texts "
                f"{row['before']:.1f} %. The change is {row['low']:+.1f} to {row['high']:+.1f} points (95 % interval).",
            )
    table = result.figures.assign(judge=result.figures["judge"].map(_JUDGES), part=result.figures["part"].map(titles))
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "before": st.column_config.NumberColumn("without these texts", format="%.1f %%"),
            "after": st.column_config.NumberColumn("with them", format="%.1f %%"),
            "low": st.column_config.NumberColumn("change at least", format="%+.1f"),
            "high": st.column_config.NumberColumn("at most", format="%+.1f"),
        },
        alt="Accuracy without these texts and with them",
    )
    st.caption(
        "Validation images only. The teacher's text prototypes change at once. A trained student uses class names: "
        "it changes only when trained again. Its row, if any, compares its images with the mapped prototypes."
    )


def _texts(result: Rescore, names: Names, *, blind: bool) -> None:
    """What verdicts and rules make of the texts; nobody's judgement where reviewers are not to see each other's."""
    shown = result.texts.assign(**{"class": result.texts["class_key"].map(names)})
    judged = [] if blind else ["kept", "why", "weight"]
    st.dataframe(
        shown[["class", "text", *judged, "margin"]],
        hide_index=True,
        height=min(320, 38 + 35 * len(shown)),
        column_config={
            "text": st.column_config.TextColumn(width="large"),
            "margin": st.column_config.NumberColumn(format=_COSINE, help=_MARGIN),
            "weight": st.column_config.NumberColumn(format="percent"),
        },
        alt="The texts, and what verdicts and rules make of them",
    )


def to_review(ids: list[str]) -> None:
    """Go to the review with these descriptions alone."""
    sent_lists.send_to_review(ids)
    shell.go("review")
