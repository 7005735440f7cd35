"""Decisions that wait in the browser become verdicts and labels, on whichever page is open."""

from __future__ import annotations

from importlib import import_module

from app.kit.guard import guard
from app.state import session
from avion_core.errors import AccountError

# By name: these modules bring the models' library along, and most runs have nothing to take.
_TAKEN_BY = {session.REVIEW_CARD: "app.outbox.verdicts", session.LABEL_GRID: "app.outbox.labels"}


def take_waiting() -> None:
    """Write down what waits in the browser, in order, each decision once and in the project it was made in."""
    outbox = session.outbox()
    with outbox.taking:
        for decision in outbox.waiting():
            try:
                # One that cannot be written (its text is gone, say) is told and left: it must not block the others.
                with guard():
                    if decision["reviewer"] != session.reviewer():
                        hint = "It is not written down under your name."
                        raise AccountError("a decision of somebody else waited here", hint)
                    import_module(_TAKEN_BY[decision["component"]]).take(decision)
            except Exception:
                outbox.taken = decision["seq"]
                raise
            # Not before: Streamlit may end this run within `take`, and the next one takes the decision again.
            outbox.taken = decision["seq"]
