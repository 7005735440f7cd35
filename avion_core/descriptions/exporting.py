"""Descriptions to a file: everything known about each, so that reading it again restores everything.

One record per description, the same in three forms:

- JSON lines: the record as it is.
- CSV: one row per description; the two columns that are lists (`reasons` and `history`) hold JSON.
- Parquet: typed columns; `history` is a list of structures.

With each goes the reply it came in, word for word. Replies without a description, and what was sent, travel in the
project's pack (`studio.packs`).

Beside them stands the {"class": ["text", ...]} form that code in the manner of CuPL reads: texts alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import pyarrow
from pyarrow import parquet

from avion_core.data.tables import write_csv
from avion_core.descriptions.schema import DescriptionRecord, PastDecision
from avion_core.errors import DescriptionError

Form = Literal["jsonl", "csv", "parquet", "json"]
Choice = Literal["kept", "accepted", "all"]

_REASON = pyarrow.struct([("rule", pyarrow.string()), ("passed", pyarrow.bool_()), ("sentence", pyarrow.string())])
SCORES: dict[str, pyarrow.DataType] = {
    "similarity": pyarrow.float64(),
    "median": pyarrow.float64(),
    "mad": pyarrow.float64(),
    "z": pyarrow.float64(),
    "cut": pyarrow.float64(),
    "weight": pyarrow.float64(),
    "flag": pyarrow.bool_(),
    "reasons": pyarrow.list_(_REASON),
    "kept": pyarrow.bool_(),
    "why": pyarrow.string(),
}
"""What the teacher and the rules said when the file was written (see `TextPrototypes.table`); null where nobody asked.
They are not read back: descriptions, verdicts and rules give them again."""

_DECISION_TYPES = {"rule_version": pyarrow.int64(), "adjudicates": pyarrow.bool_()}
_DECISION = pyarrow.struct(
    [(entry.name, _DECISION_TYPES.get(entry.name, pyarrow.string())) for entry in fields(PastDecision)]
)
_COUNTS = {"tokens_in": pyarrow.int64(), "tokens_out": pyarrow.int64()}
SCHEMA = pyarrow.schema(
    [
        *((entry.name, _COUNTS.get(entry.name, pyarrow.string())) for entry in fields(DescriptionRecord)),
        ("imported_at", pyarrow.string()),
        # How it stands: derived from the history, for whoever reads the file.
        ("text_now", pyarrow.string()),
        ("verdict", pyarrow.string()),
        ("conflict", pyarrow.bool_()),
        *SCORES.items(),
        ("history", pyarrow.list_(_DECISION)),
    ]
)
"""The fields of a record, in order: those of DescriptionRecord (`text` as it was imported), then what became of it."""

Record = dict[str, Any]


@dataclass(frozen=True)
class FileForm:
    """How a form is written, and its media type."""

    encode: Callable[[Sequence[Record]], bytes]
    media_type: str


def file_form(form: str) -> FileForm:
    """The form of that name.

    Raises:
        DescriptionError: no form of that name holds whole records.
    """
    if form not in FORMS:
        raise DescriptionError(
            "descriptions cannot be exported in this format", f"Choose one of: {', '.join(get_args(Form))}.", value=form
        )
    return FORMS[form]


def class_texts(records: Sequence[Record], choice: Choice) -> dict[str, list[str]]:
    """Class key -> texts as they read now, in the order of the records.

    Args:
        choice: "kept" by the rules and people's verdicts, "accepted" by people, or "all" of them.

    Raises:
        DescriptionError: no such choice; or "kept" is asked of records without scores.
    """
    if choice not in get_args(Choice):
        raise DescriptionError(
            "there is no such choice of texts", f"Choose one of: {', '.join(get_args(Choice))}.", value=choice
        )
    if choice == "kept" and records and all(record["kept"] is None for record in records):
        raise DescriptionError(
            "without scores it is not known which texts are kept",
            "Install the teacher of this project, or choose accepted or all.",
            value=choice,
        )
    taken: dict[str, list[str]] = {}
    for record in records:
        if choice == "all" or (record["kept"] if choice == "kept" else record["verdict"] == "accepted"):
            taken.setdefault(record["class_key"], []).append(record["text_now"])
    return taken


def _json_lines(records: Sequence[Record]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def _csv(records: Sequence[Record]) -> bytes:
    def row(record: Record) -> list[Any]:
        lists = {name: json.dumps(record[name], ensure_ascii=False) for name in ("reasons", "history") if record[name]}
        cells = {**record, **lists, "history": lists.get("history", "[]")}
        return [cells.get(name, "") for name in SCHEMA.names]

    return write_csv(SCHEMA.names, map(row, records))


def _parquet(records: Sequence[Record]) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(records), schema=SCHEMA), stream, compression="zstd")
    return stream.getvalue()


FORMS = {
    "jsonl": FileForm(_json_lines, "application/jsonl"),
    "csv": FileForm(_csv, "text/csv"),
    "parquet": FileForm(_parquet, "application/vnd.apache.parquet"),
}
"""The forms that hold whole records."""
