"""The browser's half of a component: its .html, .css and .js file; the look and the queue that all of them share."""

from __future__ import annotations

from pathlib import Path

from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer

_SHARED_CSS, _SHARED_JS = (Path(__file__).with_suffix(kind) for kind in (".css", ".js"))


def browser_half(name: str, module: str) -> ComponentRenderer:
    """Register a component from the files beside a module that are called as it is.

    Args:
        module: its `__file__`.
    """
    html, css, js = (Path(module).with_suffix(kind).read_text(encoding="utf-8") for kind in (".html", ".css", ".js"))
    css = _SHARED_CSS.read_text(encoding="utf-8") + css
    js = _SHARED_JS.read_text(encoding="utf-8") + js
    return component(name, html=html, css=css, js=js)
