"""A project's descriptions as they stand now: texts with their edits, and what people decided."""

from __future__ import annotations

import pandas as pd

from avion_core.store import projects as rows
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.verdicts import current_verdicts

COLUMNS = (
    "description_id",
    "class_key",
    "text",
    "verdict",
    "writer",
    "model",
    "original",
    "edited",
    "parent",
    "reviewer",
    "reason",
    "conflict",
)


def read_candidates(home: Home, project_id: str) -> pd.DataFrame:
    """One row per description, by class.

    Columns: description_id, class_key, text (as it reads now), verdict ("accepted", "rejected" or "undecided"),
    writer, model, original (as imported), edited (the two differ), parent (the long text it was split from), reviewer
    and reason (of the newest decision, or empty), conflict (reviewers disagree).
    """
    with reading(home.engine) as session:
        descriptions = rows.descriptions_of(session, project_id)
        decided = current_verdicts(session, project_id)
    table = []
    for row in descriptions:
        current = decided.get(row.description_id)
        text = current.text if current else row.text
        table.append(
            {
                "description_id": row.description_id,
                "class_key": row.class_key,
                "text": text,
                "verdict": current.verdict if current else "undecided",
                "writer": row.writer,
                "model": row.model,
                "original": row.text,
                "edited": text != row.text,
                "parent": row.parent,
                "reviewer": current.reviewer if current else "",
                "reason": current.reason if current else "",
                "conflict": current.conflict if current else False,
            }
        )
    return pd.DataFrame(table, columns=list(COLUMNS)).astype({"edited": bool, "conflict": bool})
