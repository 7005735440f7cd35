"""Classes: their cards, and renaming, adding, merging and dividing them, each of which can be undone.

A class key never changes: images, descriptions, verdicts and finished runs hold on to it. A merged class is retired and
names its successor; its images are read as the successor's, so nothing that was frozen or decided is rewritten.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from avion_core.data.class_names import fold, is_readable, prompt_name
from avion_core.errors import DataError, NotFoundError
from avion_core.store import classes as cards
from avion_core.store import labels as label_rows
from avion_core.store import projects as rows
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.store.tables import ClassChange, ProjectClass, now
from avion_core.studio.rights import CHANGE_PROJECTS, needs

CARD_FIELDS = ("local_name", "code", "definition", "includes", "excludes", "parent", "colour")


@dataclass(frozen=True)
class Change:
    """One rename, addition, merge or split, in a sentence; `undoable` is only the newest that holds."""

    sentence: str
    who: str
    created_at: datetime
    undone: bool
    undoable: bool


@needs(CHANGE_PROJECTS)
def edit_card(home: Home, project: str, class_key: str, fields: dict[str, str], *, who: str = "me") -> None:
    """Write what people say a class means: local_name, code, definition, includes, excludes, parent, colour.

    Raises:
        NotFoundError: no such class, or no such field.
        DataError: a colour that is not #rrggbb, or a class above itself.
    """
    if unknown := sorted(fields.keys() - set(CARD_FIELDS)):
        raise NotFoundError("a class card has no such field", f"Fields are {', '.join(CARD_FIELDS)}.", value=unknown[0])
    colour = fields.get("colour", "")
    if colour and not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise DataError("the colour cannot be used", "Give it as #rrggbb, or leave it empty.", value=colour)
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        card = cards.class_card(session, project_id, class_key)
        if fold(fields.get("parent", "")) in (fold(card.prompt_name), fold(class_key)) and fields.get("parent"):
            raise DataError(
                "a class cannot be part of itself", "Name the broader class, or none.", value=fields["parent"]
            )
        changed = [name for name, value in fields.items() if getattr(card, name) != value.strip()]
        for name in changed:
            setattr(card, name, fields[name].strip())
        if changed:
            said = ", ".join(name.replace("_", " ") for name in changed)
            note(session, project_id, "classes", f"The card of {card.prompt_name} was edited ({said}).", who)


@needs(CHANGE_PROJECTS)
def rename_class(home: Home, project: str, class_key: str, name: str, *, who: str = "me") -> None:
    """Give a class other words in prompts and on pages; its labels, descriptions and verdicts stay.

    Raises:
        NotFoundError: no such class.
        DataError: no words, or words of another class.
    """
    words = " ".join(name.split())
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        card = cards.class_card(session, project_id, class_key)
        if words == card.prompt_name:
            return
        _refuse_taken(session, project_id, words, besides=class_key)
        _write_change(session, project_id, "rename", class_key, {"before": card.prompt_name, "after": words}, who)
        card.prompt_name = words


@needs(CHANGE_PROJECTS)
def add_class(home: Home, project: str, name: str, *, who: str = "me") -> str:
    """Make a class; returns its key, which is the name as given.

    Raises:
        DataError: no name, or the name of another class.
    """
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        key = _new_class(session, project_id, name)
        _write_change(session, project_id, "add", key, {"after": prompt_name(key)}, who)
        return key


@needs(CHANGE_PROJECTS)
def merge_classes(home: Home, project: str, class_key: str, into: str, *, who: str = "me") -> None:
    """Let one class become part of another, with its images in their parts, its descriptions and their verdicts.

    Raises:
        NotFoundError: no such class.
        DataError: a class into itself.
    """
    if class_key == into:
        raise DataError("a class cannot be merged into itself", "Choose another class.", value=into)
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        card, target = (cards.class_card(session, project_id, key) for key in (class_key, into))
        moved = cards.descriptions_of_class(session, project_id, class_key)
        details = {"into": into, "before": card.prompt_name, "after": target.prompt_name, "descriptions": moved}
        _write_change(session, project_id, "merge", class_key, details, who)
        cards.move_descriptions(session, project_id, moved, into)
        card.retired, card.merged_into = True, into


@needs(CHANGE_PROJECTS)
def split_class(
    home: Home,
    project: str,
    class_key: str,
    name: str,
    *,
    image_ids: Sequence[str] = (),
    description_ids: Sequence[str] = (),
    who: str = "me",
) -> str:
    """Make a new class out of a part of another; returns its key.

    Args:
        image_ids: images that are of the new class from now on; each stays in its part of the splits.
        description_ids: descriptions of the old class that go along, with their verdicts.

    Raises:
        NotFoundError: no such class, or a description that is not the class's.
        DataError: no name, or the name of another class.
    """
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        old = cards.class_card(session, project_id, class_key)
        own = set(cards.descriptions_of_class(session, project_id, class_key))
        if strange := [item for item in description_ids if item not in own]:
            raise NotFoundError(
                "a description is not of the class that is divided", "Reload the page.", value=strange[0]
            )
        key = _new_class(session, project_id, name, parent=old.parent)
        moved = list(description_ids)
        # Named by chance and not by the change's number: in another database the change has another number.
        batch = f"{label_rows.OF_CHANGE}{uuid.uuid4().hex[:24]}"
        details = {"into": key, "before": old.prompt_name, "after": prompt_name(key), "descriptions": moved}
        _write_change(session, project_id, "split", class_key, {**details, "labels": batch}, who)
        cards.move_descriptions(session, project_id, moved, key)
        given = dict.fromkeys(image_ids, key)
        label_rows.add_labels(session, project_id, given, reviewer=who, batch=batch)
        return key


@needs(CHANGE_PROJECTS)
def undo_change(home: Home, project: str, *, who: str = "me") -> str:
    """Take back the newest change of classes that holds; returns what was undone, in a sentence.

    What happened since is kept: labels and descriptions that a divided-off class got later go back with the rest.

    Raises:
        NotFoundError: nothing to undo.
        DataError: the newest change made a class that has images or descriptions by now.
    """
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        change = cards.newest_change(session, project_id)
        if change is None:
            raise NotFoundError("there is no change of classes to undo", "Nothing was renamed, merged or divided.")
        _take_back(session, project_id, change, who)
        change.undone_at = now()
        sentence = f"Undone: {_sentence(change)}"
        note(session, project_id, "classes", sentence, who)
        return sentence


def class_changes(home: Home, project: str) -> list[Change]:
    """What was changed about the classes, the newest first."""
    with reading(home.engine) as session:
        project_id = rows.find_project(session, project).id
        newest = cards.newest_change(session, project_id)
        return [
            Change(_sentence(row), row.who, row.created_at, row.undone_at is not None, row is newest)
            for row in cards.class_changes(session, project_id)
        ]


def _take_back(session: Session, project_id: str, change: ClassChange, who: str) -> None:
    details = change.details
    if change.kind == "rename":
        _refuse_taken(session, project_id, details["before"], besides=change.class_key)
        cards.class_card(session, project_id, change.class_key).prompt_name = details["before"]
    elif change.kind == "add":
        used = cards.descriptions_of_class(session, project_id, change.class_key)
        if used or change.class_key in label_rows.current_labels(session, project_id).values():
            way_out = "Merge it into another class instead: its images and descriptions go along."
            raise DataError("the class that was added is in use by now", way_out, value=change.class_key)
        cards.class_card(session, project_id, change.class_key).retired = True
    elif change.kind == "merge":
        merged = session.get_one(ProjectClass, (project_id, change.class_key))
        merged.retired, merged.merged_into = False, ""
        cards.move_descriptions(session, project_id, details["descriptions"], change.class_key)
    else:
        divided_off = cards.class_card(session, project_id, details["into"])
        everything = cards.descriptions_of_class(session, project_id, details["into"])
        cards.move_descriptions(session, project_id, everything, change.class_key)
        label_rows.undo_batch(session, project_id, details["labels"], reviewer=who, token=uuid.uuid4().hex)
        labelled_since = details["into"] in label_rows.current_labels(session, project_id).values()
        divided_off.retired, divided_off.merged_into = True, change.class_key if labelled_since else ""


def _new_class(session: Session, project_id: str, name: str, parent: str = "") -> str:
    key = " ".join(name.split())
    if len(key) > 80 or not is_readable(key):
        raise DataError("the name of a class cannot be used", "Give at most 80 letters, on one line.", value=name)
    _refuse_taken(session, project_id, key)
    card = session.get(ProjectClass, (project_id, key))
    if card is None:
        session.add(ProjectClass(project_id=project_id, class_key=key, prompt_name=prompt_name(key), parent=parent))
    elif card.merged_into:
        raise DataError(
            "a class of this name was merged into another", "Undo that, or choose another name.", value=name
        )
    else:
        card.retired = False
    session.flush()
    return key


def _refuse_taken(session: Session, project_id: str, words: str, besides: str = "") -> None:
    names = rows.prompt_names(session, project_id)
    taken = {fold(word) for key, name in names.items() if key != besides for word in (key, name)}
    if not fold(words) or fold(words) in taken or fold(prompt_name(words)) in taken:
        way_out = "Choose words that no other class has: the student tells classes apart by them."
        raise DataError("a class name is empty or taken", way_out, value=words)


def _write_change(
    session: Session, project_id: str, kind: str, class_key: str, details: dict[str, Any], who: str
) -> None:
    change = ClassChange(project_id=project_id, kind=kind, class_key=class_key, details=details, who=who)
    session.add(change)
    session.flush()
    note(session, project_id, "classes", _sentence(change), who)


def _sentence(change: ClassChange) -> str:
    before, after = change.details.get("before", ""), change.details["after"]
    said = {
        "rename": f"{before} was renamed to {after}.",
        "add": f"{after} was added.",
        "merge": f"{before} was merged into {after}.",
        "split": f"{after} was divided off {before}.",
    }
    return said[change.kind]
