"""Writers side by side: what each one's texts alone would make of the project (the paper's open question)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from avion_core.prototypes.text_prototypes import prototype_accuracy
from avion_core.store import generations as generation_rows
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.usecases.curation import Curation
from avion_core.usecases.policies import use_case


@dataclass(frozen=True)
class WriterFigures:
    """One writer and model on a project's classes; shares in percent of its texts."""

    writer: str
    model: str
    texts: int
    """How many."""
    classes: int
    """How many classes have a text of it."""
    flagged: float
    """Share that RS-Flag passes."""
    no_overhead: float
    """Share that lacks an overhead view."""
    ground_view: float
    """Share that speaks of a ground-level view."""
    length: float
    """Share that is too short or too long."""
    kept: float
    """Share within the cut."""
    n_eff: float
    """Effective number of texts, mean over its classes."""
    similarity: tuple[float, float, float]
    """(quartile, median, quartile) of s_j."""
    diversity: float
    """Mean cosine distance of two texts of a class, 0 for one text said again and again."""
    accuracy: float
    """Percent of the validation images that the teacher gets right with prototypes of its texts alone (of the template
    for classes it lacks); NaN without such images."""
    tokens: int
    """Sent and written, as far as known."""
    cost: float | None
    """None where no price was set."""

    @property
    def name(self) -> str:
        return f"{self.writer} · {self.model}" if self.model else self.writer or "unknown"


@dataclass(frozen=True)
class WriterComparison:
    """All writers of a project, the most accurate first; `template` is the accuracy of the class names alone."""

    writers: list[WriterFigures]
    template: float
    classes: int
    validation_images: int


@use_case
def compare_writers(home: Home, curation: Curation) -> WriterComparison:
    """Judge every writer by the rules in force as if its texts were all there are.

    Texts are taken as they were written and verdicts set aside: a writer whom somebody has reviewed already is not
    compared with one whom nobody has. Texts that were edited are nobody's, and left out.
    """
    with reading(home.engine) as session:
        spent = generation_rows.spent(session, curation.project_id)
    written = curation.table[curation.table["text"] == curation.table["original"]]
    found = []
    for (writer, model), part in written.groupby(["writer", "model"], sort=False):
        own = [row for row in spent if (row["writer"], row["model"]) == (writer, model)]
        found.append(_figures(curation, str(writer), str(model), part, own))
    found.sort(key=lambda one: (-1.0 if math.isnan(one.accuracy) else one.accuracy, one.texts), reverse=True)
    features, labels = curation.images["validation"]
    return WriterComparison(
        writers=found,
        template=math.nan if curation.template is None else _accuracy(curation.template, features, labels),
        classes=len(curation.class_keys),
        validation_images=len(features),
    )


def _figures(
    curation: Curation, writer: str, model: str, part: pd.DataFrame, spent: list[dict[str, Any]]
) -> WriterFigures:
    embeddings = curation.embeddings[torch.from_numpy(part.index.to_numpy().copy())]
    config = curation.config
    grounds = curation.grounds(curation.class_keys, part.assign(verdict="undecided"), embeddings)
    fallback = curation.template is not None
    alone = config.prototypes.model_copy(update={"source": "descriptions", "template_fallback": fallback})
    decided = grounds.judged(alone, config.descriptions, allow_blocked=True)
    table = decided.table
    lower, median, upper = np.quantile(table["similarity"].to_numpy(), [0.25, 0.5, 0.75])
    n_eff = [value for value in decided.n_eff.values() if value > 0]
    costs = [row["cost"] for row in spent if row["cost"] is not None]
    return WriterFigures(
        writer=writer,
        model=model,
        texts=len(table),
        classes=len(set(table["class_key"])),
        flagged=_share(table["flag"]),
        no_overhead=100.0 - _share(table["rule_positive"]),
        ground_view=100.0 - _share(table["rule_negative"]),
        length=100.0 - _share(table["rule_words"]),
        kept=_share(table["kept"]),
        n_eff=sum(n_eff) / max(1, len(n_eff)),
        similarity=(float(lower), float(median), float(upper)),
        diversity=diversity(curation.owner[part.index.to_numpy()], embeddings),
        accuracy=_accuracy(decided.vectors, *curation.images["validation"]),
        tokens=sum(row["tokens_in"] + row["tokens_out"] for row in spent),
        cost=sum(costs) if costs else None,
    )


def diversity(owner: np.ndarray, embeddings: Tensor) -> float:
    """Mean over classes of the mean cosine distance between two of a class's texts; NaN where no class has two.

    Of K unit vectors g_j, the mean cosine over pairs is (|sum_j g_j|^2 - K) / (K (K - 1)).

    Args:
        owner: (M,) the class of each text. embeddings: (M, D), unit norm.
    """
    distances = []
    for place in np.unique(owner):
        mine = torch.from_numpy(np.flatnonzero(owner == place))
        count = len(mine)
        if count > 1:
            total = embeddings[mine].double().sum(dim=0)  # (D,)
            distances.append(1.0 - float((total @ total - count) / (count * (count - 1))))
    return sum(distances) / len(distances) if distances else math.nan


def _share(holds: pd.Series) -> float:
    return 100.0 * float(holds.to_numpy(dtype=bool).mean())


def _accuracy(vectors: Tensor, features: Tensor, labels: Tensor) -> float:
    return prototype_accuracy(vectors, features, labels) if len(features) else math.nan
