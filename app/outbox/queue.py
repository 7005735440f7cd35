"""Decisions that wait in the browser become verdicts and labels, on whichever page is open."""

from __future__ import annotations

from importlib import import_module

from app.kit.guard import guard
from app.state import outbox, visitor, work_lists
from avion_core.errors import AccountError

# By name: these modules bring the models' library along, and most runs have nothing to take.
_TAKEN_BY = {work_lists.REVIEW_CARD: "app.outbox.verdicts", work_lists.LABEL_GRID: "app.outbox.labels"}


def take_waiting() -> None:
    """Write down what waits in the browser, in order, each decision once and in the project it was made in."""
    tab_outbox = outbox.of_this_tab()
    with tab_outbox.taking:
        for decision in tab_outbox.waiting():
            try:
                # One that cannot be written (its text is gone, say) is told and left: it must not block the others.
                with guard():
                    if decision["reviewer"] != visitor.reviewer():
                        hint = "It is not written down under your name."
                        raise AccountError("a decision of somebody else waited here", hint)
                    import_module(_TAKEN_BY[decision["component"]]).take(decision)
            except Exception:
                tab_outbox.taken = decision["seq"]
                raise
            # Not before: Streamlit may end this run within `take`, and the next one takes the decision again.
            tab_outbox.taken = decision["seq"]
