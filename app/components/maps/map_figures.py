"""Figures beside a map: what a picture cannot say, and how far the picture is to be believed."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

_WHY = {
    "alignment": (
        "Alignment",
        "Mean squared distance of labelled images from the prototype of their class: smaller is closer.",
    ),
    "uniformity": ("Uniformity", "How evenly images spread: more negative is more even, 0 means all fall together."),
    "modality_gap": (
        "Modality gap",
        "Distance between the centre of the images and the centre of the prototypes.",
    ),
    "trust": (
        "Trustworthiness",
        "How well neighbours on the map are neighbours in the embedding space: 1 is all, about 0.5 is chance. "
        "Below 0.8, trust the table rather than the map.",
    ),
}


def map_figures(figures: pd.DataFrame) -> None:
    """Each figure of the student after training, its change since before, and the teacher's beside it; the teacher's
    alone where no student was trained."""
    of_view = figures.set_index("view").to_dict("index")
    if "after" not in of_view:
        for column, (name, (title, why)) in zip(st.columns(len(_WHY)), _WHY.items(), strict=True):
            with column:
                st.metric(title, _shown(of_view["teacher"][name]))
                st.caption(f"The teacher's. {why}{_measured_on(of_view['teacher'], name)}")
        return
    for column, (name, (title, why)) in zip(st.columns(len(_WHY)), _WHY.items(), strict=True):
        after, before, teacher = (of_view[view][name] for view in ("after", "before", "teacher"))
        with column:
            if math.isnan(after):
                st.metric(title, "not known")
            else:
                st.metric(
                    title,
                    f"{after:.3f}",
                    f"{after - before:+.3f}",
                    delta_color="off",  # without an interval, nobody knows what is more than chance
                    delta_description="by training",
                )
            st.caption(
                f"Before {_shown(before)} · teacher {_shown(teacher)}. {why}{_measured_on(of_view['after'], name)}"
            )


def _shown(figure: float) -> str:
    return "not known" if math.isnan(figure) else f"{figure:.3f}"


def _measured_on(figures: dict, name: str) -> str:
    """On what a figure was measured that compares every point with every other, and may therefore be of a draw."""
    if f"{name}_of" not in figures:
        return ""
    return f" Measured on {figures[f'{name}_of']:,} {'points per view' if name == 'trust' else 'images'}."
