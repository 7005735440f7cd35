"""The buttons that write a report to hand over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app.state import studio
from avion_core.usecases.runs.views import RunView

if TYPE_CHECKING:
    from avion_core.usecases.insight.written_report import WrittenReport


def report_buttons(runs: Sequence[RunView], *, test: bool = False) -> None:
    """One HTML file of a run or of several, and its figures as a zip; written when they are asked for.

    Args:
        test: with what was measured on the sealed test set.
    """
    home, ids = studio.home(), [run.id for run in runs]  # a file is written outside the page's own run
    name = "-".join(["report", *(re.sub(r"[^\w.-]+", "-", run.name) for run in runs)])[:80]

    def written() -> WrittenReport:
        from avion_core.usecases.insight.written_report import write_report  # brings matplotlib along: seconds

        return write_report(home, ids, test=test)

    with st.container(horizontal=True):
        st.download_button(
            "Report to hand over",
            lambda: written().html,
            f"{name}.html",
            "text/html",
            icon=":material/description:",
            key="report_html",
            help="One file that needs no network: figures, curves, map, confusion, mistakes, texts, settings and "
            "licences. It shows pictures and texts of the project.",
        )
        st.download_button(
            "Its figures",
            lambda: written().figures_zip(),
            f"{name}-figures.zip",
            "application/zip",
            icon=":material/image:",
            key="report_figures",
            help="Each figure of the report as SVG and as PNG.",
        )
