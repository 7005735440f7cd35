"""Decisions that wait in the browser become verdicts and labels, on whichever page is open."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import streamlit as st

from app.kit.guard import plain, show_error
from app.state import outbox, visitor, work_lists
from avion_core.errors import AccountError, AvionError, StoreBusyError, StoreDamagedError, StoreError
from avion_core.wording import counted

# By name: these modules bring the models' library along, and most runs have nothing to take.
_TAKEN_BY = {work_lists.REVIEW_CARD: "app.outbox.verdicts", work_lists.LABEL_GRID: "app.outbox.labels"}

# What stands in the way of all decisions alike, until somebody helps: none of them is at fault.
_PASSING = (StoreBusyError, StoreDamagedError, OSError)


def take_waiting() -> None:
    """Write down what waits in the browser, in order, each decision once and in the project it was made in.

    A decision leaves the browser when it stands in the database, or was refused for a reason of its own. While the
    database cannot be written (locked, full, damaged) it stays there with all behind it, is said to wait, and is sent
    again.
    """
    tab_outbox = outbox.of_this_tab()
    with tab_outbox.taking:
        waiting = tab_outbox.waiting()
        for place, decision in enumerate(waiting):
            try:
                _take(decision)
            except _PASSING as error:
                tab_outbox.failures += 1
                _say_waiting(len(waiting) - place, error)
                return
            except AvionError as error:
                show_error(error)  # its text no longer exists, say: it must not block the others
            except Exception:
                tab_outbox.taken = decision["seq"]
                raise
            # Not before: Streamlit may end this run within `take`, and the next one takes the decision again.
            tab_outbox.taken = decision["seq"]


def _take(decision: Mapping[str, Any]) -> None:
    if decision["reviewer"] != visitor.name():
        raise AccountError("a decision of somebody else was waiting here", "It is not written down under your name.")
    import_module(_TAKEN_BY[decision["component"]]).take(decision)


def _say_waiting(count: int, error: StoreError | OSError) -> None:
    why = error.what if isinstance(error, StoreError) else f"a file cannot be written ({error.strerror or error})"
    hint = error.hint if isinstance(error, StoreError) else "Make room on the disk, or check its rights."
    st.warning(
        plain(f"{why[:1].upper()}{why[1:]}. {hint} They are kept in this tab and sent again until they are saved."),
        title=f"{counted(count, 'decision')} not saved yet: leave this tab open",
        icon=":material/hourglass_top:",
    )
