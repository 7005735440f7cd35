"""Insight: how good a trained student is, where everything lies, and what it says of new images."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor

from avion_core.backbones.load import load_towers
from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import RunConfig
from avion_core.data.progress import Progress
from avion_core.data.scan import SUFFIXES
from avion_core.distill.adapter import load_adapter
from avion_core.distill.trainer import EVALUATION_BATCH, predict_logits
from avion_core.errors import DataError, TrainingError
from avion_core.features.store import image_features, prepare_images, text_features
from avion_core.maps.alignment_map import AlignmentMap, alignment_map, map_key
from avion_core.maps.project import Method
from avion_core.protocols.evaluate import evaluate
from avion_core.protocols.project_data import LabelledImages, ProjectData, class_sets, class_texts
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.tables import Look
from avion_core.studio.models import open_towers
from avion_core.studio.training import RunView, get_run

MapResult = AlignmentMap
"""points: id, kind, class_key, split, kept, text, path, view, x, y, correct; figures: a row per view."""

VIEWS = ("teacher", "before", "after")


@dataclass(frozen=True)
class _Trained:
    """A run with its frozen inputs and its student."""

    run: RunView
    config: RunConfig
    project: ProjectData
    student: PromptedStudent
    facts: dict[str, Any]

    @property
    def backbone(self) -> OpenClipTowers:
        return self.student.backbone


def evaluate_run(
    home: Home, run: str, split: str = "validation", who: str = "me", *, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure a trained run (see `protocols.evaluate`); the figures are kept in its folder as well.

    Args:
        split: "validation", or "test": the sealed set. Asking for it is written down as a look by `who`, before any
            figure is made; `looks` in the answer counts them.

    Raises:
        NotFoundError: no such run.
        TrainingError: it has not been trained yet.
        DataError: no such split, or no images in it.
    """
    view = _trained_run(home, run)
    if split not in ("validation", "test"):
        raise DataError("there is no such split", "Choose validation or test.", value=split)
    if split == "test":
        with writing(home.engine) as session:
            session.add(Look(run_id=view.id, who=who))
    figures = evaluate(
        ProjectData.load(view.folder / "inputs"),
        view.config,
        view.folder,
        split,
        features=home.features,
        weights=home.weights,
        device=_device(view.config),
        progress=progress,
    )
    result = {"run_id": view.id, "state": view.state, "looks": get_run(home, view.id).looks, **figures}
    unfinished = view.folder / f"results-{split}.json.part"
    unfinished.write_text(json.dumps(result), encoding="utf-8")
    os.replace(unfinished, view.folder / f"results-{split}.json")
    return result


def embed_map(
    home: Home,
    run: str,
    method: Method = "umap",
    views: Sequence[str] = VIEWS,
    settings: dict[str, Any] | None = None,
    *,
    progress: Progress | None = None,
) -> MapResult:
    """Lay out a run's images, descriptions and prototypes as teacher and student see them.

    Images are the training shots and the validation images of all classes (split "novel" where the run did not learn
    the class); the sealed test set is never on a map. A map of the same content and settings is computed once.

    Args:
        views: of "teacher", "before" and "after".
        settings: `seed` and `neighbours`, as `maps.project` takes them.

    Raises:
        NotFoundError, TrainingError: no such run, or it has not been trained yet.
        ConfigError, DataError: a method, view or setting that there is not.
    """
    trained = _load_trained(home, run)
    items = _items(trained)
    embeddings = {name: _seen_by(home, trained, items, name, progress) for name in views}
    chosen: dict[str, Any] = {"method": method, "seed": 0, "neighbours": None, **(settings or {})}
    kept = trained.run.folder / "maps" / map_key(items, embeddings, **chosen)
    if not kept.is_dir():
        _keep_map(alignment_map(items, embeddings, **chosen, progress=progress), kept)
    return MapResult(pd.read_parquet(kept / "points.parquet"), pd.read_parquet(kept / "figures.parquet"))


def predict(home: Home, run: str, paths: Sequence[Path], *, progress: Progress | None = None) -> pd.DataFrame:
    """Classify images with a trained student, through the project's rendering recipe.

    Args:
        paths: image files, and folders whose images are meant.

    Returns:
        One row per image: path, class_key, prompt_name, probability, margin (to the second class), second (its key).

    Raises:
        NotFoundError, TrainingError: no such run, or it has not been trained yet.
        DataError: a path that is not there, a folder without images, or a file that cannot be decoded.
    """
    files = [file for path in paths for file in _image_files(Path(path))]
    trained = _load_trained(home, run)
    names: dict[str, str] = trained.facts["class_names"]
    keys = list(names)
    texts = class_texts(names, keys, trained.facts["template"])
    pixels = prepare_images(
        trained.backbone, [(str(file), file) for file in files], recipe=trained.project.recipe, progress=progress
    )
    logits = predict_logits(trained.student, pixels, trained.student.tokenize(texts)).cpu()
    probabilities, order = logits.softmax(1).sort(dim=1, descending=True)
    return pd.DataFrame(
        {
            "path": [str(file) for file in files],
            "class_key": [keys[place] for place in order[:, 0]],
            "prompt_name": [names[keys[place]] for place in order[:, 0]],
            "probability": probabilities[:, 0].tolist(),
            "margin": (probabilities[:, 0] - probabilities[:, 1]).tolist(),
            "second": [keys[place] for place in order[:, 1]],
        }
    )


def _trained_run(home: Home, run: str) -> RunView:
    """A run that has a student to show: finished, or stopped after its first save."""
    view = get_run(home, run)
    if view.state not in ("finished", "stopped") or not (view.folder / "adapter.safetensors").is_file():
        way_out = "Wait until it is finished." if view.state in ("queued", "running") else "Resume it first."
        raise TrainingError(f"run {view.id} has no trained student yet", way_out, value=view.state)
    return view


def _load_trained(home: Home, run: str) -> _Trained:
    view = _trained_run(home, run)
    backbone = load_towers(view.config.student, home.weights, device=_device(view.config))
    assert isinstance(backbone, OpenClipTowers)  # it was trained
    student, facts = load_adapter(view.folder / "adapter.safetensors", backbone)
    return _Trained(view, view.config, ProjectData.load(view.folder / "inputs"), student, facts)


def _device(config: RunConfig) -> str:
    return "cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu"


def _items(trained: _Trained) -> pd.DataFrame:
    """Everything on a map: images, the run's descriptions, and one prototype per class."""
    project, data = trained.project, trained.config.data
    learned = set(trained.facts["class_names"])
    keys = list(project.class_names)
    rows: list[dict[str, Any]] = []
    for split, by_class in (
        ("train", project.splits.shots(data.seed, data.shots)),
        ("validation", project.splits.validation_images(data.seed, data.shots)),
    ):
        images = LabelledImages.of(by_class, keys)
        for (image, path), place in zip(project.images(images.image_ids), images.labels, strict=True):
            part = split if keys[place] in learned else "novel"
            rows.append({"id": image, "kind": "image", "class_key": keys[place], "split": part, "path": str(path)})
    table = pd.read_parquet(trained.run.folder / "prototypes.parquet")
    for row in table.to_dict("records"):
        rows.append(
            {
                "id": row["description_id"],
                "kind": "description",
                "class_key": row["class_key"],
                "kept": row["kept"],
                "text": row["text"],
            }
        )
    for key in keys:
        rows.append({"id": f"prototype {key}", "kind": "prototype", "class_key": key, "text": _sentence(trained, key)})
    items = pd.DataFrame(rows, columns=["id", "kind", "class_key", "split", "kept", "text", "path"])
    items["kept"] = items["kept"].astype("boolean")
    return items.fillna({"split": "", "text": "", "path": ""})


def _sentence(trained: _Trained, class_key: str) -> str:
    return trained.config.model.template.format(trained.project.class_names[class_key])


def _seen_by(home: Home, trained: _Trained, items: pd.DataFrame, view: str, progress: Progress | None) -> np.ndarray:
    """(items, D) embeddings of all items, in their order: images, descriptions, prototypes."""
    pictures = items[items["kind"] == "image"]
    images = [(str(id_), Path(path)) for id_, path in zip(pictures["id"], pictures["path"], strict=True)]
    texts = list(items.loc[items["kind"] != "image", "text"])
    recipe = trained.project.recipe
    if view == "after":
        student = trained.student
        pixels = prepare_images(student.backbone, images, recipe=recipe, progress=progress)
        with torch.no_grad():
            seen = [
                student.encode_image(part.to(student.logit_scale.device)) for part in pixels.split(EVALUATION_BATCH)
            ]
            read = [
                student.encode_text(student.tokenize(texts[start : start + EVALUATION_BATCH]))
                for start in range(0, len(texts), EVALUATION_BATCH)
            ]
        return torch.cat([*seen, *read]).float().cpu().numpy()
    towers = trained.backbone if view == "before" else open_towers(home, trained.config.teacher)
    f = image_features(towers, images, home.features, recipe=recipe, progress=progress).cpu()
    g = text_features(towers, texts, home.features, progress).cpu()
    if view == "teacher":
        g = _with_prototypes(trained, g)
    return torch.cat([f, g]).numpy()


def _with_prototypes(trained: _Trained, g: Tensor) -> Tensor:
    """The teacher's prototypes in place of its class sentences, for the classes that the run learned."""
    keys = list(trained.project.class_names)
    learned = next(
        iter(class_sets(trained.project.class_names, trained.config.protocol, trained.config.data.seed).values())
    )
    places = [len(g) - len(keys) + keys.index(key) for key in learned]
    g = g.clone()
    g[places] = load_file(trained.run.folder / "teacher.safetensors")["prototypes"]
    return g


def _keep_map(result: AlignmentMap, folder: Path) -> None:
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    unfinished.mkdir(parents=True, exist_ok=True)
    result.points.to_parquet(unfinished / "points.parquet", index=False)
    result.figures.to_parquet(unfinished / "figures.parquet", index=False)
    try:
        os.replace(unfinished, folder)
    except OSError:
        if not folder.is_dir():  # else another process has just kept the same map
            raise


def _image_files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not found:
            raise DataError("the folder holds no picture", f"Pictures end in {', '.join(SUFFIXES)}.", value=str(path))
        return found
    if not path.is_file():
        raise DataError("the image is not there", "Check the path.", value=str(path))
    return [path]
