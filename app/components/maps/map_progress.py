"""A map that is being computed in a process of its own: how far it is, and what can be done when it failed."""

from __future__ import annotations

import streamlit as st

from app.components.maps.map_form import map_label
from app.kit.guard import plain, show_error
from app.kit.job_panel import job_panel
from app.state import studio, visitor
from avion_core.errors import AvionError
from avion_core.usecases.insight.alignment import MapView, start_map, stop_map
from avion_core.usecases.policies import TRAIN


def map_progress(run_id: str, found: MapView) -> None:
    """Show the progress, and the page anew when the map is there."""
    home = studio.home()
    may, note = _may_stop(found)
    job_panel(
        home,
        found.job,
        f"Computing the map · {map_label(found.settings)}",
        lambda _: stop_map(home, run_id, found.key),
        may_stop=may,
        why_not=note,
        note="UMAP is compiled first, which takes about 15 s each time.",
    )


def map_failed(run_id: str, found: MapView) -> None:
    """Why the map is not there, with the buttons that try again or forget it."""
    st.error(plain(found.error), title="The map could not be computed", icon=":material/error:")
    with st.container(horizontal=True):
        if st.button("Try again", icon=":material/refresh:", type="primary"):
            try:
                start_map(studio.home(), run_id, found.settings)
            except AvionError as error:
                show_error(error)
            else:
                st.rerun()
        may, note = _may_stop(found)
        if st.button("Dismiss", icon=":material/delete:", disabled=not may, help=plain(note)):
            stop_map(studio.home(), run_id, found.key)
            st.rerun()


def _may_stop(found: MapView) -> tuple[bool, str]:
    """Ending or clearing it away is for whoever asked for the map, and for those who may stop trainings."""
    may = found.asked_by == visitor.name() or visitor.may(TRAIN)
    return (
        may,
        "Embeddings computed so far are kept." if may else f"{found.asked_by or 'Somebody else'} started this map.",
    )
