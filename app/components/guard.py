"""Errors as their sentence, and empty states with the button that does the next thing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from avion_core.errors import AvionError


@contextmanager
def guard() -> Iterator[None]:
    """Show an AvionError as what is wrong and the way out, instead of a traceback. Also a decorator."""
    try:
        yield
    except AvionError as error:
        show_error(error)


def show_error(error: AvionError) -> None:
    what = str(error).removesuffix(error.way_out).strip()
    st.error(plain(error.way_out), title=plain(what.removesuffix(".")), icon=":material/error:")


def empty_state(icon: str, title: str, text: str) -> DeltaGenerator:
    """A quiet card in the middle of the page; the caller puts the next step's button into what is returned."""
    with st.container(border=True, horizontal_alignment="center", key=f"empty_{title[:24]}"):
        st.space("small")
        st.markdown(f"## :material/{icon}:", text_alignment="center")
        st.markdown(f"#### {title}", text_alignment="center")
        st.markdown(text, text_alignment="center", width=560)
        actions = st.container(horizontal=True, horizontal_alignment="center")
        st.space("small")
    return actions


def plain(text: str) -> str:
    """A text with Markdown's signs made harmless: messages hold file names, descriptions hold anything."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#$~:" else sign for sign in text)
