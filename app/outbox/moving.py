"""The part of a page that moves with each decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from app.kit.guard import guard
from app.outbox.queue import take_waiting
from app.state import studio, visitor
from avion_core.usecases.projects.summaries import ProjectSummary, get_project


def moving(draw: Callable[[ProjectSummary], None], project: ProjectSummary) -> None:
    """Draw a part of the page that holds the outbox: a decision is taken and this part drawn anew, and no other.

    Where the project has become another one meanwhile (somebody imported texts), or this browser was signed out, the
    whole page is drawn instead.

    Args:
        draw: draws the part; it calls `draw_outbox`.
        project: as the rest of the page shows it.
    """

    first = iter([project])  # drawn with the page itself, which has just asked all this

    @guard()
    def part() -> None:
        draw(next(first, None) or _asked_again(project))

    st.fragment(part)()


def _asked_again(drawn: ProjectSummary) -> ProjectSummary:
    """The project as it is once what waits was taken."""
    if visitor.come_in() is None:
        st.rerun()
    take_waiting()
    now = get_project(studio.home(), drawn.id)
    if replace(now, verdicts=drawn.verdicts) != drawn:
        st.rerun()
    return now
