"""A project's descriptions as they stand now: texts with their edits, and what people decided."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from avion_core.store.current_verdicts import CurrentVerdict, current_verdicts
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.projects import candidates_of
from avion_core.usecases.policies import use_case

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
    "judged_by",
)


@use_case
def current_descriptions(home: Home, project_id: str, description_id: str | None = None) -> pd.DataFrame:
    """One row per description (or the one asked for), by class.

    Columns: description_id, class_key, text (as it reads now), verdict ("accepted", "rejected" or "undecided"),
    writer, model, original (as imported), edited (the two differ), parent (the long text it was split from), reviewer
    and reason (of the decision that counts last, or empty), conflict (reviewers disagree), judged_by (everybody
    whose verdict on the present text stands).
    """
    with reading(home.engine) as session:
        found = candidates_of(session, project_id, description_id)
        decided = current_verdicts(session, project_id, None if description_id is None else [description_id])
    table = pd.DataFrame(found, columns=["description_id", "class_key", "original", "writer", "model", "parent"])
    ids, originals = table["description_id"].tolist(), table["original"].tolist()
    return table.assign(**decided_columns(ids, originals, decided))[list(COLUMNS)]


def decided_columns(
    description_ids: Sequence[str], originals: Sequence[str], decided: dict[str, CurrentVerdict]
) -> dict[str, pd.Series]:
    """The columns that verdicts decide, for descriptions with their texts as imported."""
    found = [decided.get(key) for key in description_ids]
    texts = [now.text if now else original for now, original in zip(found, originals, strict=True)]
    columns = {
        "text": texts,
        "verdict": [now.verdict if now else "undecided" for now in found],
        "edited": [text != original for text, original in zip(texts, originals, strict=True)],
        "reviewer": [now.reviewer if now else "" for now in found],
        "reason": [now.reason if now else "" for now in found],
        "conflict": [now is not None and now.conflict for now in found],
        "judged_by": [now.judged_by if now else () for now in found],
    }
    kinds = {"edited": bool, "conflict": bool, "judged_by": object}
    return {name: pd.Series(values, dtype=kinds.get(name, str)) for name, values in columns.items()}
