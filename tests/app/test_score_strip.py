"""The strip of a class's similarities: every text where its figure puts it, and nothing told that is to be hidden."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest

from app.kit.score_strip import COLUMNS, _ticks, markup

MARK = re.compile(r'<i class="(\w+)" style="left:([\d.]+)%;top:(\d+)%"(?: title="([^"]*)")?>')


def table(similarity, kept, *, median=0.3, cut=0.2, text="a text"):
    rows = zip(similarity, kept, strict=True)
    values = [(f"d{place}", value, keeps, median, cut, text) for place, (value, keeps) in enumerate(rows)]
    return pd.DataFrame(values, columns=list(COLUMNS)).astype({"kept": object})


def marks(*given, **more):
    return MARK.findall(markup(*given, **more))


def test_marks_stand_in_the_order_of_their_similarities():
    drawn = marks(table([0.1, 0.4, 0.2], [False, True, True]), "d1", "")
    places = [float(left) for kind, left, *_ in drawn if kind != "focus"]
    assert [kind for kind, *_ in drawn] == ["cut", "kept", "focus", "kept"]
    assert places[0] < places[2] < places[1]
    assert 0 < min(places) < max(places) < 100
    ((_, left, top, _),) = [mark for mark in drawn if mark[0] == "focus"]
    assert (left, top) == drawn[1][1:3]


def test_the_lines_stand_where_the_marks_say():
    html = markup(table([0.1, 0.3, 0.5], [True] * 3, median=0.3, cut=0.1), "", "")
    lines = dict(re.findall(r'class="line (\w+)" style="left:([\d.]+)%', html))
    placed = [left for _, left, *_ in MARK.findall(html)]
    assert lines == {"median": placed[1], "cut": placed[0]}


@pytest.mark.parametrize("cut", [float("-inf"), float("nan"), -5.0])
def test_a_cut_outside_the_texts_has_no_line(cut):
    assert "line cut" not in markup(table([0.1, 0.3], [True, True], cut=cut), "", "")


def test_hidden_verdicts_are_not_told():
    html = markup(table([0.1, 0.3], [None, None]), "", "")
    assert [kind for kind, *_ in MARK.findall(html)] == ["open", "open"]
    assert "not judged by you" in html
    assert "kept" not in html


def test_the_legend_names_what_is_drawn():
    html = markup(table([0.1, 0.3], [True, True]), "", "")
    legend = html[html.index("legend") : html.index("marks")]
    assert "kept" in legend
    assert all(word not in legend for word in ("cut", "this text", "not judged"))


@pytest.mark.parametrize("text", ['<img src=x onerror="alert(1)">', "\"' onmouseover='x", "</div>&amp;"])
def test_a_text_cannot_leave_its_title(text):
    html = markup(table([0.1], [True], text=text), "", text)
    assert html.count("<i ") == len(re.findall(r"<i (?:class|style)=", html))
    assert "<img" not in html
    assert "' onm" not in html
    assert "</div>&amp;" not in html.replace("</div>&amp;amp;", "")


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [float("nan"), 0.5], [float("nan")], []])
def test_few_equal_or_missing_scores_are_drawn(values):
    scores = table(values or [0.5], [True] * max(1, len(values)))
    drawn = marks(scores, "d0", "")
    finite = [value for value in values or [0.5] if math.isfinite(value)]
    assert len([mark for mark in drawn if mark[0] == "kept"]) == len(finite)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.18, 0.42, [("0.20"), ("0.25"), ("0.30"), ("0.35"), ("0.40")]),
        (-1, 1, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
        (0.3001, 0.3009, ["0.3002", "0.3004", "0.3006", "0.3008"]),
    ],
)
def test_ticks_are_few_and_round(low, high, ticks):
    assert [f"{tick:.{digits}f}" for tick, digits in _ticks(low, high)] == ticks
