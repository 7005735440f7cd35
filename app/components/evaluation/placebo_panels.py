"""A placebo test on the page: the form that asks for one, the table of controls, and a sentence for each class."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import shell
from app.kit.guard import plain
from app.state import studio, visitor
from avion_core.usecases import policies
from avion_core.usecases.insight.placebo import PlaceboResult, Verdict, start_placebo
from avion_core.usecases.projects.summaries import ProjectSummary

_ICONS = {"yes": "check_circle", "unclear": "help", "misleads": "cancel", "none": "block"}
_POINTS = "Points by which the class's own descriptions are better, on the same images."


def placebo_form(project: ProjectSummary, *, primary: bool = True) -> None:
    """Ask for a placebo test of the descriptions as they stand."""
    with st.container(horizontal=True, vertical_alignment="center"):
        may_train = visitor.may(policies.TRAIN)
        students = st.toggle(
            "Train students too",
            key="placebo_students",
            disabled=not may_train,
            help="Trains a student with each set of texts, by the project's settings: six trainings.",
        )
        pressed = st.button(
            "Run placebo test",
            icon=":material/science:",
            type="primary" if primary else "secondary",
            key="placebo_start",
            disabled=not visitor.may(policies.REVIEW),
        )
    if pressed:
        start_placebo(studio.home(), project.id, students=students and may_train)
        st.rerun()


def controls_table(found: PlaceboResult, judge: str) -> None:
    """Accuracy under every control, and how much better the class's own descriptions are."""
    rows = found.figures[(found.figures["judge"] == judge) & (found.figures["part"] == "all")]
    shown = pd.DataFrame(
        {
            "texts": rows["title"],
            "accuracy": rows["value"],
            "from": rows["low"],
            "to": rows["high"],
            "own is better by": rows["gain"],
            "at least": rows["gain_low"],
            "at most": rows["gain_high"],
            "images": rows["n"],
        }
    )
    percent = st.column_config.NumberColumn(format="%.1f %%")
    points = st.column_config.NumberColumn(format="%+.1f", help=_POINTS)
    columns = dict.fromkeys(("accuracy", "from", "to"), percent)
    columns |= dict.fromkeys(("own is better by", "at least", "at most"), points)
    st.dataframe(
        shown,
        hide_index=True,
        column_config={"texts": st.column_config.TextColumn(pinned=True)} | columns,
        placeholder="–",
        alt="Accuracy with each set of texts",
    )


def class_sentences(verdicts: list[Verdict]) -> None:
    """Whether each class's words carry meaning, those first for which that can be shown."""
    with st.container(height=420, key="placebo_classes"):
        for one in verdicts:
            st.markdown(f":material/{_ICONS[one.meaning]}: {plain(one.sentence)}")


def class_texts_button(verdicts: list[Verdict]) -> None:
    """From a class to its descriptions, each with its influence."""
    names = {one.part: one.name for one in verdicts}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Influence of each description of", list(names), format_func=names.__getitem__, key="placebo_class"
        )
        shell.sheet_button(chosen, names[chosen])
