"""Excel workbooks as rows of text."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from avion_core.errors import DataError
from avion_core.reading import Subject, read_sheet

SHEET = Subject("the table")


def book(path: Path, *sheets: list[list[object]]) -> Path:
    made = Workbook()
    made.remove(made.worksheets[0])
    for number, rows in enumerate(sheets):
        sheet = made.create_sheet(f"sheet{number}")
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def test_cells_come_as_a_csv_would_hold_them(tmp_path: Path) -> None:
    day = datetime.datetime(2026, 5, 4)
    rows = [["path", "label", "day"], ["a.png", 10.0, day], [], ["b.png", 2.5, None], ["c.png", True, "Wälder"]]
    assert read_sheet(book(tmp_path / "t.xlsx", rows), SHEET) == [
        (1, ["path", "label", "day"]),
        (2, ["a.png", "10", "2026-05-04"]),
        (4, ["b.png", "2.5"]),
        (5, ["c.png", "TRUE", "Wälder"]),
    ]


def test_empty_sheets_do_not_count_and_several_are_refused(tmp_path: Path) -> None:
    assert read_sheet(book(tmp_path / "one.xlsx", [], [["x"]], []), SHEET) == [(1, ["x"])]
    assert read_sheet(book(tmp_path / "none.xlsx", []), SHEET) == []
    with pytest.raises(DataError, match=r"rows in several sheets.*sheet0, sheet1"):
        read_sheet(book(tmp_path / "two.xlsx", [["x"]], [["y"]]), SHEET)


def test_a_formula_without_its_result_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", [["label"], ["=A1"]])  # no spreadsheet has computed it
    with pytest.raises(DataError, match=r"formula whose result was not saved.*row 2, column 1"):
        read_sheet(path, SHEET)


def test_a_formula_is_read_as_its_saved_result(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", [["label"], ["=1+2"]])
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b"<f>1+2</f><v />", b"<f>1+2</f><v>3</v>").replace(b"<v></v>", b"<v>3</v>")
    with zipfile.ZipFile(path, "w") as again:
        for name, content in parts.items():
            again.writestr(name, content)
    assert read_sheet(path, SHEET) == [(1, ["label"]), (2, ["3"])]


@pytest.mark.parametrize("content", [b"", b"path,label\n", b"PK\x03\x04broken"])
def test_what_is_no_workbook_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not an Excel workbook"):
        read_sheet(path, SHEET)


def test_a_zip_that_is_no_workbook_and_one_too_large_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", b"0" * 3_000_000)
    with pytest.raises(DataError, match="not an Excel workbook that can be read"):
        read_sheet(path, SHEET)
    with pytest.raises(DataError, match="becomes larger than"):
        read_sheet(path, Subject("the table", most_bytes=1_000_000))
