"""A project's images as they stand now: the frozen manifest and splits under the labels that people gave since."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import pandas as pd
from sqlalchemy.orm import Session

from avion_core.actor import STUDIO
from avion_core.data.splits import Splits
from avion_core.errors import DataError
from avion_core.reading import Subject, read_text
from avion_core.store.classes import changes_stamp, successors
from avion_core.store.home import Home
from avion_core.store.labels import current_labels, newest_label
from avion_core.store.projects import prompt_names
from avion_core.store.sources import MANIFEST, RESTORE, scanned_images
from avion_core.store.tables import Project
from avion_core.usecases.policies import use_case

_KEPT = 8
_SPLITS = "splits.json"
_SPLIT = Subject("the project's frozen split", hint=RESTORE)

_known: OrderedDict[tuple[object, ...], CurrentImages] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True)
class CurrentImages:
    """Images, labels and splits of one moment; shared between callers, so copy before changing."""

    manifest: pd.DataFrame
    """As the scan made it (see `data.scan`), `label` as it stands now."""
    splits: Splits
    """The frozen draw under these labels."""
    given: tuple[str, ...]
    """Images that people labelled, in the order of labelling."""
    counts: Counter[str]
    """Images of each class, of "" the unlabelled ones."""
    tested: Counter[str]
    """Those of them in the test set."""
    revision: str
    """Another one whenever images, their rendering, labels, classes or the pair of models change."""


@use_case
def current_images(home: Home, session: Session, project_id: str) -> CurrentImages:
    """How the project stands; made anew only when files, labels or classes have changed."""
    folder = home.project_folder(project_id)
    stamps = _stamps(folder)
    class_keys = tuple(prompt_names(session, project_id))
    merged = successors(session, project_id)
    project = session.get_one(Project, project_id)
    key = (
        str(folder),
        stamps,
        repr(project.recipe),
        (project.teacher, project.student),
        newest_label(session, project_id),
        class_keys,
        tuple(merged.items()),
        changes_stamp(session, project_id),
    )
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    labels_given = current_labels(session, project_id)
    manifest, drawn = _frozen(home.path, project_id, stamps)
    labels: dict[str, str] = dict(zip(manifest["image_id"], manifest["label"], strict=True))
    came_labelled = [image for image, label in labels.items() if label]
    labels |= {image: label or "" for image, label in labels_given.items() if image in labels}
    labels = {image: merged.get(label, label) for image, label in labels.items()}
    manifest = manifest.assign(label=pd.Series(list(labels.values()), index=manifest.index, dtype=str))
    groups = dict(zip(manifest["image_id"], manifest["group"], strict=True))
    # What a label file marks as held out never teaches; while nothing is drawn, the labels it came with do.
    held_out = set(manifest.loc[manifest["split"].isin(["test", "validation"]), "image_id"])
    teaching = dict.fromkeys(labels_given if drawn.drawn else [*came_labelled, *labels_given])
    now = CurrentImages(
        manifest=manifest,
        splits=drawn.relabelled(labels, [image for image in teaching if image not in held_out], groups, class_keys),
        given=tuple(labels_given),
        counts=Counter(labels.values()),
        tested=Counter(labels[image] for image in drawn.test if labels[image]),
        revision=hashlib.sha256(repr(key).encode()).hexdigest()[:16],
    )
    with _lock:
        _known[key] = now
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return now


@use_case
def known_images(home: Home, project_id: str) -> pd.Series:
    """Every image id of the project, by path; it takes no look at labels, so it is fast for every single one given."""
    folder = home.project_folder(project_id)
    return _frozen(home.path, project_id, _stamps(folder))[0]["image_id"]


def _stamps(folder: Path) -> tuple[int, ...]:
    try:
        return tuple((folder / name).stat().st_mtime_ns for name in (MANIFEST, _SPLITS))
    except OSError as error:
        what = f"a file of the project cannot be read ({error.strerror})"
        raise DataError(what, RESTORE, value=str(error.filename)) from None


@lru_cache(maxsize=_KEPT)
def _frozen(home: Path, project_id: str, _stamps: tuple[int, ...]) -> tuple[pd.DataFrame, Splits]:
    """The files as the scan and the draw left them; a file that was replaced has another stamp."""
    opened = Home(home, STUDIO)
    splits = Splits.from_json(read_text(opened.project_folder(project_id) / _SPLITS, _SPLIT))
    return scanned_images(opened, project_id), splits
