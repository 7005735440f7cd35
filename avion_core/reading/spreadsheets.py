"""Excel workbooks (.xlsx) as rows of text, as a CSV file would hold them.

A workbook is a ZIP archive: how large it becomes is asked first. Formulas are read as the results that were saved with
them; a cell whose result was not saved is refused, since its value would be lost.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from avion_core.reading.files import regular_file
from avion_core.reading.subject import MEBIBYTE, Subject

_SAVE_AGAIN = "Open it in a spreadsheet and save it again as .xlsx, or as CSV UTF-8."


def read_sheet(path: Path, subject: Subject) -> list[tuple[int, list[str]]]:
    """The rows of a workbook's one sheet that holds any, each with its number; empty rows are left out.

    Whole numbers come without a decimal point, dates as ISO 8601, empty cells as "".

    Raises:
        subject.error: no such file, no workbook, one that becomes too large, several sheets with rows, or a formula
            without its result.
    """
    regular_file(path, subject)
    _refuse_bomb(path, subject)
    filled = {name: rows for name, rows in _sheets(path, subject, results=False) if rows}
    if len(filled) > 1:
        hint = "Keep one sheet, or save the one that is meant as CSV UTF-8."
        raise subject.refused("has rows in several sheets", hint, value=f"{subject.shown(path)}: {', '.join(filled)}")
    for name, rows in filled.items():
        if any(kind == "f" for _, cells in rows for _, kind in cells):
            results = dict(_sheets(path, subject, results=True))[name]
            return [_with_results(path, subject, row, result) for row, result in _side_by_side(rows, results)]
        return [(number, [_text(value) for value, _ in cells]) for number, cells in rows]
    return []


_Cell = tuple[Any, str]
_Row = tuple[int, list[_Cell]]


def _sheets(path: Path, subject: Subject, *, results: bool) -> Iterator[tuple[str, list[_Row]]]:
    """Each sheet of cells by name: its rows that are not empty, each cell with its kind (f is a formula)."""
    from openpyxl import load_workbook  # a quarter of a second: only where a workbook is read

    try:
        book = load_workbook(path, read_only=True, data_only=results)
        try:
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # what the file says of its size is often wrong
                rows: list[_Row] = []
                for number, cells in enumerate(sheet.iter_rows(), start=1):
                    if number > subject.most_rows:
                        most = f"{subject.most_rows:,}"
                        raise subject.refused(f"has more than {most} rows", "Divide it.", value=path.name)
                    row = [(cell.value, str(cell.data_type)) for cell in cells]
                    if any(value not in (None, "") for value, _ in row):
                        rows.append((number, row))
                yield sheet.title, rows
        finally:
            book.close()
    except subject.error:
        raise
    except Exception as error:  # openpyxl raises whatever its parts do
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise subject.refused(
            f"is not an Excel workbook that can be read ({said})", _SAVE_AGAIN, value=subject.shown(path)
        ) from None


def _side_by_side(rows: list[_Row], results: list[_Row]) -> Iterator[tuple[_Row, list[_Cell]]]:
    by_number = dict(results)  # a row of formulas without results counts as empty there
    for number, cells in rows:
        yield (number, cells), by_number.get(number, [(None, "n")] * len(cells))


def _with_results(path: Path, subject: Subject, row: _Row, results: list[_Cell]) -> tuple[int, list[str]]:
    number, cells = row
    for place, ((_, kind), (result, _)) in enumerate(zip(cells, results, strict=False), start=1):
        if kind == "f" and result is None:
            raise subject.refused(
                "holds a formula whose result was not saved", _SAVE_AGAIN, value=f"row {number}, column {place}"
            )
    return number, [_text(value) for value, _ in results]


def _text(value: Any) -> str:
    """A cell as a CSV file would hold it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case float() if value.is_integer():
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _refuse_bomb(path: Path, subject: Subject) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        raise subject.refused("is not an Excel workbook (.xlsx)", _SAVE_AGAIN, value=subject.shown(path)) from None
    if size > subject.most_bytes:
        most = f"{subject.most_bytes / MEBIBYTE:,.0f} MiB"
        raise subject.refused(f"becomes larger than {most} when it is read", "Divide it.", value=subject.shown(path))
