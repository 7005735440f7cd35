"""A notification by the browser when a job has ended while another tab was looked at, if the person allows it."""

from __future__ import annotations

from collections.abc import Mapping

from app.kit.browser_half import browser_half

_component = browser_half("avion_notification", __file__)


def ask_and_notify(ended: Mapping[str, str], *, asks: bool) -> None:
    """Draw it.

    Args:
        ended: job -> how it ended; each is announced once a tab.
        asks: offer to be notified, where the browser has not been asked yet.
    """
    _component(key="notification", data={"ended": [list(pair) for pair in ended.items()], "asks": asks})
