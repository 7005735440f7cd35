"""Which texts of the review's list wait for a decision: the review goes from one of them to the next.

Most lists hold texts that nobody has judged, and those are what waits. In a list of judged texts alone it is those that
the reviewer has not judged; in a list of their own verdicts, all of it, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from app.state.work_lists import WorkList

UNDECIDED, NOT_MINE, EACH = "undecided", "not judged by me", "each"


def undecided(table: pd.DataFrame) -> pd.Series:
    """Whether a text waits for a verdict: nobody's holds, and the reviewer neither gave one nor skipped it."""
    return (table["verdict"] == "undecided") & ~table["judged"]


def mark_done(work_list: WorkList, table: pd.DataFrame) -> None:
    """Note which texts of the list wait for nobody any more, colleagues' verdicts among what is known.

    Args:
        table: the reviewer's view of the curation, of the whole project.
    """
    in_list = table[table["description_id"].isin(work_list.places)] if not work_list.asks else table
    if not work_list.asks:
        kinds = {UNDECIDED: undecided(in_list).any(), NOT_MINE: (~in_list["judged"]).any()}
        work_list.asks = next((kind for kind, some in kinds.items() if some), EACH)
    if work_list.asks != EACH:  # where each is asked for, done is what was decided in passing
        waits = undecided(table) if work_list.asks == UNDECIDED else ~table["judged"]
        work_list.done = set(table.loc[~waits, "description_id"])


def sent_ahead(work_list: WorkList, ahead: int, behind: int) -> tuple[list[str], bool]:
    """The texts that the browser holds: those around the cursor, and the next ones that wait, in the list's order.

    Returns:
        Their ids, and whether more wait than are among them.
    """
    place = work_list.place
    near = work_list.order[max(0, place - behind) : place + ahead]
    cyclic = _waiting(work_list, [*work_list.order[place:], *work_list.order[:place]], ahead + 1)
    chosen = {*near, *cyclic[:ahead]}
    return sorted(chosen, key=work_list.places.__getitem__), len(cyclic) > ahead


def _waiting(work_list: WorkList, ids: Sequence[str], most: int) -> list[str]:
    found = []
    for item in ids:
        if item not in work_list.done:
            found.append(item)
            if len(found) == most:
                break
    return found
