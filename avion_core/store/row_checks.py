"""Whether rows from elsewhere fit the tables: every value by its column, before the first one is written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, String
from sqlalchemy import Table as SqlTable

from avion_core.errors import DataError
from avion_core.reading import MOST_COUNT, is_storable, point_in_time
from avion_core.store.tables import Moment

HINT = "Pack the project again; a pack is not meant to be edited."
_FOLDERS = ("projects", "jobs", "runs", "generations")
"""Tables whose ids name folders."""


def check_rows(tables: Mapping[str, Sequence[Any]], known: Sequence[SqlTable]) -> None:
    """See that rows of one project fit the tables that there are.

    Raises:
        DataError: the first table, row or value that does not.
    """
    by_name = {table.name: table for table in known}
    if strange := sorted(tables.keys() - by_name.keys()):
        raise DataError("the pack holds tables that this AVION Studio does not know", HINT, value=", ".join(strange))
    if len(tables.get("projects", ())) != 1:
        raise DataError("the pack does not hold one project", HINT, value=len(tables.get("projects", ())))
    for row in (row for name in _FOLDERS for row in tables.get(name, ())):
        key: Any = cast(dict[str, Any], row).get("id") if isinstance(row, dict) else None
        if isinstance(row, dict) and not re.fullmatch("[0-9a-f]{12}", str(key)):
            raise DataError("the pack holds an id that is not valid", HINT, value=key)
    for name, rows in tables.items():
        for row in rows:
            _check_row(by_name[name], row)


def _check_row(table: SqlTable, found: Any) -> None:
    columns = {column.name: column for column in table.columns}
    required = {
        name for name, column in columns.items() if not column.nullable and column.default is None and name != "id"
    }
    misfit = f"a row of {table.name} does not fit its table"
    if not isinstance(found, dict):
        raise DataError(misfit, HINT, value=str(found))
    row = cast(dict[str, Any], found)
    if odd := (required - row.keys()) | (row.keys() - columns.keys()):
        raise DataError(misfit, HINT, value=", ".join(sorted(map(str, odd))))
    for name, value in row.items():
        if problem := _misfit(columns[name], value):
            raise DataError(f"a row of {table.name} has a {name} that is {problem}", HINT, value=value)


def _misfit(column: Column[Any], value: Any) -> str:
    """What is wrong with a value for a column; "" where it fits."""
    kind = column.type
    if value is None:
        return "" if column.nullable else "missing"
    match kind:
        case Moment():
            fits, form = isinstance(value, str) and point_in_time(value) is not None, "no point in time"
        case JSON():
            fits, form = isinstance(value, dict), "no object"
        case Boolean():
            fits, form = isinstance(value, bool), "neither true nor false"
        case Float():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            fits, form = number and math.isfinite(value), "no number"
        case Integer():
            most = 2**63 - 1 if isinstance(kind, BigInteger) else MOST_COUNT
            whole = isinstance(value, int) and not isinstance(value, bool)
            fits, form = whole and -most <= value <= most, "no whole number in range"
        case String():
            fits = isinstance(value, str) and len(value) <= (kind.length or math.inf) and is_storable(value)
            form = f"no text of at most {kind.length} characters" if kind.length else "no text that can be stored"
        case _:
            return ""
    return "" if fits else form
