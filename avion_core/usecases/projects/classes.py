"""Classes: their cards, and renaming, adding, merging and dividing them, each of which can be undone.

A class key never changes: images, descriptions, verdicts and finished runs hold on to it. A merged class is retired and
names its successor; its images are read as the successor's, so nothing that was frozen or decided is rewritten.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from avion_core.data.class_names import ClassFinder, fold, is_readable, prompt_name
from avion_core.data.tables import read_table, whole_numbers, write_csv
from avion_core.errors import DataError, EditedMeanwhileError, NotFoundError
from avion_core.reading import Subject, refuse_mark
from avion_core.store import classes as cards
from avion_core.store import labels as label_rows
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.store.projects import find_project, prompt_names
from avion_core.store.tables import ClassChange, ProjectClass, now
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case

CARD_FIELDS = ("local_name", "code", "definition", "includes", "excludes", "parent", "colour")
_CLASS_NAME = Subject("a class name", hint="Leave it out: what stands behind it would not be read.")


@dataclass(frozen=True)
class ClassEdit:
    """One rename, addition, merge or split, in a sentence; `undoable` is only the newest that holds."""

    sentence: str
    who: str
    created_at: datetime
    undone: bool
    undoable: bool


@dataclass(frozen=True)
class CardReport:
    """What a table of class cards did."""

    changed: list[str]
    """Keys of the classes whose cards have changed."""
    taken_for: dict[str, str]
    """Class as written -> class key, where only the spelling folded was one of the project's."""


@use_case
def edit_card(
    home: Home, project: str, class_key: str, fields: Mapping[str, str], *, opened: Mapping[str, str] | None = None
) -> None:
    """Write what people say a class means: prompt_name and CARD_FIELDS, all of those that are given or none.

    Args:
        opened: how fields read when somebody began to edit them. Those that they left as they were are not written, so
            that two people may edit two fields of one card.

    Raises:
        NotFoundError: no such class, or no such field.
        DataError: a colour that is not #rrggbb, a class above itself, or a name that is empty or taken.
        EditedMeanwhileError: somebody else has changed a field that was edited here.
    """
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        card = cards.class_card(session, project_id, class_key)
        wanted = _edited(card, fields, opened or {})
        _rename(session, project_id, card, wanted.pop("prompt_name", card.prompt_name), home.actor.name)
        if changed := _fill_in(card, wanted):
            said = ", ".join(name.replace("_", " ") for name in changed)
            note(
                session, project_id, "classes", f"The card of {card.prompt_name} was edited ({said}).", home.actor.name
            )


@use_case
def export_cards(home: Home, project: str) -> bytes:
    """The cards of all classes as a table (CSV), which `import_cards` reads: class_key, prompt_name and CARD_FIELDS."""
    with reading(home.engine) as session:
        found = cards.class_cards(session, find_project(session, project).id)
    columns = ("class_key", "prompt_name", *CARD_FIELDS)
    return write_csv(columns, ([getattr(card, name) for name in columns] for card in found))


@use_case
def import_cards(home: Home, project: str, file: Path) -> CardReport:
    """Fill cards in from a table (CSV, Excel): of its classes, the columns that it has; all of it or nothing.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: the project has no such class, or a card no such field.
        DataError: a file that is no such table, or a value that cannot be used (see `edit_card`, `rename_class`).
    """
    who = home.actor.name
    file = nameable(home.actor, file)
    table = _read_cards(file)
    changed, listed = [], dict[str, str]()
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        find = ClassFinder(prompt_names(session, project_id))
        for fields in table:
            written = fields.pop("class_key")
            card = cards.class_card(session, project_id, find(written) or written)
            if card.class_key in listed:
                hint = "Keep one row for each class."
                raise DataError("the table lists a class twice", hint, value=f"{listed[card.class_key]}, {written}")
            listed[card.class_key] = written
            fields = {name: _as_kept(getattr(card, name, ""), cell) for name, cell in fields.items()}
            renamed = _rename(session, project_id, card, fields.pop("prompt_name", card.prompt_name), who)
            if _fill_in(card, fields) or renamed:
                changed.append(card.class_key)
        if changed:
            sentence = f"{len(changed):,} class cards were filled in from {file.name}."
            note(session, project_id, "classes", sentence, who)
    return CardReport(changed, find.taken_for)


@use_case
def rename_class(home: Home, project: str, class_key: str, name: str, *, opened: str | None = None) -> None:
    """Give a class other words in prompts and on pages; its labels, descriptions and verdicts stay.

    Args:
        opened: the words that it had when somebody began to rename it.

    Raises:
        NotFoundError: no such class.
        DataError: no words, or words of another class.
        EditedMeanwhileError: somebody else has renamed it since.
    """
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        card = cards.class_card(session, project_id, class_key)
        edited = _edited(card, {"prompt_name": name}, {} if opened is None else {"prompt_name": opened})
        _rename(session, project_id, card, edited.get("prompt_name", card.prompt_name), home.actor.name)


@use_case
def add_class(home: Home, project: str, name: str) -> str:
    """Make a class; returns its key, which is the name as given.

    Raises:
        DataError: no name, or the name of another class.
    """
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        key = _new_class(session, project_id, name)
        _write_change(session, project_id, "add", key, {"after": prompt_name(key)}, home.actor.name)
        return key


@use_case
def merge_classes(home: Home, project: str, class_key: str, into: str) -> None:
    """Let one class become part of another, with its images in their parts, its descriptions and their verdicts.

    Raises:
        NotFoundError: no such class.
        DataError: a class into itself.
    """
    if class_key == into:
        raise DataError("a class cannot be merged into itself", "Choose another class.", value=into)
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        card, target = (cards.class_card(session, project_id, key) for key in (class_key, into))
        moved = cards.descriptions_of_class(session, project_id, class_key)
        details = {"into": into, "before": card.prompt_name, "after": target.prompt_name, "descriptions": moved}
        _write_change(session, project_id, "merge", class_key, details, home.actor.name)
        cards.move_descriptions(session, project_id, moved, into)
        card.retired, card.merged_into = True, into


@use_case
def split_class(
    home: Home,
    project: str,
    class_key: str,
    name: str,
    *,
    image_ids: Sequence[str] = (),
    description_ids: Sequence[str] = (),
) -> str:
    """Make a new class out of a part of another; returns its key.

    Args:
        image_ids: images that are of the new class from now on; each stays in its part of the splits.
        description_ids: descriptions of the old class that go along, with their verdicts.

    Raises:
        NotFoundError: no such class, or a description that is not the class's.
        DataError: no name, or the name of another class.
    """
    who = home.actor.name
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        old = cards.class_card(session, project_id, class_key)
        own = set(cards.descriptions_of_class(session, project_id, class_key))
        if strange := [item for item in description_ids if item not in own]:
            raise NotFoundError(
                "a description does not belong to the class that is split", "Reload the page.", value=strange[0]
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


@use_case
def undo_change(home: Home, project: str) -> str:
    """Take back the newest change of classes that holds; returns what was undone, in a sentence.

    What happened since is kept: labels and descriptions that a divided-off class got later go back with the rest.

    Raises:
        NotFoundError: nothing to undo.
        DataError: the newest change made a class that has images or descriptions by now.
    """
    who = home.actor.name
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        change = cards.newest_change(session, project_id)
        if change is None:
            raise NotFoundError(
                "there is no change of classes to undo", "No class was added, renamed, merged or split."
            )
        _take_back(session, project_id, change, who)
        change.undone_at = now()
        sentence = f"Undone: {_sentence(change)}"
        note(session, project_id, "classes", sentence, who)
        return sentence


@use_case
def class_changes(home: Home, project: str) -> list[ClassEdit]:
    """What was changed about the classes, the newest first."""
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
        newest = cards.newest_change(session, project_id)
        return [
            ClassEdit(_sentence(row), row.who, row.created_at, row.undone_at is not None, row is newest)
            for row in cards.class_changes(session, project_id)
        ]


def _edited(card: ProjectClass, fields: Mapping[str, str], opened: Mapping[str, str]) -> dict[str, str]:
    """Those of the fields that somebody changed since they saw them as `opened`; refused where others did as well."""
    wanted = {name: value for name, value in fields.items() if value.strip() != opened.get(name, value + ".").strip()}
    seen = [name for name in wanted if name in opened]
    yours = {
        name: wanted[name] for name in seen if getattr(card, name) not in (opened[name].strip(), wanted[name].strip())
    }
    if yours:
        hint = "Compare the two, then save yours or keep what is there."
        now = {name: getattr(card, name) for name in yours}
        raise EditedMeanwhileError(
            "the class card was edited meanwhile", hint, yours=yours, now=now, value=card.prompt_name
        )
    return wanted


def _fill_in(card: ProjectClass, fields: Mapping[str, str]) -> list[str]:
    """Write fields of a card; returns the names of those that have changed."""
    if unknown := sorted(fields.keys() - set(CARD_FIELDS)):
        raise NotFoundError("a class card has no such field", f"Fields are {', '.join(CARD_FIELDS)}.", value=unknown[0])
    colour, parent = fields.get("colour", "").strip(), fields.get("parent", "")
    if colour and not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise DataError("the colour cannot be used", "Give it as #rrggbb, or leave it empty.", value=colour)
    if parent and fold(parent) in (fold(card.prompt_name), fold(card.class_key)):
        raise DataError("a class cannot be part of itself", "Name the broader class, or none.", value=parent)
    changed = [name for name, value in fields.items() if getattr(card, name) != value.strip()]
    for name in changed:
        setattr(card, name, fields[name].strip())
    return changed


def _read_cards(file: Path) -> list[dict[str, str]]:
    """The rows of a table of cards; column names in any case."""
    header, rows, _ = read_table(file, "table of class cards")
    columns = [name.strip().lower() for name in header]
    if "class_key" not in columns:
        hint = "It needs class_key; `avion classes export` writes such a table."
        raise DataError("the table of class cards has no column class_key", hint, value=", ".join(columns))
    for row in rows:
        if broken := next((cell for cell in row if "\ufffd" in cell), None):
            hint = "A spreadsheet saved it in another encoding: save it as CSV UTF-8."
            raise DataError("a class card holds letters that were lost", hint, value=broken)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _as_kept(kept: str, cell: str) -> str:
    """A cell; what the card holds where a table wrote just that number as a decimal one (`10.0`)."""
    return kept if whole_numbers([cell.strip()]) == [kept] else cell


def _rename(session: Session, project_id: str, card: ProjectClass, name: str, who: str) -> bool:
    """Give a class other words; False where they are the same."""
    words = " ".join(name.split())
    if words == card.prompt_name:
        return False
    refuse_mark(words, _CLASS_NAME)
    _refuse_taken(session, project_id, words, besides=card.class_key)
    _write_change(session, project_id, "rename", card.class_key, {"before": card.prompt_name, "after": words}, who)
    card.prompt_name = words
    return True


def _take_back(session: Session, project_id: str, change: ClassChange, who: str) -> None:
    details = change.details
    if change.kind == "rename":
        _refuse_taken(session, project_id, details["before"], besides=change.class_key)
        cards.class_card(session, project_id, change.class_key).prompt_name = details["before"]
    elif change.kind == "add":
        used = cards.descriptions_of_class(session, project_id, change.class_key)
        if used or change.class_key in label_rows.current_labels(session, project_id).values():
            hint = "Merge it into another class instead: its images and descriptions go with it."
            raise DataError("the added class is in use now", hint, value=change.class_key)
        cards.class_card(session, project_id, change.class_key).retired = True
    elif change.kind == cards.ALIAS:
        cards.forget_alias(session, project_id, change)
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
    refuse_mark(key, _CLASS_NAME)
    _refuse_taken(session, project_id, key)
    card = session.get(ProjectClass, (project_id, key))
    if card is None:
        session.add(ProjectClass(project_id=project_id, class_key=key, prompt_name=prompt_name(key), parent=parent))
    elif any(
        change.kind == "merge" and change.class_key == key and change.undone_at is None
        for change in cards.class_changes(session, project_id)
    ):
        raise DataError(
            "a class with this name was merged into another", "Undo that, or choose another name.", value=name
        )
    else:  # an addition or a division that was undone: it comes back, with the images that were labelled as it since
        card.retired, card.merged_into = False, ""
    session.flush()
    return key


def _refuse_taken(session: Session, project_id: str, words: str, besides: str = "") -> None:
    names = prompt_names(session, project_id)
    taken = {fold(word) for key, name in names.items() if key != besides for word in (key, name)}
    if not fold(words) or fold(words) in taken or fold(prompt_name(words)) in taken:
        hint = "Choose words that no other class has: the student tells classes apart by them."
        raise DataError("a class name is empty or taken", hint, value=words)


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
        "split": f"{after} was split off from {before}.",
        cards.ALIAS: f"Imports read “{change.details.get('alias', '')}” as {after}.",
    }
    return said[change.kind]
