"""Descriptions from a file (docs/method.md section 1).

JSON lines, CSV, Excel, Parquet, one JSON object of lists, or the reply of a chat assistant as text (see `pasted`).

What makes a file unreadable raises; what concerns one text is reported and the rest is kept. A row with a
`history` comes from a studio (see `exporting`): its id, its text and its decisions are taken as they stand.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from avion_core.data.class_names import ClassFinder
from avion_core.data.tables import as_written, delimiter_of, is_workbook, refuse_misread, refuse_twins, workbook_rows
from avion_core.descriptions.cleaning import cleaned, no_description, without_markup
from avion_core.descriptions.histories import is_moment, past_decisions
from avion_core.descriptions.pasted import pasted_texts
from avion_core.descriptions.schema import DescriptionRecord, PastDecision, description_id, folded
from avion_core.descriptions.sentences import sentences
from avion_core.errors import DescriptionError
from avion_core.reading import (
    MOST_COUNT,
    Subject,
    is_storable,
    parse_json,
    read_arrow,
    read_text,
    storable,
    tokenizer_mark,
    whole_number,
)

MOST_CHARACTERS = 4000
MOST_ID_CHARACTERS = 64
_FILE = Subject("the file of descriptions", DescriptionError, "Export it again as text in UTF-8.", uploaded=True)
_LINE = Subject("a line", DescriptionError, "Each line must be one JSON object.")
CLASS_FIELDS = ("class_key", "class", "label")
TEXT_FIELDS = ("model", "prompt_version", "viewpoint", "visual_cues", "spatial_cues", "raw_reply", "created_at")
COUNT_FIELDS = ("tokens_in", "tokens_out")
SIGNATURE = "review_pack"
"""The field with the signature of the review pack that a row came back from."""

_CHATTER = "beside the lists"
"""The field of a line that a chat assistant wrote around its lists."""

# Control characters that are no white space, and halves of surrogate pairs.
_BROKEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")

Row = tuple[str, dict[str, Any]]  # where it stands in the file, for messages; and its fields


@dataclass(frozen=True)
class ImportResult:
    """What a file held."""

    descriptions: list[DescriptionRecord]
    """In file order, each text of a class once."""
    duplicates: list[DescriptionRecord]
    """Those dropped for saying the same (case, punctuation and white space aside)."""
    unknown_classes: dict[str, int]
    """Class as written -> number of texts left out, since no class is called so."""
    problems: list[str]
    """One sentence for each text or decision that could not be used."""
    histories: dict[str, list[PastDecision]] = field(default_factory=dict)
    """Description id -> its decisions, the oldest first; only for rows that come from a studio."""
    imported_at: dict[str, str] = field(default_factory=dict)
    """Description id -> when it came into the studio that the file is from; only for rows that come from one."""
    cleaned: int = 0
    """Texts that list marks, emphasis, HTML or introductions were taken off (see `cleaning`)."""
    taken_for: dict[str, str] = field(default_factory=dict)
    """Class as written -> class key, where an alias or only the spelling folded was one of the project's."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Class as written -> number of texts that whoever imports wanted left out."""
    matched: dict[str, list[str]] = field(default_factory=dict)
    """Class as written -> ids of the descriptions whose class was found by an alias."""
    signatures: frozenset[str] = frozenset()
    """Those of the review packs that its rows say they are of."""


def read_descriptions(
    path: Path,
    class_names: dict[str, str],
    *,
    split_sentences: bool = False,
    writer: str | None = None,
    known: Mapping[str, str] = MappingProxyType({}),
    aliases: Mapping[str, str] = MappingProxyType({}),
    leave_out: Collection[str] = (),
    may_be_empty: bool = False,
) -> ImportResult:
    """Read class descriptions from a file.

    Args:
        path: JSON lines, CSV, Excel or Parquet with a class (`class_key`, `class` or `label`), a `text` and, as wanted,
            the other fields of DescriptionRecord; or a JSON object {"class": [text, ...]}. UTF-8.
        class_names: class key -> prompt name; a class is found by either, spelling folded.
        split_sentences: make one description of each sentence and keep the long text as its parent; texts that come
            from a studio are left whole.
        writer: who wrote them, where the file does not say.
        known: description id -> class key of texts that are there already. A row that comes from a studio is about the
            text of its id, whatever its class is called there.
        aliases: other name of a class -> class key.
        leave_out: classes as written whose texts are not wanted.
        may_be_empty: a file whose classes are all unknown is no error: they are still to be matched.

    Raises:
        DescriptionError: a file that cannot be read as what it claims to be, or that holds no usable description.
    """
    find = ClassFinder(class_names, aliases)
    unwanted = {label.strip() for label in leave_out}
    left_out: Counter[str] = Counter()
    matched: dict[str, list[str]] = {}
    kept: dict[str, DescriptionRecord] = {}
    duplicates: list[DescriptionRecord] = []
    unknown: Counter[str] = Counter()
    problems: list[str] = []
    histories: dict[str, list[PastDecision]] = {}
    imported_at: dict[str, str] = {}
    signatures = set[str]()
    tidied = 0
    for where, row in _rows(path):
        label = storable(str(next(row[name] for name in CLASS_FIELDS if name in row)))
        from_a_studio = row.get("history") is not None
        class_key = (known.get(_as_text(row.get("description_id"))) if from_a_studio else None) or find(label)
        names = (label, class_key or "", class_names.get(class_key or "", ""))
        problem = _problem(row, names, from_a_studio=from_a_studio)
        if signature := _as_text(row.get(SIGNATURE)):
            signatures.add(signature)
        if _CHATTER in row:
            problems.append(f"{where}: it stands beside the lists and was not read as a description: {row['text']}")
            continue
        if label.strip() in unwanted:
            left_out[label] += 1
            continue
        if class_key is None:
            unknown[label] += 1
            continue
        if problem:
            problems.append(f"{where}: {problem}")
            continue
        if from_a_studio:
            found = [_from_a_studio(class_key, row)]
            decisions, unusable = past_decisions(row["history"])
            problems += [f"{where}: {sentence}" for sentence in unusable]
            histories.setdefault(found[0].description_id, []).extend(decisions)
            if is_moment(since := _as_text(row.get("imported_at"))):
                imported_at.setdefault(found[0].description_id, since)
        else:
            found, changed = _described(class_key, row, split_sentences, writer)
            tidied += changed
        for description in found:
            if description.description_id in kept:
                duplicates.append(description)
            else:
                kept[description.description_id] = description
                if label.strip() in find.by_alias:
                    matched.setdefault(label.strip(), []).append(description.description_id)
    if not kept and not (unknown and may_be_empty):
        raise _nothing_usable(path, unknown, problems, class_names)
    return ImportResult(
        list(kept.values()),
        duplicates,
        dict(unknown),
        problems,
        histories,
        imported_at,
        tidied,
        find.taken_for,
        dict(left_out),
        matched,
        frozenset(signatures),
    )


_OF_ITSELF = "the text is what a model says of itself or of its texts, not a description."


def _problem(row: dict[str, Any], names: tuple[str, ...], *, from_a_studio: bool) -> str | None:
    """Why a text cannot be used, or None; what a studio holds is taken as it stands."""
    text = row["text"]
    if not isinstance(text, str):
        return f"the text is {_kind(text)}, not a string."
    if _BROKEN.search(text) or _BROKEN.search(without_markup(text)):
        return "the text holds control characters or broken Unicode."
    said = text if from_a_studio else cleaned(text)
    if not folded(said):
        return _OF_ITSELF if len(text.split()) > 1 else "the text is empty."
    if mark := tokenizer_mark(text):
        return f"the text holds {mark}, a sign of the models' own."
    if not from_a_studio and (why := no_description(said, names)):
        return f"the text {why}."
    if len(text) > MOST_CHARACTERS:
        return f"the text is too long: {len(text)} characters, where {MOST_CHARACTERS} are allowed."
    for name in COUNT_FIELDS:
        if whole_number(row.get(name) or 0) is None:
            return f"{name} is not a whole number up to {MOST_COUNT:,}: {_short(row[name])}."
    if len(_as_text(row.get("description_id"))) > MOST_ID_CHARACTERS:
        return f"its description_id is longer than {MOST_ID_CHARACTERS} characters."
    for name in (*TEXT_FIELDS, "description_id", "writer", "parent", "imported_at"):
        if not is_storable(_as_text(row.get(name))):
            return f"{name} holds NUL or half a character."
    return None


def _described(
    class_key: str, row: dict[str, Any], split: bool, writer: str | None
) -> tuple[list[DescriptionRecord], int]:
    """The descriptions that a row holds, and how many of them read otherwise than they were written."""
    whole = row["text"].strip()
    pieces = sentences(without_markup(whole)) if split else [" ".join(whole.split())]
    tidy = [cleaned(piece) for piece in pieces]
    texts = [text for text in tidy if folded(text)]
    shared: dict[str, Any] = {name: _as_text(row.get(name)) for name in TEXT_FIELDS}
    shared |= {name: whole_number(row.get(name) or 0) for name in COUNT_FIELDS}
    shared["writer"] = _as_text(row.get("writer")) or writer or ""
    shared["parent"] = whole if len(texts) > 1 else _as_text(row.get("parent"))
    made = [DescriptionRecord(description_id(class_key, text), class_key, text, **shared) for text in texts]
    return made, sum(text != piece for text, piece in zip(tidy, pieces, strict=True))


def _from_a_studio(class_key: str, row: dict[str, Any]) -> DescriptionRecord:
    """The text as it stands there. Its id stays too: a class may have been renamed since the id was made."""
    shared: dict[str, Any] = {name: _as_text(row.get(name)) for name in (*TEXT_FIELDS, "writer", "parent")}
    shared |= {name: whole_number(row.get(name) or 0) for name in COUNT_FIELDS}
    own_id = _as_text(row.get("description_id")) or description_id(class_key, row["text"])
    return DescriptionRecord(own_id, class_key, row["text"], **shared)


def _as_text(value: Any) -> str:
    if isinstance(value, list):  # language models like to give cues as lists
        return "; ".join(map(str, value))
    return "" if value is None else str(value)


def _rows(path: Path) -> Iterator[Row]:
    readers = {".jsonl": _json_lines, ".csv": _csv, ".json": _json_object, ".txt": _reply, ".md": _reply}
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if is_workbook(path):
        return _workbook(path)
    if suffix not in readers:
        raise DescriptionError(
            "descriptions cannot be read from this kind of file",
            f"Give a file that ends in {', '.join(readers)}, .xlsx or .parquet.",
            value=path.name,
        )
    text = read_text(path, _FILE)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise _FILE.refused("holds NUL bytes, so it is not a text file", value=f"{path.name}, line {line}")
    if not text.strip():
        raise DescriptionError(
            "the file of descriptions is empty", "Choose a file with texts for the classes.", value=path.name
        )
    return readers[suffix](text, path.name)


def _json_lines(text: str, name: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        row = parse_json(line, replace(_LINE, name=f"line {number} of {name}"), as_written=True, value=line)
        if not isinstance(row, dict):
            raise DescriptionError(
                f"line {number} of {name} is {_kind(row)}",
                'Each line is an object like {"class": ..., "text": ...}.',
                value=line,
            )
        _check_fields(row, f"line {number} of {name}")
        yield f"line {number}", row


def _csv(text: str, name: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    try:
        header = [column.strip() for column in next(reader)]
        refuse_twins(header, "file of descriptions")
        _check_fields(dict.fromkeys(header), f"the header of {name}")
        for cells in filter(None, reader):
            if len(cells) != len(header):
                raise DescriptionError(
                    f"line {reader.line_num} of {name} does not have the header's {len(header)} fields",
                    'Put texts that hold commas or line breaks in "quotes".',
                    value=",".join(cells),
                )
            refuse_misread(cells, "file of descriptions")
            yield f"line {reader.line_num}", dict(zip(header, map(as_written, cells), strict=True))
    except csv.Error as error:
        raise DescriptionError(
            f"line {reader.line_num} of {name} is not CSV", "Check its quotes.", value=str(error)
        ) from None


def _reply(text: str, name: str) -> Iterator[Row]:
    for found in pasted_texts(text):
        yield found.where, {"class": found.label, "text": found.text, **({_CHATTER: True} if found.chatter else {})}


def _workbook(path: Path) -> Iterator[Row]:
    rows = workbook_rows(path, _FILE.name, _FILE)
    if len(rows) < 2:
        raise DescriptionError(
            "the file of descriptions is empty", "Choose a file with texts for the classes.", value=path.name
        )
    header = [column.strip() for column in rows[0][1]]
    refuse_twins(header, "file of descriptions")
    _check_fields(dict.fromkeys(header), f"the header of {path.name}")
    for number, cells in rows[1:]:
        refuse_misread(cells, "file of descriptions")
        yield f"row {number}", {name: cell for name, cell in zip(header, cells, strict=True) if name}


def _parquet(path: Path) -> Iterator[Row]:
    table, name = read_arrow(path, _FILE), path.name
    if not table.num_rows:
        raise DescriptionError(
            "the file of descriptions is empty", "Choose a file with texts for the classes.", value=name
        )
    refuse_twins(table.column_names, "file of descriptions")
    _check_fields(dict.fromkeys(table.column_names), f"the header of {name}")
    for number, row in enumerate(table.to_pylist(), start=1):
        yield f"row {number}", row


def _json_object(text: str, name: str) -> Iterator[Row]:
    shape = 'The file must be one object like {"class": ["text", "text"]}.'
    classes = parse_json(text, replace(_FILE, hint=shape), as_written=True, value=name, pairs=_each_key_once)
    if not isinstance(classes, dict):
        raise DescriptionError(f"the file {name} holds {_kind(classes)}", shape)
    for label, texts in classes.items():
        if not isinstance(texts, list):
            raise DescriptionError(f"the class {label} in {name} has {_kind(texts)} for its texts", shape)
        for number, value in enumerate(texts, start=1):
            yield f"{label}, text {number}", {"class": label, "text": value}


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = Counter(key for key, _ in pairs)
    twice = [key for key, count in keys.items() if count > 1]
    if twice:  # json would silently keep the last
        raise DescriptionError("a name occurs twice in one JSON object", "Put its texts into one list.", value=twice[0])
    return dict(pairs)


def _check_fields(row: dict[str, Any], where: str) -> None:
    if "text" not in row or not any(name in row for name in CLASS_FIELDS):
        raise DescriptionError(
            f"{where} lacks a class or a text",
            f"Name the class {', '.join(CLASS_FIELDS[:-1])} or {CLASS_FIELDS[-1]}, and the text text.",
            value=", ".join(map(str, row)),
        )


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."


def _kind(value: Any) -> str:
    """What a JSON value is, in words."""
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _nothing_usable(
    path: Path, unknown: Counter[str], problems: list[str], class_names: dict[str, str]
) -> DescriptionError:
    what = f"no usable description was found in {path.name}"
    if unknown:
        return DescriptionError(
            f"{what}: its classes are not in this project",
            f"Say which are meant (--match). The project's classes are: {', '.join(class_names)}.",
            value=", ".join(unknown),
        )
    return DescriptionError(
        what, "Give at least one class a text.", value=problems[0].removesuffix(".") if problems else "no text at all"
    )
