"""Writers side by side, as a table and a figure."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.kit import charts
from app.kit.palette import colours
from avion_core.usecases.writing.compare_writers import WriterComparison, WriterFigures

_COLUMNS = {
    "accuracy": "Accuracy of the teacher's prototypes on validation images, made of this writer's texts alone.",
    "RS-Flag": "Texts that pass RS-Flag.",
    "no overhead view": "Texts that name no overhead view.",
    "ground view": "Texts that describe a view from the ground.",
    "length": "Texts shorter or longer than the rules want.",
    "kept": "Texts within the robust z-score's cut.",
    "n_eff": "Effective number of texts in a prototype, mean over classes.",
    "diversity": "Mean cosine distance of two texts of a class: 0 says the same again and again.",
}


def writer_table(found: WriterComparison) -> None:
    """A row per writer and model, every column explained."""
    shown = pd.DataFrame([_row(one, found.classes) for one in found.writers])
    percent = st.column_config.NumberColumn(format="%.1f %%")
    config = {name: st.column_config.NumberColumn(format="%.1f %%", help=why) for name, why in _COLUMNS.items()}
    config |= {
        "n_eff": st.column_config.NumberColumn(format="%.1f", help=_COLUMNS["n_eff"]),
        "diversity": st.column_config.NumberColumn(format="%.3f", help=_COLUMNS["diversity"]),
        "similarity": st.column_config.NumberColumn(
            format="%.3f", help="Median similarity of a text to its class's visual prototype."
        ),
    }
    config["writer"] = st.column_config.TextColumn(width=200, pinned=True)
    st.dataframe(
        shown,
        hide_index=True,
        column_config={"accuracy": percent} | config,
        placeholder="–",
        alt="Writers side by side",
    )


def similarity_chart(found: WriterComparison) -> go.Figure:
    """Quartiles of every writer's similarities, one bar each, the median marked."""
    names = [one.name for one in found.writers]
    colour = colours(names)
    figure = go.Figure()
    for one in reversed(found.writers):
        lower, median, upper = one.similarity
        figure.add_trace(
            go.Scatter(
                x=[lower, median, upper],
                y=[one.name] * 3,
                mode="lines+markers",
                line={"width": 6, "color": colour[one.name]},
                marker={"size": [0, 14, 0], "color": colour[one.name], "line": {"width": 2, "color": "white"}},
                hovertemplate="%{x:.3f}<extra></extra>",
                showlegend=False,
            )
        )
    return charts.layout(figure, 90 + 46 * len(names), legend=False, xaxis_title="similarity to the visual prototype")


def verdict_on(found: WriterComparison) -> str:
    """What the comparison says, in a sentence or two."""
    best = found.writers[0]
    if math.isnan(best.accuracy):
        return "There are no validation images to tell the writers apart by; label some."
    said = (
        f"With the texts of “{best.name}” alone the teacher gets {best.accuracy:.1f} % of {found.validation_images} "
        "validation images right"
    )
    if not math.isnan(found.template):
        against = best.accuracy - found.template
        side = "above" if against >= 0 else "below"
        said += f", {abs(against):.1f} points {side} the class names alone ({found.template:.1f} %)"
    said += "."
    if len(found.writers) > 1:
        lead = best.accuracy - found.writers[1].accuracy
        one_image = 100.0 / found.validation_images
        unsure = " - fewer than three images, so no more than a hint" if lead < 3 * one_image else ""
        said += f" Its lead over “{found.writers[1].name}” is {lead:.1f} points{unsure}."
    return said


def _row(one: WriterFigures, classes: int) -> dict[str, object]:
    return {
        "writer": one.name,
        "texts": one.texts,
        "classes": f"{one.classes} of {classes}",
        "accuracy": one.accuracy,
        "RS-Flag": one.flagged,
        "no overhead view": one.no_overhead,
        "ground view": one.ground_view,
        "length": one.length,
        "kept": one.kept,
        "n_eff": one.n_eff,
        "similarity": one.similarity[1],
        "diversity": one.diversity,
        "tokens": one.tokens or None,
        "cost": one.cost,
    }
