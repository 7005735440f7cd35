"""From a matplotlib figure to the two forms that are handed over, with nothing of people's text taken for markup."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

_DOTS = 200  # per inch, of the PNG: sharp in print at the width of a page
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a dollar in a class's name is a dollar
    "svg.fonttype": "none",  # letters stay letters: to be searched, and in scripts that the drawing's own font lacks
    "svg.hashsalt": "avion",  # the same figure is the same file
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e7eb",
    "figure.constrained_layout.use": True,
}
_one_at_a_time = threading.RLock()  # matplotlib's settings are the process's


class Drawn:
    """A figure, as a file of either form once one is asked for."""

    def __init__(self, figure: Figure, alt: str) -> None:
        self._figure = figure
        self.alt = alt
        """What it shows, for those who do not see it."""

    @cached_property
    def svg(self) -> bytes:
        return self._file("svg", {"Date": None})

    @cached_property
    def png(self) -> bytes:
        return self._file("png", {"Software": None})

    def _file(self, form: str, facts: dict[str, None]) -> bytes:
        stream = io.BytesIO()
        with style():
            self._figure.savefig(stream, format=form, dpi=_DOTS, metadata=facts)
        return stream.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """Draw inside this: the calm look of all figures, one figure at a time."""
    with _one_at_a_time, rc_context(_STYLE):
        yield
