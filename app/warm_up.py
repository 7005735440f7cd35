"""What the first page does not need is imported beside it."""

from __future__ import annotations

import gc
from importlib import import_module
from threading import Thread

import streamlit as st


@st.cache_resource(show_spinner=False)
def warm_up() -> None:
    """Import the models' library beside the first page, so that the pages that need it do not wait for it.

    Garbage is looked for with the interpreter held. Among the half million objects of these libraries that takes
    longer than a page and starves work in the background; freezing them takes them out of the collector's sight.

    A thread, not a job: modules are imported into this very process, and nothing is lost when it ends.
    """

    def load() -> None:
        for module in ("curation", "insight.evaluation", "insight.prediction", "insight.confusion"):
            import_module(f"avion_core.usecases.{module}")
        gc.collect()
        gc.freeze()

    Thread(target=load, name="warm-up", daemon=True).start()
