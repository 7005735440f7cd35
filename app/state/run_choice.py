"""The runs that the runs page shows: one, or several beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.state.address import BESIDE, RUN, asked, choose


def shown(known: Sequence[str]) -> list[str]:
    """The runs that the runs page shows: those asked for of the known ones (newest first), else the newest."""
    wanted = dict.fromkeys([asked(RUN), *asked(BESIDE).split(",")])
    show([run for run in wanted if run in known] or known[:1])
    return [asked(RUN), *filter(None, asked(BESIDE).split(","))]


def show(runs: Sequence[str]) -> None:
    """Show one run, or several beside each other, the first one as RUN."""
    choose(RUN, runs[0])
    choose(BESIDE, ",".join(runs[1:]))


def take_picked(table: str, runs: Sequence[str]) -> None:
    """Callback of the table of runs: what is ticked is shown; runs that were shown before stay in front."""
    rows: list[int] = (st.session_state[table].get("selection") or {}).get("rows") or []
    before = [asked(RUN), *asked(BESIDE).split(",")]
    picked: list[str] = [runs[row] for row in rows if row < len(runs)]
    ticked = sorted(picked, key=lambda run: run not in before)
    if ticked:
        show(ticked)
