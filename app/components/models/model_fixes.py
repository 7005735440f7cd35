"""The buttons that fix an error about a model's weights: another pair, a download, a file."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st
from streamlit.errors import StreamlitDuplicateElementKey

from app.kit.guard import guard
from app.shell import go
from app.state import address, notices, studio, visitor, widgets
from avion_core.errors import WeightsBrokenError, WeightsMissingError
from avion_core.usecases import policies
from avion_core.usecases.models.catalog import PAIRS, Model, list_models
from avion_core.usecases.models.installing import start_download
from avion_core.usecases.projects.models import set_models
from avion_core.wording import size

WANTED = "_wanted_model"
"""The model whose card the page Models shows first, with its form open."""
_BUNDLED = PAIRS[-1]


def fix_weights(error: WeightsMissingError | WeightsBrokenError) -> None:
    """Below an error about weights, the ways to go on."""
    with suppress(StreamlitDuplicateElementKey):  # the same error twice on a page: one set of buttons will do
        model_buttons(error.model)


def model_buttons(name: str, key: str = "fix") -> None:
    """Use the bundled pair, download the weights, or add a file."""
    model = next((model for model in list_models(studio.home()) if model.name == name), None)
    if model is None:
        return
    project = address.project_id()
    with st.container(horizontal=True, key=f"{key}_{name}"):
        if name not in _BUNDLED and project is not None:
            st.button(
                "Use the bundled pair",
                icon=":material/swap_horiz:",
                key=f"{key}_pair_{name}",
                disabled=not visitor.may(policies.CHANGE_PROJECTS),
                help="This project works with the small demo models, which come with AVION Studio. Runs stay.",
                on_click=_use_bundled,
                args=(project,),
            )
        if not model.bundled:
            _get_buttons(model, key)


def _get_buttons(model: Model, key: str) -> None:
    barred = not visitor.may(policies.ADMINISTER)
    left = f" ({size(model.size_bytes - model.partial_bytes)})" if model.size_bytes else ""
    label = "Resume the download" if model.partial_bytes else "Download"
    if model.hub and st.button(
        f"{label}{left}",
        icon=":material/download:",
        key=f"{key}_get_{model.name}",
        disabled=barred,
        help=f"{model.hub}. Its licence: {model.licence}",
    ):
        start_download(studio.home(), model.name)
        _show(model.name)
    if st.button("Add a file", icon=":material/file_open:", key=f"{key}_add_{model.name}", disabled=barred):
        _show(model.name)


def _show(name: str) -> None:
    widgets.fill(WANTED, name)
    go("models")


def _use_bundled(project: str) -> None:
    with guard():
        said = set_models(studio.home(), project, *_BUNDLED)
        notices.say_after_rerun(" ".join(["The project works with the bundled pair now.", *said[:1]]))
