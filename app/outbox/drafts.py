"""The browser's copy of what was typed and not saved, drawn below every page (the browser's half is the .js file)."""

from __future__ import annotations

from app.kit.browser_half import browser_half
from app.state import drafts

_component = browser_half("avion_drafts", __file__)


def draw_drafts(page: str) -> None:
    """Draw it, after the page.

    Args:
        page: what the page is called: another one than before was opened.
    """
    now = drafts.of_this_session()
    data = {
        "page": page,
        "fresh": now.fresh,
        "run": now.run,
        "values": now.values,
        "watched": drafts.css_classes(),
        "forgotten": now.forgotten,
    }
    _component(key=drafts.KEY, data=data, on_sent_change=lambda: None, width="content")
