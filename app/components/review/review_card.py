"""The review card: one description, its flag terms, and the keys that judge it (the browser's half is the .js file)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.kit.browser_half import browser_half
from app.kit.word_diff import word_diff
from app.state import outbox, work_lists
from app.state.work_lists import WorkList

# Texts sent ahead, so that fast keys never wait for the server; and behind, for the arrow keys.
AHEAD, BEHIND = 80, 20

_component = browser_half("avion_review_card", __file__)


def card_item(row: dict[str, Any], *, place: int, class_name: str, waits: bool) -> dict[str, Any]:
    """What the card shows of one of `ReviewerView.cards`. `hits` are [start, end, kind], without overlaps."""
    hits, end = [], 0
    for hit in sorted(row["hits"], key=lambda hit: hit["start"]):
        if hit["start"] >= end:
            hits.append([hit["start"], hit["end"], hit["kind"]])
            end = hit["end"]
    return {
        "id": row["description_id"],
        "text": row["text"],
        "changes": word_diff(row["original"], row["text"]) if row["edited"] else None,
        "hits": hits,
        "verdict": row["verdict"],
        "mine": row["mine"],
        "note": _note(row),
        "by": row["reviewer"],
        "waits": waits,
        "class_name": class_name,
        "writer": row["writer"],
        "place": place,
    }


def _note(row: dict[str, Any]) -> str:
    """Whose verdict the badge shows, where it is not simply one's own."""
    if row["conflict"]:
        return "reviewers disagree"
    if row["verdict"] == "undecided":
        return f"edited by {row['reviewer']}" if row["edited"] and row["reviewer"] else ""
    return f"by {row['reviewer']}" if row["mine"] != row["verdict"] else ""


def review_card(work_list: WorkList, items: Sequence[dict[str, Any]], *, more: bool, read_up_to: int) -> None:
    """Draw the card at the work list's cursor. Decisions made in it go to the outbox.

    Args:
        more: more texts wait for a verdict than are among the items.
        read_up_to: the number of the newest verdict that the items show.
    """
    _component(
        key=work_lists.REVIEW_CARD,
        data={
            "items": list(items),
            "cursor": work_list.cursor,
            "total": len(work_list.order),
            "more": more,
            "read_up_to": read_up_to,
            **outbox.sender(work_list),
        },
    )
