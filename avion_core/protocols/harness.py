"""Methods x parts -> report: a run measured beside everything that costs less (docs/method.md section 7)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
import torch
from torch import Tensor

from avion_core.backbones.given import GivenTowers
from avion_core.backbones.load import WeightStore
from avion_core.backbones.towers import ImageTower, Towers
from avion_core.config import RunConfig
from avion_core.data.project import LabelledImages, ProjectData
from avion_core.errors import DataError, NotFoundError, PrototypeError
from avion_core.features.store import FeatureStore, prepare_images
from avion_core.machine import OthersAtWork
from avion_core.methods import METHODS, find_method
from avion_core.methods.bench import Bench
from avion_core.methods.method import Method, Task
from avion_core.metrics.accuracy import confusion, macro_accuracy, macro_f1, wilson_interval
from avion_core.metrics.bootstrap import accuracy_interval, macro_intervals, recall_intervals
from avion_core.metrics.calibration import expected_calibration_error, fit_temperature
from avion_core.metrics.retrieval import embedding_hits
from avion_core.progress import Progress
from avion_core.protocols import find_protocol
from avion_core.protocols.nearness import with_nearness
from avion_core.protocols.protocol import Part
from avion_core.protocols.report import FIGURES, OVERALL, PREDICTIONS, MeasuredPart, Report
from avion_core.protocols.retrieval import CaptionPart

TIMED_IMAGES = 64


class MeasuringStopped(Exception):
    """Somebody asked the measuring to stop; embeddings that were made are kept."""


def evaluate(
    project: ProjectData,
    config: RunConfig,
    folder: Path,
    split: str = "validation",
    *,
    others: Sequence[ProjectData] = (),
    features: FeatureStore,
    weights: WeightStore,
    device: str = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Measure a trained run, and beside it every method that needs no training of its own.

    A method that is solved in closed form is solved again from the run's inputs: on validation images none may have
    chosen its settings on them.

    Args:
        folder: the run's folder, with what its method learnt.
        split: "validation" (min(K, 4) images a class) or "test" (the sealed set; the caller counts the looks).
        others: the projects that `protocol.projects` names, in its order.
        should_stop: asked between methods and parts.

    Raises:
        AvionError: an unfinished run, another backbone, or images that are gone.
        MeasuringStopped: `should_stop` said so.
    """
    bench = Bench(config, features=features, weights=weights, device=device, progress=progress)
    protocol = find_protocol(config.protocol.name)
    parts = protocol.parts(project, others, config)
    for part in parts:
        if not part.images(config, split).image_ids:
            raise _nothing_held_out(part, split)
    own = find_method(config.method)(bench, config.options)
    if own.needs.backward:
        own.load(folder)
    task = Task(project, protocol.trained_classes(project.class_names, config), config, bench)
    report = measure([own, *methods_beside(own)], task, parts, split, should_stop)
    return with_nearness(report, task, parts) if split == "validation" and not protocol.by_captions else report


def _nothing_held_out(part: Part, split: str) -> DataError:
    if isinstance(part, CaptionPart):
        hint = "Import a caption file that names them."
        return DataError(f"there are no {split} images with captions", hint, value=part.project.name)
    return DataError(
        f"there are no {split} images of these classes", "Label more images.", value=", ".join(part.classes)
    )


def methods_beside(own: Method) -> Iterator[Method]:
    """What stands beside a method in every report: the training-free methods and the probes, on both models.

    On captions these are the two models as they come.
    Where these are one and the same, as in a project made from embeddings, each stands once.
    """
    config = own.bench.config
    by_captions = find_protocol(config.protocol.name).by_captions
    for name in METHODS:
        method = find_method(name)
        if by_captions and not method.retrieves:
            continue
        for model in () if method.needs.backward else method.beside:
            same = model == "teacher" and "student" in method.beside and config.teacher == config.student
            if (name, model) != (own.name, own.model) and not same:
                settings = {"model": model} if "model" in method.Settings.model_fields else {}
                yield method(own.bench, settings)


def measure(
    methods: Sequence[Method],
    task: Task,
    parts: Sequence[Part],
    split: str,
    should_stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Measure methods on parts; the first method is the run's own. See `evaluate`.

    Args:
        methods: those that are trained step by step are fitted already; the others are fitted here.
        task: what they are fitted on.
    """
    config, own = task.config, methods[0]
    protocol = find_protocol(config.protocol.name)
    # One task for all of them: what it holds (judged texts, the map) is computed once.
    task = replace(task.measured_on(split), folder=None)
    figures: list[dict[str, Any]] = []
    predictions: list[pd.DataFrame] = []
    left_out: dict[str, str] = {}
    seconds: dict[str, float] = {}
    others: list[float] = []
    for method in methods:
        try:
            if not method.needs.backward:
                for _ in method.fit(task):
                    pass
        except (PrototypeError, NotFoundError) as error:
            if method is own:
                raise
            left_out[f"{method.title} ({method.model})"] = str(error)
            continue
        shared = {"method": method.name, "model": method.model, "parameters": method.trained_parameters}
        shared |= {
            "seconds": _seconds(method.towers, parts[0], config, split, seconds, others) if parts else float("nan")
        }
        counts: dict[str, tuple[int, int]] = {}
        temperature = None
        for part in parts:
            if should_stop():
                raise MeasuringStopped
            if not (part.trained or method.any_classes):
                continue
            if isinstance(part, CaptionPart):
                figures += [{**shared, "part": part.name, **row} for row in _recalls(method, part, config, split)]
                continue
            images = part.images(config, split)
            logits = method.logits(part.project, images.image_ids, part.classes)  # (N, C)
            labels = torch.tensor(images.labels)
            # The temperature is that of what was trained on: labelled images of novel classes, or of another project,
            # are not to be had.
            if part.trained and part.project is task.project:
                temperature = _temperature(method, part, config, split, logits, labels)
            unseen = split == "test" or not part.trained or part.project is not task.project
            rows, right = _figures(logits, labels, temperature, unseen=unseen)
            figures += [{**shared, "part": part.name, **row} for row in rows]
            predictions.append(_predictions(method, part, images, logits))
            counts[part.name] = (right, len(labels))
        if counts and len(counts) == len(parts):
            figures += [{**shared, "part": OVERALL, **row} for row in _summary(protocol.summary, counts)]
    table = pd.DataFrame(figures, columns=list(FIGURES)).astype({"value": float, "low": float, "high": float})
    return Report(
        figures=table,
        predictions=pd.concat(predictions, ignore_index=True) if predictions else pd.DataFrame(columns=PREDICTIONS),
        method=own.name,
        model=own.model,
        protocol=protocol.name,
        split=split,
        shots=config.data.shots,
        seed=config.data.seed,
        parts=[MeasuredPart(p.name, p.title, p.project.name, list(p.classes), p.trained, p.metric) for p in parts],
        left_out=left_out,
        others_at_work=max(others, default=None),
    )


def _figures(
    logits: Tensor, labels: Tensor, temperature: tuple[float, int] | None, *, unseen: bool
) -> tuple[list[dict[str, Any]], int]:
    """The rows of one method on one part, and how many images are right.

    Args:
        temperature: T, and the number of images that it was fitted on; `unseen`: these images are others.
    """
    count, classes = logits.shape
    said = logits.argmax(1)
    right = int((said == labels).sum())
    probabilities = logits.double().softmax(1)
    accuracy = 100 * (said == labels).double().mean().item()
    rows = [_row("accuracy", accuracy, count, wilson_interval(right, count), "Wilson")]
    matrix = confusion(said, labels, classes)
    intervals = macro_intervals(matrix)
    for metric, figure in (("macro_accuracy", macro_accuracy), ("macro_f1", macro_f1)):
        rows.append(_row(metric, figure(matrix), count, intervals[metric], "bootstrap"))
    rows.append(_row("calibration_error", expected_calibration_error(probabilities, labels), count))
    if temperature is not None:
        softened, fitted_on = temperature
        rows.append(_row("temperature", softened, fitted_on))
        if unseen:
            error = expected_calibration_error((logits.double() / softened).softmax(1), labels)
            rows.append(_row("calibrated_error", error, count))
    return rows, right


def _recalls(method: Method, part: CaptionPart, config: RunConfig, split: str) -> Iterator[dict[str, Any]]:
    """The rows of one method on images with captions: R@1, R@5, R@10 both ways and mR; n counts images."""
    bench, found = method.bench, part.captioned(config, split)
    towers = cast(Towers, method.towers)  # `retrieves` promises texts as well
    f = bench.see(towers, part.project, found.image_ids)  # (N, D)
    hits = embedding_hits(f, bench.read(towers, found.texts), torch.tensor(found.owners))
    intervals = recall_intervals(hits)
    for metric, value in hits.recalls().items():
        yield _row(metric, value, len(found.image_ids), intervals[metric], "bootstrap")


def _temperature(
    method: Method, part: Part, config: RunConfig, split: str, logits: Tensor, labels: Tensor
) -> tuple[float, int] | None:
    """T fitted on the part's validation images, with their number; None where there are too few."""
    if split != "validation":
        images = part.images(config, "validation")
        if not images.image_ids:
            return None
        logits = method.logits(part.project, images.image_ids, part.classes)
        labels = torch.tensor(images.labels)
    fitted = fit_temperature(logits, labels)
    return None if fitted is None else (fitted, len(labels))


def _summary(
    summary: Callable[[dict[str, float]], dict[str, float]], counts: dict[str, tuple[int, int]]
) -> Iterator[dict[str, Any]]:
    """A protocol's figures over all parts, from the right and all images of each."""
    images = sum(n for _, n in counts.values())
    for metric, value in summary({part: 100 * right / n for part, (right, n) in counts.items()}).items():
        interval = accuracy_interval(lambda drawn, metric=metric: summary(dict(drawn))[metric], counts)
        yield _row(metric, value, images, interval, "bootstrap")


def _row(
    metric: str, value: float, n: int, interval: tuple[float, float] = (float("nan"), float("nan")), kind: str = ""
) -> dict[str, Any]:
    return {"metric": metric, "value": value, "n": n, "low": interval[0], "high": interval[1], "interval": kind}


def _predictions(method: Method, part: Part, images: LabelledImages, logits: Tensor) -> pd.DataFrame:
    """What a method says of each image of a part, and how surely."""
    labels = torch.tensor(images.labels)
    probabilities = logits.softmax(1)
    top, said = probabilities.max(1)
    return pd.DataFrame(
        {
            "method": method.name,
            "model": method.model,
            "part": part.name,
            "image_id": images.image_ids,
            "class_key": [part.classes[label] for label in images.labels],
            "predicted": [part.classes[place] for place in said.tolist()],
            "probability": top.tolist(),
            "true_probability": probabilities.gather(1, labels[:, None]).squeeze(1).tolist(),
        }
    )


def _seconds(
    towers: ImageTower, part: Part, config: RunConfig, split: str, known: dict[str, float], others: list[float]
) -> float:
    """Seconds per 1,000 images of an image encoder on decoded pixels, at this moment on this machine.

    Args:
        known: by the hash of the weights, what was timed already; the prompted student's hash is its own.
        others: is given the share of the processors that other programs took meanwhile.
    """
    if isinstance(towers, GivenTowers):
        return float("nan")  # looked up
    if towers.weights_hash not in known:
        chosen = part.images(config, split).image_ids[:TIMED_IMAGES]
        pixels = prepare_images(towers, part.project.images(chosen), recipe=part.project.recipe)
        towers.encode_image(pixels[:8])
        _wait_for_gpu()
        start, at_work = time.perf_counter(), OthersAtWork()
        towers.encode_image(pixels)
        _wait_for_gpu()
        known[towers.weights_hash] = 1000 * (time.perf_counter() - start) / len(chosen)
        if (share := at_work.share()) is not None:
            others.append(share)
    return known[towers.weights_hash]


def _wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
