"""The report of a run: figures as one long table, and what every method said of every image.

Intervals are 95 %: Wilson's for an accuracy, a percentile bootstrap over images for figures made of accuracies (macro
accuracy, macro F1, a protocol's summary) and for recalls; a calibration error and a temperature have none. `interval`
says which.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from avion_core.files import replacing
from avion_core.reading import Subject, fitted, parse_json, read_arrow

FIGURES = (
    "method", "model", "part", "metric", "value", "low", "high", "interval", "n", "seconds", "parameters",
)  # fmt: skip
PREDICTIONS = (
    "method", "model", "part", "image_id", "class_key", "predicted", "probability", "true_probability",
)  # fmt: skip
OVERALL = "overall"
"""The part of a protocol's summary."""
_FACTS = b"avion"
_FILE = Subject("the report of a run", hint="Delete the file and evaluate the run again.")


@dataclass(frozen=True)
class MeasuredPart:
    """A part as it was measured: see `protocols.protocol.Part`."""

    name: str
    title: str
    project: str
    """The name of the project that it is of."""
    classes: list[str]
    trained: bool
    metric: str = "accuracy"


class _Kept(BaseModel):
    """What a report says beside its two tables."""

    method: str
    model: str
    protocol: str
    split: str
    shots: int
    seed: int
    parts: list[MeasuredPart]
    left_out: dict[str, str]
    step: int = 0
    others_at_work: float | None = None


@dataclass(frozen=True)
class Report:
    """What was measured of a run on one split."""

    figures: pd.DataFrame
    """Columns FIGURES. value, low, high: percent (a temperature has no unit). n: images. seconds: per 1,000 images of
    the method's image encoder on this machine. parameters: numbers that the method fitted."""
    predictions: pd.DataFrame
    """Columns PREDICTIONS, a row per method, model, part and image. probability: of what was predicted;
    true_probability: of the true class."""
    method: str
    model: str
    """`method`, `model`: the run's own rows; the others stand beside it."""
    protocol: str
    split: str
    shots: int
    seed: int
    parts: list[MeasuredPart]
    """In the protocol's order."""
    left_out: dict[str, str]
    """Row that could not be made -> why."""
    step: int = 0
    """The training's, at which it was measured."""
    others_at_work: float | None = None
    """Share of the processors, 0 to 1, that other programs took while `seconds` was timed; None where that is not
    known."""

    def figure(
        self, part: str, metric: str, method: str | None = None, model: str | None = None
    ) -> dict[str, Any] | None:
        """One row of `figures`, of the run itself or of another method; None where it was not measured."""
        rows = self.figures[(self.figures["part"] == part) & (self.figures["metric"] == metric)]
        found = _of(rows, method or self.method, model or self.model)
        return None if found.empty else {str(key): value for key, value in found.iloc[0].items()}

    def value(self, part: str, metric: str, method: str | None = None, model: str | None = None) -> float | None:
        """The value of a figure; None where it was not measured."""
        row = self.figure(part, metric, method, model)
        return None if row is None else float(row["value"])

    def said(self, part: str, method: str | None = None, model: str | None = None) -> pd.DataFrame:
        """What a method said of the images of a part: image_id, class_key, predicted, probability, true_probability,
        correct."""
        rows = self.predictions[self.predictions["part"] == part]
        rows = _of(rows, method or self.method, model or self.model).drop(columns=["method", "model", "part"])
        return rows.assign(correct=rows["predicted"] == rows["class_key"]).reset_index(drop=True)

    def headline(self) -> list[tuple[str, str]]:
        """The figures that answer first, as (part, metric): the protocol's summary, then each part's own."""
        summary = self.figures.loc[self.figures["part"] == OVERALL, "metric"].drop_duplicates()
        return [(OVERALL, metric) for metric in summary] + [(part.name, part.metric) for part in self.parts]

    @property
    def by_captions(self) -> bool:
        """Whether images and captions find each other, and no classes are told apart."""
        return all(not part.classes for part in self.parts)

    def part(self, name: str) -> MeasuredPart:
        """A part by its name."""
        return next(part for part in self.parts if part.name == name)

    def save(self, folder: Path) -> None:
        """Keep it in a run's folder, in place of an earlier one of the same split."""
        facts = {name: value for name, value in vars(self).items() if name not in ("figures", "predictions")}
        facts |= {"parts": [vars(part) for part in self.parts], "measured": uuid.uuid4().hex}
        # The figures last: where both say the same, both are of one measuring.
        for path, table in zip(_paths(folder, self.split), (self.predictions, self.figures), strict=True):
            table = pa.Table.from_pandas(table, preserve_index=False)
            table = table.replace_schema_metadata({**(table.schema.metadata or {}), _FACTS: json.dumps(facts)})
            with replacing(path) as unfinished:
                pq.write_table(table, unfinished)


def load_report(folder: Path, split: str) -> Report | None:
    """What `Report.save` kept of a split; None where nothing was kept whole.

    Raises:
        DataError: a file of it is damaged; it is named.
    """
    paths = _paths(folder, split)
    if not all(path.is_file() for path in paths):
        return None
    predictions, figures = (
        read_arrow(path, _FILE, columns) for path, columns in zip(paths, (PREDICTIONS, FIGURES), strict=True)
    )
    said, facts = (
        fitted(dict[str, Any], parse_json(written, _FILE, value=str(path)), _FILE, value=str(path))
        for path, table in zip(paths, (predictions, figures), strict=True)
        for written in [(table.schema.metadata or {}).get(_FACTS, b"{}")]
    )
    if said.get("measured") != facts.pop("measured", None):
        return None
    kept = fitted(_Kept, facts, _FILE, value=str(paths[1]))
    return Report(figures.to_pandas(), predictions.to_pandas(), **dict(kept))


def at_step(report: Report, step: int) -> Report:
    """The same report, of the student at a step of its training."""
    return replace(report, step=step)


def _of(rows: pd.DataFrame, method: str, model: str) -> pd.DataFrame:
    return rows[(rows["method"] == method) & (rows["model"] == model)]


def _paths(folder: Path, split: str) -> tuple[Path, Path]:
    return folder / f"predictions-{split}.parquet", folder / f"report-{split}.parquet"
