"""Settings: people, where everything lies and how much of it, backups, the device, and which keys are set."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.components.installation.backups import backups
from app.components.people.accounts import own_account, people, team
from app.kit.guard import code, plain
from app.state import studio, visitor
from avion_core.usecases import policies
from avion_core.usecases.installation.home import Home
from avion_core.usecases.installation.resources import Storage, device, keys_present, storage
from avion_core.wording import size


def page() -> None:
    admin = visitor.may(policies.ADMINISTER)
    person = visitor.signed_in()
    names = ["People", "Storage", "Backups", "Device and keys"] if admin else ["You", "Storage", "Device and keys"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    if admin:
        with tabs["People"]:
            people(person)
        with tabs["Backups"]:
            backups()
    else:
        with tabs["You"]:
            own_account(person)
            team()
    with tabs["Storage"]:
        storage_tab(measured(studio.home(), str(studio.home().path)))
    with tabs["Device and keys"]:
        device_tab()
        keys_tab()


@st.cache_data(ttl="1m", max_entries=4, show_spinner="Measuring the folders")
def measured(_home: Home, path: str) -> Storage:
    return storage(_home)


def storage_tab(found: Storage) -> None:
    with st.container(horizontal=True):
        st.metric(
            "Used here", size(sum(folder.size_bytes for folder in found.folders) + found.database_bytes), border=True
        )
        st.metric("Free on this disk", size(found.free_bytes), border=True)
    st.markdown(
        f"Everything is stored in {code(found.home)}. AVION_HOME, or `avion app --home FOLDER`, chooses another folder."
    )
    rows = [(folder.name, folder.what, folder.size_bytes) for folder in found.folders]
    rows.append(("database", f"{found.database}, schema {found.schema}", found.database_bytes))
    st.dataframe(
        pd.DataFrame(
            [(name, what, size(count)) for name, what, count in sorted(rows, key=lambda row: -row[2])],
            columns=["part", "what it holds", "size"],
        ),
        hide_index=True,
        alt="Parts of the home folder and their sizes",
    )


def device_tab() -> None:
    found = device()
    threads = "one thread" if found.threads == 1 else f"{found.threads} threads"
    st.markdown(f"**{plain(found.kind)}** {plain(found.name)} · {threads} · {found.software}")
    used = 1 - found.free_memory_bytes / found.memory_bytes
    st.progress(used, text=f"Memory: {size(found.free_memory_bytes)} of {size(found.memory_bytes)} free")


def keys_tab() -> None:
    st.markdown("**Keys for writers over the network**")
    for name, present in keys_present().items():
        sign = ":green[:material/check_circle:] set" if present else ":gray[:material/radio_button_unchecked:] not set"
        st.markdown(f"`{name}` {sign}")
    st.caption(
        "Read from the environment of the server, and never shown, kept or sent anywhere but to their service. "
        "Only those writers need a key."
    )


page()
