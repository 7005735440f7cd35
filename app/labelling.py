"""The desk that the label page works at; apart from the shell, since it brings the models' library along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from app import session
from app.components.background import computed
from app.components.guard import guard, show_error
from app.components.label_grid import PAGE, LabelDesk, tile
from avion_core.errors import AvionError
from avion_core.studio.guesses import guess_labels
from avion_core.studio.labels import give_labels, undo_labels
from avion_core.studio.projects import ProjectSummary

_NO_GUESS: dict[str, Any] = {"guess": None, "probability": None, "why": ""}


def need_desk(project: ProjectSummary, images: Sequence[str], *, sent: bool, guessing: bool) -> LabelDesk:
    """The desk for these images, the most useful first; while the teacher still looks at them, how far it is.

    The order stays as it is while labels are given. What was sent here by another page keeps the order it came in.
    """
    classes = tuple((entry.key, entry.prompt_name) for entry in project.classes)
    signature = (project.id, tuple(images) if sent else (), guessing, classes)
    before: LabelDesk | None = session.label_desk()
    if before is not None and before.signature == signature:
        return before
    guesses: dict[str, dict[str, Any]] = {}
    sentence = "Without the teacher's guesses, images come by their path."
    if guessing and len(classes) > 1:
        try:
            found = computed(
                f"guesses:{project.id}:{project.revision}:{hash(signature)}",
                "The teacher looks at the images",
                lambda progress: guess_labels(session.home(), project.id, list(images), progress=progress),
            )
        except AvionError as error:
            show_error(error)
        else:
            guesses = {row["image_id"]: row for row in _records(found.table)}
            sentence = found.sentence
    order = list(images) if sent or not guesses else list(guesses)
    desk = LabelDesk(signature, order, guesses=guesses, sentence=sentence, again=before.again + 1 if before else 0)
    session.put_label_desk(desk)
    return desk


def take_waiting(project: ProjectSummary) -> None:
    """Write down what the browser's queue holds, in order, each label once."""
    desk: LabelDesk | None = session.label_desk()
    if desk is None:
        return
    with desk.taking:
        for entry in desk.waiting():
            # One that cannot be written (its class is gone, say) is told and left behind: it must not block the others.
            desk.taken = entry["seq"]
            with guard():
                take(project, desk, entry)


def take(project: ProjectSummary, desk: LabelDesk, entry: Mapping[str, Any]) -> None:
    """One entry of the queue, and the cursor to where the labelling goes from there."""
    if entry["action"] == "go":
        desk.cursor = entry["id"] if entry["id"] in desk.places else desk.next_open(desk.cursor)
    elif entry["action"] == "undo":
        undone = undo_labels(session.home(), project.id, session.reviewer(), token=entry["token"])
        desk.done -= set(undone)
        desk.cursor = next((image for image in undone if image in desk.places), desk.cursor)
    else:
        desk.cursor = desk.next_open(max(entry["labels"], key=desk.places.__getitem__))
        give(project, desk, entry["labels"], batch=entry["token"])


def give(project: ProjectSummary, desk: LabelDesk, labels: dict[str, str | None], batch: str | None = None) -> None:
    """Label images of the desk; what the teacher had guessed is kept beside."""
    guesses = {image: desk.guesses[image]["guess"] for image in labels if image in desk.guesses}
    give_labels(session.home(), project.id, labels, reviewer=session.reviewer(), guesses=guesses, batch=batch)
    desk.done |= {image for image, key in labels.items() if key is not None}
    desk.done -= {image for image, key in labels.items() if key is None}


def tiles(project: ProjectSummary, desk: LabelDesk, table: pd.DataFrame) -> list[dict[str, Any]]:
    """The pictures of the cursor's page and of the next one, as the grid shows them.

    Args:
        table: the project's image table with image_id as its index, too.
    """
    if not desk.cursor:
        return []
    first = desk.place // PAGE * PAGE
    near = desk.order[first : first + 2 * PAGE]
    return [
        tile(
            {**row, **desk.guesses.get(row["image_id"], _NO_GUESS)},
            project.recipe,
            place=place,
            done=row["image_id"] in desk.done,
        )
        for place, row in enumerate(_records(table.loc[near]), first)
    ]


def sure_guesses(desk: LabelDesk, least: float) -> dict[str, str | None]:
    """Images that want a label and whose guess has at least this probability -> the guess."""
    return {
        image: row["guess"]
        for image, row in desk.guesses.items()
        if image not in desk.done and row["probability"] >= least
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
