"""What changes a curation: verdicts given since, which touch a few classes, and rules that are tried out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from avion_core.config import DescriptionsConfig, PrototypesConfig
from avion_core.features.store import text_features
from avion_core.prototypes.decisive import classes_to_look_at_again
from avion_core.prototypes.ranking import rank, rank_again
from avion_core.store import current_verdicts
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.usecases.curation.table import (
    Curation,
    Preview,
    accuracy,
    find_decisive,
    marked,
    with_figures,
    would_change,
)
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.current_descriptions import COLUMNS, decided_columns
from avion_core.usecases.projects.text_lengths import unread_ends

_ALWAYS_THE_SAME = {"description_id", "class_key", "writer", "model", "original", "parent"}


def decision_preview(curation: Curation, prototypes: PrototypesConfig, descriptions: DescriptionsConfig) -> Preview:
    """What other rules would decide, from what `curation_table` has computed: fast enough for a slider."""
    grounds = curation.grounds(curation.class_keys, curation.table, curation.embeddings)
    decided = grounds.judged(prototypes, descriptions, allow_blocked=True)
    rankings = {part: rank(features, decided.vectors) for part, (features, _) in curation.images.items()}
    return Preview(
        table=decided.table,
        would_change=would_change(
            curation.table, decided.table, curation.config.prototypes, prototypes, curation.class_names
        ),
        n_eff=decided.n_eff,
        blocked=decided.blocked,
        vectors=decided.vectors,
        teacher_accuracy=accuracy(curation.images, rankings),
    )


@use_case
def refresh(home: Home, curation: Curation) -> Curation:
    """The curation with every verdict given since: what `curation_table` would say, deciding only what they touch.

    Descriptions, labels, classes and rules must be the same as when it was made; where one of these changed, make a
    new one. The curation given stays as it is.
    """
    with reading(home.engine) as session:
        read_up_to = current_verdicts.mark(session, curation.project_id)
        if read_up_to == curation.read_up_to:
            return curation
        ids = current_verdicts.decided_since(session, curation.project_id, curation.read_up_to)
        decided = current_verdicts.current_verdicts(session, curation.project_id, ids)
    before = curation.table
    rows = np.arange(len(before)) if ids is None else _rows_of(curation, ids)
    at_rows = before.iloc[rows]
    now = pd.DataFrame(decided_columns(at_rows["description_id"].tolist(), at_rows["original"].tolist(), decided))
    table = _spliced(before, rows, now)
    new_text = rows[(at_rows["text"].to_numpy() != now["text"].to_numpy())]
    new_verdict = rows[(at_rows["verdict"].to_numpy() != now["verdict"].to_numpy())]
    embeddings = curation.embeddings
    if len(new_text):
        embeddings = embeddings.clone()
        towers = open_towers(home, curation.config.teacher)
        texts = table["text"].iloc[new_text].tolist()
        embeddings[new_text] = text_features(towers, texts, home.features).cpu()
        long = table["too_long"].to_numpy(copy=True)
        long[new_text] = marked(unread_ends(home, curation.config.teacher, texts).places, len(texts))
        table["too_long"] = long
    curation = replace(curation, table=table, embeddings=embeddings, read_up_to=read_up_to)
    touched = np.unique(curation.owner[np.concatenate([new_text, new_verdict])])
    return _decided_again(curation, touched) if len(touched) else curation


def as_judged(curation: Curation, verdict: pd.Series, before: Curation | None = None) -> Curation:
    """The curation as it would be with other verdicts: what one reviewer's alone make of it, say.

    Args:
        verdict: "accepted", "rejected" or "undecided" of each row of the table.
        before: what this gave for earlier verdicts on the same descriptions; only classes where it differs from what
            is asked for now are decided anew.
    """
    said = {name: curation.table[name] for name in (*COLUMNS, "too_long")} | {"verdict": verdict}
    start = before or curation
    differs = (said["verdict"] != start.table["verdict"]) | (said["text"] != start.table["text"])
    touched = np.unique(curation.owner[differs.to_numpy()])
    start = replace(
        start, table=start.table.assign(**said), embeddings=curation.embeddings, read_up_to=curation.read_up_to
    )
    return _decided_again(start, touched) if len(touched) else start


def _rows_of(curation: Curation, description_ids: Collection[str]) -> np.ndarray:
    """The rows of those that the table holds, in its order."""
    rows = curation.places.get_indexer(pd.Index(list(description_ids), dtype=curation.places.dtype))
    return np.sort(rows[rows >= 0])


def _decided_again(curation: Curation, touched: np.ndarray) -> Curation:
    """The curation with some classes (places) decided anew, from its table's texts and verdicts."""
    rows = np.flatnonzero(np.isin(curation.owner, touched))
    keys = tuple(curation.class_keys[place] for place in touched)
    candidates, embeddings = curation.table[list(COLUMNS)].iloc[rows], curation.embeddings[rows]
    grounds = curation.grounds(keys, candidates, embeddings)
    decided = grounds.judged(curation.config.prototypes, curation.config.descriptions, allow_blocked=True)
    table = _spliced(curation.table, rows, with_figures(decided, candidates, embeddings))
    vectors = curation.vectors.clone()
    vectors[touched] = decided.vectors
    rankings = {
        part: rank_again(curation.rankings[part], features, vectors, touched.tolist())
        for part, (features, _) in curation.images.items()
    }
    blocked = (set(curation.blocked) - set(keys)) | set(decided.blocked)

    # A class that was not touched may have more or less at stake now, where a rival came nearer or went.
    features, after = curation.images["validation"][0], rankings["validation"]
    again = classes_to_look_at_again(curation.rankings["validation"], after, features, vectors, curation.reach)
    again[touched] = True
    rows = np.flatnonzero(again[curation.owner])
    now = table.iloc[rows], curation.owner[rows], curation.embeddings[rows], vectors, curation.template
    fresh = find_decisive(*now, curation.config, curation.images, rankings)
    reach, decisive = np.where(again, fresh[0], curation.reach), table["decisive"].to_numpy(copy=True)
    decisive[rows] = fresh[1]
    table["decisive"] = decisive
    return replace(
        curation,
        table=table,
        n_eff={**curation.n_eff, **decided.n_eff},
        blocked=[key for key in curation.class_keys if key in blocked],
        vectors=vectors,
        teacher_accuracy=accuracy(curation.images, rankings),
        rankings=rankings,
        reach=reach,
    )


def _spliced(table: pd.DataFrame, rows: np.ndarray, part: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns of `part` put in at some rows; a new table, what is not changed shared.

    A verdict changes few of forty columns, and copying those of text takes longest.
    """
    table = table.copy(deep=False)
    for name in part.columns.difference(list(_ALWAYS_THE_SAME), sort=False):
        before = table[name].array
        if before[rows].equals(part[name].array):
            continue
        values = before.copy()
        values[rows] = part[name].array
        table[name] = values
    return table
