"""Labels: what people say images show, and the draw that holds images out once there are enough of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from avion_core.data.class_names import ClassFinder, said_taken_for
from avion_core.data.drawing import data_set_key, make_splits
from avion_core.data.labels import read_labels
from avion_core.data.problems import Problem
from avion_core.data.split_files import coop_of
from avion_core.data.splits import Splits
from avion_core.data.tables import table_csv
from avion_core.errors import DataError, EditedMeanwhileError, NotFoundError
from avion_core.store import labels as label_rows
from avion_core.store.classes import class_card, successors
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.store.projects import find_project, prompt_names
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import UNSEAL, demand, may, use_case
from avion_core.usecases.projects.contents import Copies
from avion_core.usecases.projects.creating import write_splits
from avion_core.usecases.projects.current_images import current_images, known_images
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from avion_core.wording import counted


@use_case
def give_labels(
    home: Home,
    project: str,
    labels: Mapping[str, str | None],
    *,
    guesses: Mapping[str, str] | None = None,
    shown: Mapping[str, str | None] | None = None,
    batch: str | None = None,
) -> str:
    """Say of which class images are; None takes a label off.

    Images that were drawn keep their part. Others join the end of the training pool.

    Args:
        labels: image id -> class key.
        guesses: image id -> the class key that the teacher had guessed, kept beside the label.
        shown: image id -> the class key that the reviewer saw as its label, None for none; of those that were shown.
        batch: labels of one batch are undone together; the same batch sent again adds nothing.

    Returns:
        The batch.

    Raises:
        NotFoundError: the project has no such image or class.
        EditedMeanwhileError: somebody else has labelled some of the images since they were shown; nothing is written.
        RightsError: an image of the sealed test set, for somebody who may not open it.
    """
    reviewer = home.actor.name
    batch = batch or uuid.uuid4().hex
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        for key in sorted({key for key in labels.values() if key is not None}):
            class_card(session, project_id, key)
        known = set(known_images(home, project_id))
        if unknown := [image for image in labels if image not in known]:
            raise NotFoundError("the project has no such image", "Reload the page.", value=unknown[0])
        if not may(home.actor, UNSEAL) and not labels.keys().isdisjoint(read_splits(home, project_id).test):
            demand(home.actor, UNSEAL)
        if shown and not label_rows.is_written(session, project_id, batch):
            _refuse_unseen(session, project_id, labels, shown)
        added = label_rows.add_labels(session, project_id, labels, reviewer=reviewer, batch=batch, guesses=guesses)
        if added > 1:
            note(session, project_id, "labels", f"{added:,} images were labelled in one step.", reviewer)
    return batch


def _refuse_unseen(
    session: Session, project_id: str, labels: Mapping[str, str | None], shown: Mapping[str, str | None]
) -> None:
    """Nobody writes over a label that they have not seen: a colleague may have given it meanwhile."""
    merged = successors(session, project_id)
    given = label_rows.labels_of(session, project_id, [image for image in labels if image in shown])
    now = {image: merged.get(key, key) or None if key else None for image, key in given.items()}
    unseen = [image for image, key in now.items() if key not in (shown[image] or None, labels[image])]
    if unseen:
        what = f"{counted(len(unseen), 'image was', 'images were')} labelled meanwhile by somebody else"
        names = prompt_names(session, project_id)
        yours, theirs = (
            {image: names.get(found[image] or "", "no class") for image in unseen} for found in (labels, now)
        )
        raise EditedMeanwhileError(what, "Look at what they were labelled, then decide.", yours=yours, now=theirs)


@dataclass(frozen=True)
class LabelReport:
    """What the labels of a file did, or would do."""

    given: int
    """Images that have another label now."""
    known: int
    """Images that had the same label already."""
    problems: list[Problem]
    """Rows that fit no image, or that contradict one another."""
    written: bool
    taken_for: dict[str, str] = field(default_factory=dict)
    """Class as written -> class, where only the spelling folded was one of the project's."""

    @property
    def sentence(self) -> str:
        said = (
            f"{counted(self.given, 'image')} {'labelled' if self.written else 'to label'}, {self.known:,} were already"
        )
        more = f"; {counted(len(self.problems), 'row')} could not be used" if self.problems else ""
        spelled = f"; {said_taken_for(self.taken_for)}" if self.taken_for else ""
        return f"{said}{more}{spelled}."


@use_case
def import_labels(home: Home, project: str, file: Path, *, preview: bool = False) -> LabelReport:
    """Give the labels of a table (CSV or Parquet with the columns path and label) as one batch.

    Classes are named by their key or by their words. A row without a label says nothing.

    Args:
        preview: report what would be done, and change nothing.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: no such project, or a class that it lacks.
        DataError: the file cannot be used.
    """
    file = nameable(home.actor, file)
    summary = get_project(home, project)
    manifest = read_manifest(home, summary.id)
    images = dict(zip(manifest["path"], manifest["image_id"], strict=True))
    given = dict(zip(manifest["path"], manifest["label"], strict=True))
    copies = Copies(summary.image_root, dict(zip(manifest["image_id"], manifest["path"], strict=True)))
    found, problems = read_labels(file, summary.image_root, set(images), same_as=copies)
    find = ClassFinder({entry.key: entry.prompt_name for entry in summary.classes})
    labels = {}
    for path, row in found.items():
        key = find(row.label) if row.label else None
        if row.label and key is None:
            hint = "Add it with `avion classes add` or on the page Classes, then import again."
            raise NotFoundError("the project has no such class", hint, value=row.label)
        if key is not None:
            labels[path] = key
    new = {images[path]: key for path, key in labels.items() if given[path] != key}
    if new and not preview:
        give_labels(home, summary.id, new)
    return LabelReport(len(new), len(labels) - len(new), problems, written=not preview, taken_for=find.taken_for)


@use_case
def export_labels(home: Home, project: str) -> bytes:
    """The labels as a table (CSV) by path, which `import_labels` and a new project read: path, label, group, split.

    split says "test" of the sealed images and nothing else: of the rest each seed draws its own.
    """
    summary = get_project(home, project)
    tested = set(read_splits(home, summary.id).test)
    table = read_manifest(home, summary.id)[["image_id", "path", "label", "group"]].sort_values("path")
    table["split"] = ["test" if image in tested else "" for image in table["image_id"]]
    return table_csv(table.drop(columns="image_id"))


@use_case
def export_split(home: Home, project: str, seed: int = 1) -> bytes:
    """The split of a seed in CoOp's JSON (see `data.split_files`): all training images, the validation and test images.

    Images without a label now are left out; others drawn from the same lists see the same images.

    Raises:
        NotFoundError: no such project.
        ConfigError: a seed that was not drawn.
        DataError: test and validation images have not been drawn yet.
    """
    summary = get_project(home, project)
    splits, table = read_splits(home, summary.id), read_manifest(home, summary.id)
    if not splits.drawn:
        hint = "Label two or more images of each class, then draw them."
        raise DataError("the project has no test and validation images yet", hint)
    return coop_of(splits, table, seed, splits.max_shots)


@use_case
def undo_labels(home: Home, project: str, token: str | None = None) -> list[str]:
    """Take back the reviewer's newest batch of labels that still holds; returns its images.

    Args:
        token: sent again, it is the same undo.
    """
    reviewer = home.actor.name
    token = token or uuid.uuid4().hex
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        images = label_rows.undo_newest(session, project_id, reviewer, token)
        if len(images) > 1:
            note(session, project_id, "labels", f"The labels of {len(images):,} images were undone.", reviewer)
        return images


@use_case
def unlabelled(home: Home, project: str) -> list[str]:
    """Ids of the images without a label, by path; sealed test images are not offered for labelling."""
    with reading(home.engine) as session:
        now = current_images(home, session, find_project(session, project).id)
    waiting = (now.manifest["label"] == "") & ~now.manifest["image_id"].isin(now.splits.test)
    return now.manifest.loc[waiting, "image_id"].tolist()


@use_case
def draw_splits(home: Home, project: str) -> Splits:
    """Draw test and validation images from the labels there are: once, when the project began with too few.

    Until then every label taught; what was trained before the draw has seen images that are test images now.

    Raises:
        DataError: they are drawn already, or a class has fewer than two labelled images.
    """
    with writing(home.engine) as session:
        row = find_project(session, project)
        now = current_images(home, session, row.id)
        if now.splits.drawn:
            raise DataError(
                "test and validation images have been drawn already",
                "They are drawn once, so that runs stay comparable.",
            )
        if empty := [key for key in prompt_names(session, row.id) if key not in set(now.manifest["label"])]:
            hint = "Label two or more images of each class, or merge the class into another."
            raise DataError("a class has no labelled image", hint, value=", ".join(empty))
        splits = make_splits(now.manifest, dataset=data_set_key(now.manifest), together=now.splits.together)
        write_splits(home.project_folder(row.id), splits)
        note(session, row.id, "data", f"{len(splits.test):,} test images were drawn and sealed.", home.actor.name)
    return splits
