"""One pair of towers of the catalog: what it is, what of it is here, and the ways to get it or to be rid of it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.kit.background import duration
from app.kit.guard import code, plain, show_error
from app.state import notices, studio, visitor
from avion_core.usecases import policies
from avion_core.usecases.models.catalog import (
    Installing,
    Model,
    installing,
    remove_model,
    start_adding,
    start_download,
    stop_installing,
)

_LARGEST_UPLOAD_MB = 2000


def model_card(model: Model) -> None:
    """The card, with its buttons for whoever may use them."""
    work = installing(studio.home(), model.name)
    with st.container(border=True):
        st.markdown(f"#### {plain(model.title)}  {_badge(model)}")
        st.markdown(
            f"{size(model.size_bytes)} · {model.parameters / 1e6:,.0f} million parameters · dimension {model.dim} · "
            f"{model.image_size} px · {model.activation}"
        )
        st.caption(f"Licence: {plain(model.licence)}  \nSource: {plain(model.source)}")
        if model.sha256:
            st.caption(f"Installed from {plain(model.origin)}  \nSHA-256 {code(model.sha256)}")
        if work is not None and not work.finished:
            _under_way(work)
            return
        if work is not None and work.error is not None:
            show_error(work.error)
        if model.problem:
            st.error(plain(model.problem), icon=":material/error:")
        if not model.bundled:
            _actions(model)


def size(count: int) -> str:
    """Bytes as people say them: "12 KB", "605 MB", "3.9 GB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} KB"


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
        return f":orange-badge[:material/pause: {size(model.partial_bytes)} of {size(model.size_bytes)} downloaded]"
    return ":gray-badge[not installed]"


def _actions(model: Model) -> None:
    barred = not visitor.may(policies.ADMINISTER)
    with st.container(horizontal=True):
        if not model.installed:
            label = "Resume the download" if model.partial_bytes else "Download"
            if st.button(
                label,
                key=f"download_{model.name}",
                icon=":material/download:",
                disabled=barred,
                help=f"{model.hub} from the Hugging Face hub",
            ):
                start_download(studio.home(), model.name)
                st.rerun()
        with st.popover(
            "Use another file" if model.installed else "Add a file", icon=":material/file_open:", disabled=barred
        ):
            _add_form(model)
        if model.installed or model.partial_bytes or model.problem:
            with st.popover("Remove", icon=":material/delete:", disabled=barred):
                st.markdown("Projects that use it stay as they are; they work again once it is reinstalled.")
                if st.button(f"Remove {model.title}", key=f"remove_{model.name}", type="primary"):
                    freed = remove_model(studio.home(), model.name)
                    notices.say_after_rerun(f"{size(freed)} freed", ":material/delete:")
                    st.rerun()


def _add_form(model: Model) -> None:
    with st.form(f"add_{model.name}", border=False):
        path = st.text_input(
            "Path on the server", placeholder="/data/weights/model.safetensors", key=f"path_{model.name}"
        )
        sent = st.file_uploader(
            "Or upload a file", key=f"sent_{model.name}", max_upload_size=_LARGEST_UPLOAD_MB, width="stretch"
        )
        st.caption("Safetensors or a PyTorch file. All weights are checked before it is kept; missing ones are listed.")
        if st.form_submit_button("Check and install", type="primary"):
            if sent is not None:
                start_adding(studio.home(), model.name, sent, sent.name)
            elif path.strip():
                start_adding(studio.home(), model.name, Path(path.strip()).expanduser())
            else:
                st.warning("Name a file, or choose one.")
                return
            st.rerun()


@st.fragment(run_every=1.0)
def _under_way(work: Installing) -> None:
    if work.finished:
        st.rerun()
    if not work.downloads:
        st.progress(0.0, text="Loading the file to check it, then copying it")
        return
    left = "" if work.remaining_seconds is None else f" · about {duration(work.remaining_seconds)} left"
    share = min(work.done / work.total, 1.0) if work.total else 0.0
    text = f"{size(work.done)} of {size(work.total)}{left}" if work.total else "Asking the hub"
    st.progress(share, text="Stopping" if work.stopping else text)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("You can leave this page; the download continues.", width="stretch")
        if st.button("Stop", key=f"stop_{work.name}", icon=":material/stop:", disabled=work.stopping):
            stop_installing(studio.home(), work.name)
            st.rerun(scope="fragment")
