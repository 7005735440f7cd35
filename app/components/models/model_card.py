"""One pair of towers of the catalog: what it is, what of it is here, and the ways to get it or to be rid of it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.kit.guard import code, plain
from app.kit.job_panel import job_panel
from app.state import notices, studio, visitor
from avion_core.usecases import policies
from avion_core.usecases.jobs import JobView
from avion_core.usecases.models.catalog import Model, remove_model
from avion_core.usecases.models.entering import forget_model
from avion_core.usecases.models.installing import clear_failures, start_adding, start_download
from avion_core.wording import size

_LARGEST_UPLOAD_MB = 6000
"""Room for the largest of the catalog (3.9 GB); the server holds it in memory while it comes in."""


def model_card(model: Model, job: JobView | None, *, wanted: bool = False) -> None:
    """The card, with its buttons for whoever may use them.

    Args:
        job: the newest that installs these weights.
        wanted: another page sent for these weights: the form that adds them stands open.
    """
    with st.container(border=True):
        st.markdown(f"#### {plain(model.title)}  {_badge(model)}")
        large = size(model.size_bytes) if model.size_bytes else "size not known"
        st.markdown(
            f"{large} · {model.parameters / 1e6:,.0f} million parameters · dimension {model.dim} · "
            f"{model.image_size} px · {model.activation}"
        )
        st.caption(f"Licence: {plain(model.licence)}  \nSource: {plain(model.source)}")
        if model.warning:
            st.caption(f":material/warning: {plain(model.warning)}")
        if model.sha256:
            st.caption(f"Installed from {plain(model.origin)}  \nSHA-256 {code(model.sha256)}")
        if job is not None and job.active:
            job_panel(studio.home(), job.id, f"Installing {model.title}")
            return
        if job is not None and job.state in ("failed", "lost"):
            _failed(model, job)
        if model.problem:
            st.error(plain(model.problem), icon=":material/error:")
        if not model.bundled:
            _actions(model, wanted=wanted)


def _failed(model: Model, job: JobView) -> None:
    st.error(plain(job.error or ""), title="The weights could not be installed", icon=":material/error:")
    if st.button(
        "Clear the message",
        key=f"forget_{job.id}",
        icon=":material/close:",
        disabled=not visitor.may(policies.ADMINISTER),
        help="What was downloaded stays; the failed jobs leave the page Jobs.",
    ):
        clear_failures(studio.home(), model.name)
        st.rerun()


def _badge(model: Model) -> str:
    if model.problem:
        return ":red-badge[:material/error: broken]"
    if model.installed:
        return (
            ":green-badge[:material/check: comes with AVION]"
            if model.bundled
            else ":green-badge[:material/check: installed]"
        )
    if model.partial_bytes:
        whole = f" of {size(model.size_bytes)}" if model.size_bytes else ""
        return f":orange-badge[:material/pause: {size(model.partial_bytes)}{whole} downloaded]"
    return ":gray-badge[not installed]"


def _actions(model: Model, *, wanted: bool) -> None:
    barred = not visitor.may(policies.ADMINISTER)
    with st.container(horizontal=True):
        if not model.installed and model.hub:
            label = "Resume the download" if model.partial_bytes else "Download"
            if st.button(
                label,
                key=f"download_{model.name}",
                icon=":material/download:",
                disabled=barred,
                help=f"{model.hub}. Its licence: {model.licence}",
            ):
                start_download(studio.home(), model.name)
                st.rerun()
        label = "Use another file" if model.installed else "Add a file"
        if wanted and not barred:
            with st.container(border=True):
                st.markdown(f"**{label}**")
                _add_form(model)
        else:
            with st.popover(label, icon=":material/file_open:", disabled=barred):
                _add_form(model)
        if model.installed or model.partial_bytes or model.problem:
            with st.popover("Remove", icon=":material/delete:", disabled=barred):
                st.markdown("Projects that use it stay as they are; they work again once it is reinstalled.")
                if st.button(f"Remove {model.title}", key=f"remove_{model.name}", type="primary"):
                    freed = remove_model(studio.home(), model.name)
                    notices.say_after_rerun(f"{size(freed)} freed", ":material/delete:")
                    st.rerun()
        if model.own and st.button(
            "Forget",
            key=f"leave_{model.name}",
            icon=":material/playlist_remove:",
            disabled=barred,
            help="Takes this model of your own out of the catalog and deletes its weights.",
        ):
            forget_model(studio.home(), model.name)
            st.rerun()


def _add_form(model: Model) -> None:
    with st.form(f"add_{model.name}", border=False):
        path = st.text_input(
            "Path on the server", placeholder="/data/weights/model.safetensors", key=f"path_{model.name}"
        )
        sent = st.file_uploader(
            "Or upload a file", key=f"sent_{model.name}", max_upload_size=_LARGEST_UPLOAD_MB, width="stretch"
        )
        st.caption(
            "Safetensors or a PyTorch file. All weights are checked before it is kept; missing ones are listed. An "
            f"upload takes up to {_LARGEST_UPLOAD_MB / 1000:g} GB and as much memory of the server; a path takes any."
        )
        if st.form_submit_button("Check and install", type="primary"):
            if sent is not None:
                start_adding(studio.home(), model.name, sent, sent.name)
            elif path.strip():
                start_adding(studio.home(), model.name, Path(path.strip()).expanduser())
            else:
                st.warning("Name a file, or choose one.")
                return
            st.rerun()
