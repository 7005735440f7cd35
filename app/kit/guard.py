"""Errors as their sentence, empty states with the button that does the next thing, and a page that ends early."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import StopException

from avion_core.errors import AvionError

_SIGNS = re.compile(r"[\\`*_{}\[\]<>#$~:&@|]")
_AT_LINE_START = re.compile(r"^(\s*(?:\d+(?=[.)](?:\s|$)))?)([-+](?=\s|$)|-(?=-)|=|(?<=\d)[.)](?=\s|$))", re.MULTILINE)
_WWW = re.compile(r"\b(www)\.", re.IGNORECASE)


@contextmanager
def guard() -> Iterator[None]:
    """Show an AvionError as what is wrong and the way out, instead of a traceback. Also a decorator."""
    try:
        yield
    except AvionError as error:
        show_error(error)


_FIXES: list[Callable[[AvionError], None]] = []


def offer_fixes(draw: Callable[[AvionError], None]) -> None:
    """Let this draw the buttons that fix an error, below each error that is shown; said once, at the start."""
    if draw not in _FIXES:
        _FIXES.append(draw)


def show_error(error: AvionError) -> None:
    what = str(error).removesuffix(error.hint).strip()
    st.error(plain(error.hint), title=plain(what.removesuffix(".")), icon=":material/error:")
    for draw in _FIXES:
        draw(error)


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


def plain(text: object) -> str:
    """A text as Markdown that reads as it was written: names, messages and descriptions hold anything."""
    escaped = _SIGNS.sub(r"\\\g<0>", str(text))
    return _AT_LINE_START.sub(r"\1\\\2", _WWW.sub(r"\1\\.", escaped))


def code(text: object) -> str:
    """A text as a code span, with a fence that it does not hold itself: paths, ids, checksums."""
    shown = str(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}"
