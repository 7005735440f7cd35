"""Labels: what people say images show, and the draw that holds images out once there are enough of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from avion_core.data.splits import Splits, make_splits
from avion_core.errors import DataError, NotFoundError
from avion_core.store import labels as label_rows
from avion_core.store import projects as rows
from avion_core.store.classes import class_card
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.studio.projects import write_splits
from avion_core.studio.rights import CHANGE_PROJECTS, needs
from avion_core.studio.standing import known_images, standing


def give_labels(
    home: Home,
    project: str,
    labels: Mapping[str, str | None],
    *,
    reviewer: str = "me",
    guesses: Mapping[str, str] | None = None,
    batch: str | None = None,
) -> str:
    """Say of which class images are; None takes a label off.

    Images that were drawn keep their part. Others join the end of the training pool.

    Args:
        labels: image id -> class key.
        guesses: image id -> the class key that the teacher had guessed, kept beside the label.
        batch: labels of one batch are undone together; the same batch sent again adds nothing.

    Returns:
        The batch.

    Raises:
        NotFoundError: the project has no such image or class.
    """
    batch = batch or uuid.uuid4().hex
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        for key in sorted({key for key in labels.values() if key is not None}):
            class_card(session, project_id, key)
        known = set(known_images(home, project_id))
        if unknown := [image for image in labels if image not in known]:
            raise NotFoundError("the project has no such image", "Reload the page.", value=unknown[0])
        added = label_rows.add_labels(session, project_id, labels, reviewer=reviewer, batch=batch, guesses=guesses)
        if added > 1:
            note(session, project_id, "labels", f"{added:,} images were labelled in one go.", reviewer)
    return batch


def undo_labels(home: Home, project: str, reviewer: str = "me", token: str | None = None) -> list[str]:
    """Take back the reviewer's newest batch of labels that still holds; returns its images.

    Args:
        token: sent again, it is the same undo.
    """
    token = token or uuid.uuid4().hex
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        images = label_rows.undo_newest(session, project_id, reviewer, token)
        if len(images) > 1:
            note(session, project_id, "labels", f"The labels of {len(images):,} images were taken back.", reviewer)
        return images


def unlabelled(home: Home, project: str) -> list[str]:
    """Ids of the images without a label, by path."""
    with reading(home.engine) as session:
        manifest = standing(home, session, rows.find_project(session, project).id).manifest
    return manifest.loc[manifest["label"] == "", "image_id"].tolist()


@needs(CHANGE_PROJECTS)
def draw_splits(home: Home, project: str, *, who: str = "me") -> Splits:
    """Draw test and validation images from the labels there are: once, when the project began with too few.

    Until then every label taught; what was trained before the draw has seen images that are test images now.

    Raises:
        DataError: they are drawn already, or a class has fewer than two labelled images.
    """
    with writing(home.engine) as session:
        row = rows.find_project(session, project)
        now = standing(home, session, row.id)
        if now.splits.drawn:
            raise DataError(
                "test and validation images are drawn already", "They stay as they are: that makes runs comparable."
            )
        if empty := [key for key in rows.prompt_names(session, row.id) if key not in set(now.manifest["label"])]:
            way_out = "Label two or more images of each class, or merge the class into another."
            raise DataError("a class has no labelled image", way_out, value=", ".join(empty))
        splits = make_splits(now.manifest, dataset=row.name)
        write_splits(home.project_folder(row.id), splits)
        note(session, row.id, "data", f"{len(splits.test):,} test images were drawn and sealed.", who)
    return splits
