"""The form that makes any CLIP a model of the catalog."""

from __future__ import annotations

import streamlit as st

from app.state import notices, studio, visitor
from avion_core.usecases import policies
from avion_core.usecases.models.entering import enter_model
from avion_core.usecases.models.installing import start_adding


def enter_form() -> None:
    """A source, and what the catalog shall call it."""
    barred = not visitor.may(policies.ADMINISTER)
    with st.expander("Enter another model", icon=":material/add:"), st.form("enter_model", border=False):
        source = st.text_input(
            "Source",
            placeholder="hf-hub:ORG/NAME",
            key="enter_source",
            help="An architecture of open_clip (ViT-B-16), one with a tag of its weights (ViT-B-16:openai), a "
            "repository of the hub (hf-hub:ORG/NAME), or a folder on the server with an open_clip_config.json "
            "and weights.",
        )
        name = st.text_input("Name in the catalog (optional)", key="enter_name")
        licence = st.text_input(
            "Licence of the weights (optional)", key="enter_licence", help="By default what the hub's card says."
        )
        if st.form_submit_button("Enter", type="primary", disabled=barred):
            if not source.strip():
                st.warning("Name a source.")
                return
            made = enter_model(studio.home(), source.strip(), name=name.strip(), licence=licence.strip())
            if made.weights is not None:
                start_adding(studio.home(), made.name, made.weights)
            notices.say_after_rerun(f"{made.title} is in the catalog. Its licence: {made.licence}", ":material/add:")
            st.rerun()
