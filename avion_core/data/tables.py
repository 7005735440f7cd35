"""Tables as CSV that survive a trip through a spreadsheet, or come back as its workbook, and what it does to them.

Written: UTF-8 with the mark by which Excel knows it; a text that a spreadsheet would take for a formula begins with an
apostrophe. Read: the apostrophe comes off again, so the trip loses nothing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from avion_core.data.class_names import as_code
from avion_core.errors import DataError
from avion_core.reading import Subject, is_storable, read_sheet, read_text

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_DELIMITERS = ",;\t"
_NUMBER = re.compile(r"-?\d+([.,]00?)?")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file; texts that would be formulas are quoted, numbers stay as they are."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")  # so that a lone carriage return is quoted too
    writer.writerow(columns)
    writer.writerows([without_formula(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return stream.getvalue().encode("utf-8-sig")


def table_csv(table: pd.DataFrame) -> bytes:
    """A data frame, without its index, as `write_csv` writes it; missing values are empty."""
    cells = table.astype(object).where(table.notna(), "")
    return write_csv([str(name) for name in table.columns], cells.itertuples(index=False))


def without_formula(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would compute it."""
    return f"'{text}" if _FORMULA.match(text) else text


def as_written(text: str) -> str:
    """The text that `without_formula` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def read_table(file: Path, what: str) -> tuple[list[str], list[list[str]], list[int]]:
    """Header and rows of a CSV file or an Excel workbook, each row as long as the header.

    The cells of a CSV file are parted by commas, semicolons or tabs; of a workbook the one sheet with rows is read.

    Args:
        what: the file's subject in messages, as in "label file".

    Returns:
        The header as written, the rows, and the lines of those that ended in empty cells too many.

    Raises:
        DataError: it cannot be read, is not UTF-8 (a CSV file), two columns have one name (in any case), or a row has
            too many or too few cells; the line is named.
    """
    found = workbook_rows(file, what) if is_workbook(file) else _csv_rows(file, what)
    if not found:
        raise DataError(f"the {what} is empty", "It needs a header and at least one row.", value=str(file))
    refuse_misread((cell for _, row in found for cell in row), what)
    header = found[0][1]
    while len(header) > 1 and not header[-1].strip():
        header = header[:-1]
    refuse_twins(header, what)
    rows, cut = [], []
    for line, row in found[1:]:
        if len(row) > len(header) and not any(cell.strip() for cell in row[len(header) :]):
            row = row[: len(header)]
            cut.append(line)
        if len(row) != len(header):
            raise DataError(
                f"line {line} of the {what} has {len(row)} cells, and its header has {len(header)}",
                'Put values that hold a comma in "quotes", and leave none out.',
                value=",".join(row),
            )
        rows.append(row)
    return header, rows, cut


def is_workbook(file: Path) -> bool:
    """Whether a file says that it is an Excel workbook."""
    return file.suffix.lower() == ".xlsx"


def workbook_rows(file: Path, what: str, subject: Subject | None = None) -> list[tuple[int, list[str]]]:
    """The rows of an Excel workbook with their numbers, all as long as the longest, without empty columns at the end.

    Raises:
        DataError: see `reading.read_sheet`.
    """
    rows = read_sheet(file, subject or Subject(f"the {what}", hint="Save it again as .xlsx or CSV UTF-8."))
    width = max((place for _, row in rows for place, cell in enumerate(row, start=1) if cell), default=0)
    return [(number, [as_written(cell) for cell in row[:width]] + [""] * (width - len(row))) for number, row in rows]


def _csv_rows(file: Path, what: str) -> list[tuple[int, list[str]]]:
    subject = Subject(f"the {what}", hint="Save it again as CSV UTF-8.")
    text = read_text(file, subject)
    if not is_storable(text):
        raise subject.refused("holds NUL bytes, so it is not a text file", value=str(file))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    try:
        return [(reader.line_num, [as_written(cell) for cell in row]) for row in reader if row]
    except csv.Error as error:
        hint = "Check its quotes, or export it again as CSV UTF-8."
        raise DataError(f"line {reader.line_num} of the {what} is not CSV ({error})", hint, value=str(file)) from error


def refuse_twins(columns: Iterable[str], what: str) -> None:
    """See that no two columns share a name, whatever its case.

    Raises:
        DataError: two do, as "label" and "Label".
    """
    seen: dict[str, str] = {}
    for column in columns:
        name = str(column).strip().lower()
        if name and name in seen:
            raise DataError(
                f"the {what} has two columns with the same name",
                "Rename or remove one of them.",
                value=f"{seen[name]} and {column}",
            )
        seen[name] = str(column)


def refuse_misread(cells: Iterable[str], what: str) -> None:
    """See that no text went through a program that took UTF-8 for a Windows encoding ("WÃ¤lder" for "Wälder").

    Raises:
        DataError: one did; the first is shown as it is and as it was.
    """
    for cell in cells:
        if meant := misread(cell):
            hint = "Import the original file, or open it in the spreadsheet as UTF-8 and save it again."
            raise DataError(f"the {what} was opened in another encoding", hint, value=f"{cell} was {meant}")


def misread(cell: str) -> str | None:
    """The text whose UTF-8 bytes were read as this one; None where that cannot be."""
    if cell.isascii():
        return None
    try:
        read = b"".join(_byte(letter) for letter in cell)
        return read.decode("utf-8")
    except ValueError:
        return None


def _byte(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")  # the five bytes that cp1252 leaves open


def whole_numbers(values: Sequence[str]) -> list[str]:
    """Codes as they were: in a column of numbers alone, `10.0` and `10,0` are `10`."""
    given = [value for value in values if value]
    if not any(as_code(value) != value for value in given) or not all(_NUMBER.fullmatch(value) for value in given):
        return list(values)
    return [as_code(value) for value in values]


def delimiter_of(text: str) -> str:
    """What parts the cells of a CSV file, by its header: a comma, a semicolon or a tab."""
    header = text.partition("\n")[0]
    return max(_DELIMITERS, key=header.count)  # the first of them where there is none
