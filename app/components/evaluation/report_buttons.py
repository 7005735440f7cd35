"""The buttons that write what is handed over: a report, its figures, a publication capsule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app.state import studio, visitor
from avion_core.usecases import policies
from avion_core.usecases.runs.views import RunView

if TYPE_CHECKING:
    from avion_core.usecases.insight.written_report import WrittenReport


def report_buttons(runs: Sequence[RunView], *, test: bool = False) -> None:
    """One HTML file of a run or of several, its figures as a zip, and a capsule; written when they are asked for.

    Args:
        test: with what was measured on the sealed test set.
    """
    home, ids = studio.home(), [run.id for run in runs]  # a file is written outside the page's own run
    name = "-".join(re.sub(r"[^\w.-]+", "-", run.name) for run in runs)[:73]

    def written() -> WrittenReport:
        from avion_core.usecases.insight.written_report import write_report  # brings matplotlib along: seconds

        return write_report(home, ids, test=test)

    def packed() -> bytes:
        from avion_core.usecases.transfer.capsule.making import capsule_bytes

        return capsule_bytes(home, ids, test=test)

    with st.container(horizontal=True):
        st.download_button(
            "Report to hand over",
            lambda: written().html,
            f"report-{name}.html",
            "text/html",
            icon=":material/description:",
            key="report_html",
            help="One file that needs no network: figures, curves, map, confusion, mistakes, texts, settings and "
            "licences. It shows pictures and texts of the project.",
        )
        st.download_button(
            "Its figures",
            lambda: written().figures_zip(),
            f"report-{name}-figures.zip",
            "application/zip",
            icon=":material/image:",
            key="report_figures",
            help="Each figure of the report as SVG and as PNG.",
        )
        st.download_button(
            "Publication capsule",
            packed,
            f"{name}.capsule",
            "application/zip",
            icon=":material/deployed_code:",
            key="capsule",
            disabled=not visitor.may(policies.CHANGE_PROJECTS),
            help="What the figures were made from, without images and weights: tables, splits, verdicts, rules, "
            "settings and licences. Others run it again with `avion verify`. Reviewers are numbers in it.",
        )
