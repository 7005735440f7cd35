"""A map that is being computed in a process of its own: how far it is, and what can be done when it failed."""

from __future__ import annotations

import streamlit as st

from app.components.maps.map_form import map_label
from app.kit.guard import plain, show_error
from app.kit.job_panel import job_panel
from app.state import studio, visitor
from avion_core.errors import AvionError
from avion_core.usecases.insight.alignment import MapView, Of, start_map, stop_map
from avion_core.usecases.policies import TRAIN

_KEPT = "Embeddings computed so far are kept."


def map_progress(of: Of, found: MapView) -> None:
    """Show the progress, and the page anew when the map is there."""
    home = studio.home()
    job_panel(
        home,
        found.job,
        f"Computing the map · {map_label(found.settings)}",
        stop=lambda _: stop_map(home, of, found.key),
        helps={"Stop": _KEPT},
        note="UMAP is compiled first, which takes about 15 s each time.",
    )


def map_failed(of: Of, found: MapView) -> None:
    """Why the map is not there, with the buttons that try again or forget it."""
    st.error(plain(found.error), title="The map could not be computed", icon=":material/error:")
    with st.container(horizontal=True):
        if st.button("Try again", icon=":material/refresh:", type="primary"):
            try:
                start_map(studio.home(), of, found.settings)
            except AvionError as error:
                show_error(error)
            else:
                st.rerun()
        # For whoever asked for the map, and for those who may stop trainings, as the use case has it.
        may = found.asked_by == visitor.name() or visitor.may(TRAIN)
        note = _KEPT if may else f"{found.asked_by or 'Somebody else'} started this map."
        if st.button("Dismiss", icon=":material/delete:", disabled=not may, help=plain(note)):
            stop_map(studio.home(), of, found.key)
            st.rerun()
