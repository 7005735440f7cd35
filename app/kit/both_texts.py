"""Two texts side by side where somebody else has saved theirs while one was typing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import streamlit as st

from app.kit.guard import plain
from avion_core.errors import EditedMeanwhileError

OVERWRITE = "Save mine over it"


class Refused(Protocol):
    """A form that may have been refused: `state.forms.Form`."""

    refused: EditedMeanwhileError | None

    @property
    def key(self) -> str: ...

    def start_again(self) -> None: ...


def save_label(form: Refused, usual: str) -> str:
    """What the button says that saves a form: once it was refused, that it writes over what is there."""
    return usual if form.refused is None else OVERWRITE


def both_texts(form: Refused, titles: Mapping[str, str] | None = None) -> None:
    """Of a form that was refused: each field that is at odds, and the button that gives one's own up.

    Args:
        titles: field -> what it is called on the page.
    """
    if form.refused is None:
        return
    with st.container(border=True):
        st.warning(plain(form.refused.hint), title=plain(form.refused.what.capitalize()), icon=":material/edit:")
        for name, mine in form.refused.yours.items():
            title = plain((titles or {}).get(name, name.replace("_", " ")))
            for column, whose, text in zip(
                st.columns(2), ("yours", "saved meanwhile"), (mine, form.refused.now[name]), strict=True
            ):
                column.markdown(f"**{title}, {whose}**")
                column.markdown(plain(text) or "(empty)")
        st.button("Discard mine", icon=":material/undo:", key=f"{form.key}_discard", on_click=form.start_again)
