"""The outbox: sends what people decide with the review card and the label grid, and says what is not saved yet.

It is drawn on every page, so that decisions reach the store from whichever page is open (the browser's half is the .js
file). What it sends draws anew the fragment that it is drawn in, or else the whole page.
"""

from __future__ import annotations

from contextvars import ContextVar

from app.kit.browser_half import browser_half
from app.state import outbox

_component = browser_half("avion_outbox", __file__)
_DRAWN = ContextVar("_DRAWN", default=False)


def draw_outbox() -> None:
    """Draw it. What was taken is dropped in the browser; what waits is in `outbox.of_this_tab()` at the next run."""
    now = outbox.of_this_tab()
    data = {"taken": now.taken, "failures": now.failures}
    _component(key=outbox.KEY, data=data, on_queue_change=lambda: None, width="content")
    _DRAWN.set(True)


def begin_run() -> None:
    """A run of the whole page begins: the outbox is not drawn yet."""
    _DRAWN.set(False)


def is_drawn() -> bool:
    """Whether this run has drawn it."""
    return _DRAWN.get()
