"""The outbox: sends what people decide with the review card and the label grid, and says what is not saved yet.

It is drawn on every page, so that decisions reach the store from whichever page is open (the browser's half is the .js
file).
"""

from __future__ import annotations

from app.kit.browser_half import browser_half
from app.state import outbox

_component = browser_half("avion_outbox", __file__)


def draw_outbox() -> None:
    """Draw it. What was taken is dropped in the browser; what waits is in `outbox.of_this_tab()` at the next run."""
    now = outbox.of_this_tab()
    data = {"taken": now.taken, "failures": now.failures}
    _component(key=outbox.KEY, data=data, on_queue_change=lambda: None, width="content")
