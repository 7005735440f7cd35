"""Where one text stands among the similarities of its class, as plain HTML: a reviewer sees it anew at each key, and a
chart's library would take longer to draw it than all else on the page."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import pandas as pd
import streamlit as st

COLUMNS = ("description_id", "similarity", "kept", "median", "cut", "text")
"""Of a curation's table, what a strip shows."""
_MARKS = {"kept": "●", "cut": "×", "open": "●"}
_WORDS = {"kept": "kept", "cut": "cut", "open": "not judged by you", "focus": "this text"}


def score_strip(scores: pd.DataFrame, focus: str, *, alt: str) -> None:
    """Draw a mark for each text of a class, left to right by its similarity, and a ring around the one in focus.

    Args:
        scores: the class's rows with COLUMNS; kept is None where that is not to be told.
        focus: description_id to mark; "" marks none.
        alt: what the strip shows, for those who do not see it.
    """
    st.html(markup(scores, focus, alt))


def markup(scores: pd.DataFrame, focus: str, alt: str) -> str:
    """The strip as HTML; its colours and sizes are those of page.css."""
    values = scores["similarity"].to_numpy(dtype=float)
    low, high = _ends(values)

    def left(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.2f}%"

    lines = {"median": float(scores["median"].iloc[0]), "cut": float(scores["cut"].iloc[0])}
    parts = [
        f'<i class="line {name}" style="left:{left(value)}"><b>{name}</b></i>'
        for name, value in lines.items()
        if low <= value <= high  # also where it is finite: a cut far below all texts cuts none
    ]
    used: list[str] = []
    # A fixed scatter over the height keeps equal scores apart; it carries no meaning.
    heights = np.abs(np.sin(np.arange(len(scores)) * 12.9898)) * 80 + 10
    columns = (scores[name].tolist() for name in ("description_id", "kept", "text"))
    for key, kept, text, value, top in zip(*columns, values, heights, strict=True):
        if not math.isfinite(value):
            continue
        kind = "kept" if kept is True else "cut" if kept is False else "open"
        used.append(kind)
        place = f"left:{left(value)};top:{top:.0f}%"
        parts.append(f'<i class="{kind}" style="{place}" title="{value:.3f}  {escape(text)}">{_MARKS[kind]}</i>')
        if key == focus:
            used.append("focus")
            parts.append(f'<i class="focus" style="{place}"></i>')
    legend = "".join(
        f'<span><i class="{kind}">{_MARKS.get(kind, "")}</i> {words}</span>'
        for kind, words in _WORDS.items()
        if kind in used
    )
    ticks = "".join(f'<i style="left:{left(tick)}">{tick:.{digits}f}</i>' for tick, digits in _ticks(low, high))
    return (
        f'<div class="avion-strip" role="img" aria-label="{escape(alt)}"><p class="legend">{legend}</p>'
        f'<div class="marks">{"".join(parts)}</div><div class="ticks">{ticks}</div>'
        "<p>similarity to the class's training images</p></div>"
    )


def _ends(values: np.ndarray) -> tuple[float, float]:
    """The similarities at the strip's ends, a little outside all of them."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.01
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[tuple[float, int]]:
    """Three to six round numbers between two, each with the digits it is written with."""
    power = 10.0 ** math.floor(math.log10((high - low) / 3))
    step = power * max(factor for factor in (1, 2, 5) if factor * power <= (high - low) / 3)
    digits = max(0, -math.floor(math.log10(step)))
    return [(number * step, digits) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
