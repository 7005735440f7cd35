"""Errors as their sentence, empty states with the button that does the next thing, and a page that ends early."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import StopException

from avion_core.errors import AvionError


@contextmanager
def guard() -> Iterator[None]:
    """Show an AvionError as what is wrong and the way out, instead of a traceback. Also a decorator."""
    try:
        yield
    except AvionError as error:
        show_error(error)


def show_error(error: AvionError) -> None:
    what = str(error).removesuffix(error.hint).strip()
    st.error(plain(error.hint), title=plain(what.removesuffix(".")), icon=":material/error:")


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


def end_page() -> NoReturn:
    """Draw nothing further.

    What somebody presses in a fragment while the page is drawn waits for the end of that run, and `st.stop` throws
    it away.
    """
    raise StopException


def plain(text: str) -> str:
    """A text with Markdown's signs made harmless: messages hold file names, descriptions hold anything."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#$~:" else sign for sign in text)
