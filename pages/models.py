"""Models: the catalog of weights, what of it is here, and how to get the rest."""

from __future__ import annotations

import streamlit as st

from app.components.models.enter_form import enter_form
from app.components.models.model_card import model_card
from app.components.models.model_fixes import WANTED
from app.state import studio, widgets
from avion_core.usecases.models.catalog import list_models
from avion_core.usecases.models.installing import installing_jobs
from avion_core.wording import size


def page() -> None:
    models, jobs = list_models(studio.home()), installing_jobs(studio.home())
    here = [model for model in models if model.installed]
    kept = sum(model.size_bytes for model in here if not model.bundled)
    st.markdown(
        f"**{len(here)} of {len(models)}** models installed"
        + (f", taking {size(kept)} besides the bundled ones." if kept else ".")
        + " A teacher should be large and trained on overhead images, a student small; any CLIP can be either."
    )
    enter_form()
    wanted = widgets.typed(WANTED)
    columns = st.columns(2, gap="medium")
    for place, model in enumerate(sorted(models, key=lambda model: (model.name != wanted, not model.installed))):
        with columns[place % 2]:
            model_card(model, jobs.get(model.name), wanted=model.name == wanted)


page()
