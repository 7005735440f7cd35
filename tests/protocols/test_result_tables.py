"""Tables of results: the same figures in three forms, copied ones apart, and no sign of people's own breaks one."""

from __future__ import annotations

import io
import math

import pandas as pd
import pytest

from avion_core.protocols.result_tables import COLUMNS, COPIED, as_csv, as_latex, as_markdown, spread


@pytest.fixture
def table() -> pd.DataFrame:
    shared = {"project": "demo_1", "protocol": "few-shot", "part": "", "metric": "accuracy", "images": 525}
    shared |= {"source": "", "note": ""}
    own, odd = {"row": "AVION", "parameters": 98304}, {"row": "50% | {x}_$", "parameters": 0}
    gain = {"gain": 3.0, "gain_low": 0.6, "gain_high": 5.5}
    paper = {"published": 74.27, "source": "A", "note": "six sets"}
    rows = [
        own | {"shots": 1, "mean": 49.44, "deviation": 2.05, "seeds": 3, "seconds": 100.4} | gain | paper,
        own | {"shots": 4, "mean": 52.6, "seeds": 1, "seconds": 200.0},
        odd | {"shots": 1, "mean": 39.3, "deviation": 3.5, "seeds": 3, "seconds": 0.0},
        odd | {"shots": 4, "seeds": 0},
    ]
    rows = [shared | row for row in rows]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_the_csv_is_the_long_table(table):
    again = pd.read_csv(io.StringIO(as_csv(table)), keep_default_na=False, na_values=[""])
    assert list(again.columns) == list(COLUMNS)
    assert again["mean"].iloc[0] == 49.44
    assert again["row"].iloc[2] == "50% | {x}_$"


def test_markdown_has_copied_figures_in_a_column_of_their_own(table):
    text = as_markdown(table)
    lines = text.splitlines()
    assert lines[0] == "## demo 1, few-shot: accuracy"
    assert lines[2].startswith("|  | 1 shot | gain | paper (copied) | 4 shots | gain | paper (copied) | images |")
    assert "| 49.4 ± 2.0 (n = 3) | +3.0 (+0.6 to +5.5) | 74.27 | 52.6 (n = 1) |" in text
    assert f"A: {COPIED}. six sets" in text
    assert r"50% \| {x}_$" in text
    assert {line.replace(r"\|", "").count("|") for line in lines[2:6]} == {11}


def test_latex_escapes_what_people_wrote(table):
    text = as_latex(table)
    assert r"50\% | \{x\}\_\$" in text
    assert r"49.4 $\pm$ 2.0 (n = 3)" in text
    assert text.count(r"\begin{tabular}{lrrrrrrrrr}") == 1
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") - line.count(r"\&") for line in body} == {9}
    assert all(line.startswith(("%", "\\", "")) for line in text.splitlines())


def test_a_figure_says_how_many_seeds_it_is_of():
    assert spread(56.44, 1.06, 3) == "56.4 ± 1.1 (n = 3)"
    assert spread(56.44, math.nan, 1) == "56.4 (n = 1)"
    assert spread(math.nan, math.nan, 0) == "–"


def test_nothing_measured_is_an_empty_document():
    assert as_markdown(pd.DataFrame(columns=list(COLUMNS))).strip() == ""
