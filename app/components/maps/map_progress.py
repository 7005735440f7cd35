"""A map that is being computed in a process of its own: how far it is, and the button that ends it."""

from __future__ import annotations

import streamlit as st

from app.components.maps.map_form import map_label
from app.kit.background import duration
from app.kit.guard import plain, show_error
from app.state import studio, visitor
from avion_core.errors import AvionError
from avion_core.usecases.insight.alignment import MapView, get_map, start_map, stop_map
from avion_core.usecases.policies import TRAIN


@st.fragment(run_every=1.0)
def map_progress(run_id: str, key: str) -> None:
    """Show the progress once a second, and draw the page anew when the map is there."""
    try:
        found = get_map(studio.home(), run_id, key)
    except AvionError:  # stopped in another tab, or the run was trained further
        st.rerun()
    job = found.job
    if job.state != "running":
        st.rerun()
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**Computing the map** · {map_label(found.settings)}", width="stretch")
            _stop_button("Stop", "stop_circle", run_id, found)
        remaining = job.remaining_seconds
        left = "" if remaining is None else f" · about {duration(remaining)} left"
        counts = f" · {job.done:,} of {job.total:,}" if job.total else f" · {duration(job.seconds)} so far"
        what = job.what[:1].upper() + job.what[1:]
        st.progress(min(job.done / job.total, 1.0) if job.total else 0.0, text=f"{what}{counts}{left}")
        st.caption(
            "You can leave this page or stop the server: the work goes on. UMAP compiles itself first, which takes "
            "about 15 s each time."
        )


def map_failed(run_id: str, found: MapView) -> None:
    """Why the map is not there, with the buttons that try again or forget it."""
    st.error(found.job.error, title="The map could not be computed", icon=":material/error:")
    with st.container(horizontal=True):
        if st.button("Try again", icon=":material/refresh:", type="primary"):
            try:
                start_map(studio.home(), run_id, found.settings, visitor.reviewer())
            except AvionError as error:
                show_error(error)
            else:
                st.rerun()
        _stop_button("Forget it", "delete", run_id, found)


def _stop_button(label: str, icon: str, run_id: str, found: MapView) -> None:
    """Ends it or clears it away: for whoever asked for the map, and for those who may stop trainings."""
    may = found.asked_by == visitor.reviewer() or visitor.may(TRAIN)
    note = "Embeddings that were made are kept." if may else f"{found.asked_by or 'Somebody else'} asked for this map."
    if st.button(label, icon=f":material/{icon}:", disabled=not may, help=plain(note)):
        stop_map(studio.home(), run_id, found.key, visitor.reviewer())
        st.rerun()
