"""Backups on the settings page: make one, see them, put one back knowing what it costs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.kit.guard import plain
from app.state import notices, studio
from avion_core.usecases.installation.backup import (
    back_up,
    backups_are_ours,
    list_backups,
    losses,
    of_people,
    restore_backup,
)
from avion_core.wording import size

_KINDS = {
    "daily": "every day",
    "by-hand": "by hand",
    "before-migration": "before an update of the database",
    "before-restore": "before a restore",
}


def backups() -> None:
    """The list, with its buttons; for an admin."""
    home = studio.home()
    if not backups_are_ours(home):
        st.markdown("The database runs on its own server: back it up with that server's tools, such as `pg_dump`.")
        return
    st.caption(
        "The server copies the database when it starts and then every day, unless a newer copy exists. Images, "
        "weights and trained students are separate files and are not included."
    )
    if st.button("Back up now", icon=":material/save:"):
        notices.say_after_rerun(f"Backup {back_up(home).name} is made")
        st.rerun()
    found = list_backups(home)
    if not found:
        st.markdown(":material/info: No backup yet.")
        return
    st.dataframe(
        pd.DataFrame(
            {
                "made": [backup.made_at for backup in found],
                "why": [_KINDS[backup.kind] for backup in found],
                "size": [size(backup.size_bytes) for backup in found],
                "file": [str(backup.path) for backup in found],
            }
        ),
        hide_index=True,
        column_config={"made": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")},
        alt="Backups of the database, the newest first",
    )
    labels = {backup.name: f"{backup.made_at:%Y-%m-%d %H:%M} UTC, {_KINDS[backup.kind]}" for backup in found}
    chosen = st.selectbox(
        "Restore a backup",
        list(labels),
        format_func=labels.__getitem__,
        index=None,
        placeholder="Choose a backup",
        key="restore",
        width=420,
    )
    if chosen:
        _restore(chosen)


def _restore(name: str) -> None:
    lost = losses(studio.home(), name)
    if lost:
        st.warning(
            f"This loses {plain(', '.join(lost))} that the backup does not hold. "
            "The current database is backed up first, so that you can return to it.",
            icon=":material/warning:",
        )
    else:
        st.markdown("No work is lost. The current database is backed up first.")
    if people := of_people(studio.home()):
        st.markdown(f":material/group: {plain(people)}")
    if st.button("Restore and lose these" if lost else "Restore", type="primary", icon=":material/history:"):
        restore_backup(studio.home(), name, losing=True)
        st.cache_data.clear()
        st.cache_resource.clear()
        notices.say_after_rerun("The backup is restored")
        st.rerun()
