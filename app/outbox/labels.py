"""The work list of the label page; apart from the shell, since it brings the models' library along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.labelling.label_grid import PAGE, LabelList, tile
from app.kit.background import computed
from app.kit.guard import plain, show_error
from app.state import studio, work_lists
from avion_core.errors import AvionError, EditedMeanwhileError
from avion_core.usecases.curation.label_suggestions import suggest_labels
from avion_core.usecases.projects.labels import give_labels, undo_labels
from avion_core.usecases.projects.summaries import ProjectSummary

_NAMED = 3
_NO_SUGGESTION: dict[str, Any] = {"guess": None, "probability": None, "why": ""}


def need_label_list(
    project: ProjectSummary, images: Sequence[str], labels: Mapping[str, str], *, sent: bool, guessing: bool
) -> LabelList:
    """The work list of these images, the most useful first; while the teacher still looks at them, how far it is.

    The order stays as it is while labels are given. What was sent here by another page keeps the order it came in.

    Args:
        labels: image id -> its label now, "" for none.
    """
    classes = tuple((entry.key, entry.prompt_name) for entry in project.classes)
    signature = (tuple(images) if sent else (), guessing, classes)
    before: LabelList | None = work_lists.label_list()
    if before is not None and (before.project, before.signature) == (project.id, signature):
        return before
    guesses: dict[str, dict[str, Any]] = {}
    sentence = "Without the teacher's guesses, images are sorted by path."
    if guessing and len(classes) > 1:
        try:
            found = computed(
                f"guesses:{project.id}:{project.revision}:{hash(signature)}",
                "Embedding the images with the teacher",
                lambda progress: suggest_labels(studio.home(), project.id, list(images), progress=progress),
            )
        except AvionError as error:
            show_error(error)
        else:
            guesses = {row["image_id"]: row for row in _records(found.table)}
            sentence = found.sentence
    order = list(images) if sent or not guesses else list(guesses)
    again = before.again + 1 if before else 0
    seen = {image: labels[image] for image in order}
    work_list = LabelList(project.id, signature, order, guesses=guesses, sentence=sentence, seen=seen, again=again)
    work_lists.put_label_list(work_list)
    return work_list


def take(entry: Mapping[str, Any]) -> None:
    """Write one entry of the grid's queue down, in its own project.

    Where that project's images are laid out, the cursor goes on.
    """
    home, project, action = studio.home(), entry["project"], entry["action"]
    work_list: LabelList | None = work_lists.current(work_lists.LABEL_GRID, project)
    if action == "undo":
        undone = undo_labels(home, project, token=entry["token"])
        if work_list is not None:
            work_list.done -= set(undone)
            work_list.cursor = next((image for image in undone if image in work_list.places), work_list.cursor)
    elif action == "go":
        if work_list is not None:
            work_list.cursor = entry["id"] if entry["id"] in work_list.places else work_list.next_open(work_list.cursor)
    else:
        labels = entry["labels"]
        unseen = give(project, work_list, labels, entry["guesses"], shown=entry.get("shown"), batch=entry["token"])
        if work_list is not None:
            last = max(labels, key=lambda image: work_list.places.get(image, -1))
            work_list.cursor = unseen[0] if unseen else work_list.next_open(last)


def give(
    project: str,
    work_list: LabelList | None,
    labels: Mapping[str, str | None],
    guesses: Mapping[str, str],
    *,
    shown: Mapping[str, str | None] | None = None,
    batch: str | None = None,
) -> list[str]:
    """Label images; what the teacher had guessed is kept beside.

    Args:
        guesses: image -> the class that was guessed.
        shown: image -> the label that it was seen with.

    Returns:
        Images that a colleague labelled meanwhile: they keep that label, which is said.
    """
    unseen: list[str] = []
    try:
        give_labels(studio.home(), project, labels, guesses=guesses, shown=shown, batch=batch)
    except EditedMeanwhileError as error:
        unseen = list(error.now)
        labels = {image: key for image, key in labels.items() if image not in error.now}
        if labels:
            give_labels(studio.home(), project, labels, guesses=guesses, batch=batch)
        pairs = [f"{error.now[image]} (you: {error.yours[image]})" for image in unseen[:_NAMED]]
        more = f" and {len(unseen) - _NAMED:,} more" if len(unseen) > _NAMED else ""
        said = f"{error.what.capitalize()}, and kept: {', '.join(pairs)}{more}. {error.hint}"
        st.toast(plain(said), icon=":material/edit:", duration="long")
    if work_list is not None:
        work_list.done |= {image for image, key in labels.items() if key is not None}
        work_list.done -= {image for image, key in labels.items() if key is None}
    return unseen


def tiles(project: ProjectSummary, work_list: LabelList, table: pd.DataFrame) -> list[dict[str, Any]]:
    """The pictures of the cursor's page and of the next one, as the grid shows them.

    Args:
        table: the project's image table with image_id as its index, too.
    """
    if not work_list.cursor:
        return []
    first = work_list.place // PAGE * PAGE
    near = work_list.order[first : first + 2 * PAGE]
    return [
        tile(
            {**row, **work_list.guesses.get(row["image_id"], _NO_SUGGESTION)},
            project.recipe,
            place=place,
            done=row["image_id"] in work_list.done,
        )
        for place, row in enumerate(_records(table.loc[near]), first)
    ]


def sure_suggestions(work_list: LabelList, least: float) -> dict[str, str]:
    """Images that want a label and whose guess has at least this probability -> the guess."""
    return {
        image: row["guess"]
        for image, row in work_list.guesses.items()
        if image not in work_list.done and row["probability"] >= least
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
