"""The flat keys of figures (`teacher_class_mean_text_accuracy` and kin): what --json prints and earlier versions kept.

They are spelled here alone; everything else reads the report's long table.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from avion_core.metrics.accuracy import confusion, per_class, wilson_interval
from avion_core.protocols.report import FIGURES, OVERALL, PREDICTIONS, MeasuredPart, Report
from avion_core.reading import Subject, read_json

_FILE = Subject("the figures of an earlier version", hint="Delete the file and evaluate the run again.")
_OWN = ("accuracy", "macro_accuracy", "macro_f1", "calibration_error", "temperature", "calibrated_error")
_KEPT_ROWS = (
    *product(("zero_shot", "class_mean", "class_mean_text", "linear_probe"), ("student", "teacher")),
    ("text_prototypes", "teacher"),
)
"""The rows that earlier versions measured beside AVION."""


def flat_figures(report: Report) -> dict[str, Any]:
    """A report under flat keys; the long table is under `figures`.

    Returns:
        protocol, split, shots, seed; seconds per 1,000 images of the run's own method (student_) and of the teacher;
        accuracy, macro_accuracy, macro_f1, calibration_error, temperature and calibrated_error of the run itself, and
        accuracy with the method's name in front of the others (`zero_shot_`, `teacher_linear_probe_`); images,
        class_keys, per_class, confusion, predictions. A protocol of several parts has these under the part's name, and
        at the top `base_accuracy`, `novel_accuracy` and `harmonic_mean`, say, of each method that was measured on all.
        On captions: each part's recalls under its name.
    """
    teacher = report.figures.loc[report.figures["model"] == "teacher", "seconds"]
    own = report.figure(report.parts[0].name, report.parts[0].metric) or {}
    flat: dict[str, Any] = {name: getattr(report, name) for name in ("protocol", "split", "shots", "seed")}
    flat["student_seconds_per_1000"] = own.get("seconds")
    flat["teacher_seconds_per_1000"] = None if teacher.empty else float(teacher.iloc[0])
    flat["figures"] = report.figures.to_dict("records")
    if report.by_captions:
        return flat | {part.name: _flat_recalls(report, part) for part in report.parts}
    parts = {part.name: _flat_part(report, part) for part in report.parts}
    if len(parts) == 1:
        return flat | next(iter(parts.values()))
    for prefix, method, model in _rows(report):
        if all(report.value(name, "accuracy", method, model) is not None for name in parts):
            for name in parts:
                flat[f"{prefix}{name}_accuracy"] = report.value(name, "accuracy", method, model)
    summaries = report.figures[report.figures["part"] == OVERALL]
    for prefix, method, model in _rows(report):
        for row in summaries[(summaries["method"] == method) & (summaries["model"] == model)].itertuples():
            flat[f"{prefix}{row.metric}"] = row.value
    return flat | parts


def read_earlier(folder: Path, split: str) -> Report | None:
    """Figures that an earlier version kept in a run's folder, as a report; None where there are none.

    It kept predictions of AVION and of zero-shot alone, timed the student without its prompts, and fitted the novel
    part's temperature on novel images: that one is left out, and intervals are made from the counts.
    """
    path = folder / f"results-{split}.json"
    if not path.is_file():
        return None
    flat = read_json(path, _FILE)
    try:
        return _earlier_report(flat)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"does not fit its form ({type(error).__name__}: {error})"
        raise _FILE.refused(said, value=str(path)) from error


def _earlier_report(flat: dict[str, Any]) -> Report:
    titles = {"base": "Base classes", "novel": "Novel classes"}
    names = [name for name in titles if name in flat] or ["all"]
    figures: list[dict[str, Any]] = []
    predictions, parts = [], []
    seconds = {model: flat.get(f"{model}_seconds_per_1000") for model in ("student", "teacher")}
    for name in names:
        part = flat if name == "all" else flat[name]
        parts.append(MeasuredPart(name, titles.get(name, ""), "", part["class_keys"], name != "novel"))
        for metric in _OWN:
            if part.get(metric) is not None and (name != "novel" or metric not in ("temperature", "calibrated_error")):
                figures.append(_earlier_row("avion", "student", name, metric, part[metric], part["images"], None))
        for method, model in _KEPT_ROWS:
            value = part.get(f"{_prefix(method, model)}accuracy")
            if value is not None:
                figures.append(_earlier_row(method, model, name, "accuracy", value, part["images"], seconds[model]))
        predictions += _earlier_predictions(name, part["predictions"])
    images = sum(flat[name]["images"] for name in names) if len(names) > 1 else 0
    for method, model in (("avion", "student"), *_KEPT_ROWS):
        prefix = "" if method == "avion" else _prefix(method, model)
        if f"{prefix}harmonic_mean" in flat:
            value = flat[f"{prefix}harmonic_mean"]
            figures.append(_earlier_row(method, model, OVERALL, "harmonic_mean", value, images, None))
    return Report(
        figures=pd.DataFrame(figures, columns=list(FIGURES)),
        predictions=pd.concat(predictions, ignore_index=True)[list(PREDICTIONS)],
        method="avion",
        model="student",
        parts=parts,
        left_out={},
        **{key: flat[key] for key in ("protocol", "split", "shots", "seed", "step")},
    )


def _prefix(method: str, model: str) -> str:
    if (method, model) == ("text_prototypes", "teacher"):
        return "teacher_prototype_"
    return f"{'teacher_' if model == 'teacher' else ''}{method}_"


def _rows(report: Report) -> Iterator[tuple[str, str, str]]:
    """Prefix, method and model of each row; the run's own has no prefix."""
    for method, model in report.figures[["method", "model"]].drop_duplicates().itertuples(index=False):
        own = (method, model) == (report.method, report.model)
        yield "" if own else _prefix(method, model), method, model


def _flat_recalls(report: Report, part: MeasuredPart) -> dict[str, Any]:
    """Recalls of a part: `mr`, `i2t_r1`, ...; with the method's name in front of the others' mR."""
    own = report.figures[(report.figures["method"] == report.method) & (report.figures["model"] == report.model)]
    own = own[own["part"] == part.name]
    flat: dict[str, Any] = dict(zip(own["metric"], own["value"], strict=True))
    for prefix, method, model in _rows(report):
        flat[f"{prefix}mr"] = report.value(part.name, "mr", method, model)
    return flat | {"images": int(own["n"].max())}


def _flat_part(report: Report, part: MeasuredPart) -> dict[str, Any]:
    flat: dict[str, Any] = {metric: report.value(part.name, metric) for metric in _OWN}
    if flat["calibrated_error"] is None:
        del flat["calibrated_error"]
    for prefix, method, model in _rows(report):
        if (value := report.value(part.name, "accuracy", method, model)) is not None:
            flat[f"{prefix}accuracy"] = value
    said = report.said(part.name)
    matrix = confusion_of(said, part.classes)
    flat |= {"images": len(said), "class_keys": part.classes}
    flat |= {"per_class": per_class(matrix, part.classes).to_dict("records"), "confusion": matrix.tolist()}
    zero_shot = report.said(part.name, "zero_shot", "student").set_index("image_id")["predicted"]
    flat["predictions"] = said.assign(zero_shot=said["image_id"].map(zero_shot)).to_dict("records")
    return flat


def confusion_of(said: pd.DataFrame, class_keys: list[str]) -> torch.Tensor:
    """(C, C) counts of predictions (see `Report.said`): row = true class, column = what was said."""
    place = {key: index for index, key in enumerate(class_keys)}
    true, predicted = (torch.tensor(said[name].map(place).to_numpy()) for name in ("class_key", "predicted"))
    return confusion(predicted, true, len(class_keys))


def _earlier_row(
    method: str, model: str, part: str, metric: str, value: float, images: int, seconds: float | None
) -> dict[str, Any]:
    low, high = wilson_interval(round(value * images / 100), images) if metric == "accuracy" else (None, None)
    row = {"method": method, "model": model, "part": part, "metric": metric, "value": value, "low": low, "high": high}
    return row | {"interval": "Wilson" if low is not None else "", "n": images, "seconds": seconds, "parameters": None}


def _earlier_predictions(part: str, kept: list[dict[str, Any]]) -> list[pd.DataFrame]:
    table = pd.DataFrame(kept).assign(method="avion", model="student", part=part)
    untrained = table.assign(method="zero_shot", predicted=table["zero_shot"], probability=None, true_probability=None)
    return [table, untrained]
