"""The one way in: regular files alone, values within limits, tables no larger than they may become."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from avion_core.errors import CheckpointError, DataError
from avion_core.reading import (
    Subject,
    fitted,
    parse_json,
    point_in_time,
    read_bytes,
    read_json,
    read_parquet,
    read_text,
    storable,
    web_address,
    whole_number,
)

THING = Subject("the thing", hint="Make it again.", most_bytes=2**20, most_rows=1000)


class TestFiles:
    @pytest.fixture
    def odd(self, tmp_path: Path) -> dict[str, Path]:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "large").write_bytes(b" " * (2**20 + 1))
        with (tmp_path / "sparse").open("wb") as file:
            file.truncate(2**40)
        named = {name: tmp_path / name for name in ("pipe", "large", "sparse", "gone", "under/gone")}
        return named | {"folder": tmp_path, "device": Path("/dev/zero"), "nul": Path("a\0b")}

    @pytest.mark.parametrize(
        ("which", "what"),
        [
            ("pipe", "is a pipe, not a file"),
            ("folder", "is a folder, not a file"),
            ("device", "is a device, not a file"),
            ("large", "is larger than 1 MiB"),
            ("sparse", "is larger than 1 MiB"),
            ("gone", "does not exist"),
            ("under/gone", "does not exist"),
            ("nul", "has a path that no file can have"),
        ],
    )
    def test_only_regular_files_of_a_size_are_read(self, odd, which, what):
        for read in (read_bytes, read_text, read_json, read_parquet):
            with pytest.raises(DataError, match=rf"The thing {what}: "):
                read(odd[which], THING)

    def test_a_file_without_a_size_is_read_no_further_than_the_limit(self):
        with pytest.raises(DataError, match="larger than 0 MiB"):
            read_bytes(Path("/proc/self/maps"), replace(THING, most_bytes=10))

    def test_an_upload_is_named_without_its_folder(self, tmp_path):
        with pytest.raises(CheckpointError, match=r"thing does not exist: gone\. Check"):
            read_text(tmp_path / "gone", Subject("the thing", CheckpointError, uploaded=True))

    def test_the_mark_of_utf_8_is_no_text_and_its_faults_have_a_line(self, tmp_path):
        (tmp_path / "a").write_bytes(b"\xef\xbb\xbfa\nb")
        assert read_text(tmp_path / "a", THING) == "a\nb"
        (tmp_path / "a").write_bytes(b"a\nb\xff")
        with pytest.raises(DataError, match=r"not UTF-8 \(line 2\).*Save it again"):
            read_text(tmp_path / "a", THING)


DEEP = 100_000


class TestValues:
    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("[" * DEEP + "]" * DEEP, "nested more than 64 levels deep"),
            ('{"a":' * 70 + "1" + "}" * 70, "nested more than 64 levels deep"),
            ("9" * 5000, "whole number of more than 64 bits"),
            ('{"a": [-9223372036854775809]}', "whole number of more than 64 bits"),
            ('["a\\u0000b"]', "NUL or half a character"),
            ('{"\\ud800": 1}', "NUL or half a character"),
            ('["\\udfff"]', "NUL or half a character"),
            ("{", r"not JSON \(column 2: Expecting"),
            ("{\n,", r"not JSON \(line 2, column 1: Expecting"),
            ("", "not JSON"),
            (b"\xff", "not UTF-8"),
        ],
    )  # fmt: skip
    def test_what_no_table_keeps_is_refused(self, text, what):
        with pytest.raises(DataError, match=rf"The thing (is|holds) .*{what}"):
            parse_json(text, THING)

    def test_what_is_within_the_limits_comes_through(self):
        value = {"a": [1, -1.5, True, None, "é😀", 2**63 - 1, -(2**63)]}
        assert parse_json(json.dumps(value), THING) == value  # 😀 is written as a whole pair of surrogates
        deep = "[" * 64 + "]" * 64
        assert json.dumps(parse_json(deep, THING)) == deep

    json_values = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )

    @given(json_values)
    def test_any_value_is_read_as_python_reads_it_or_refused_for_its_text(self, value):
        text = json.dumps(value)
        try:
            found = parse_json(text, THING)
        except DataError:
            assert re.search(r"\\u0000|\\ud[89a-f]", text)
        else:
            assert found == json.loads(text)

    @pytest.mark.parametrize(
        ("value", "number"),
        [
            (0, 0), ("7", 7), (" 12 ", 12), (3.0, 3), (2**31 - 1, 2**31 - 1),
            (-1, None), (2**31, None), ("9" * 5000, None), ("1.5", None), (1.5, None), (True, None), (None, None),
            ([1], None), (float("nan"), None), (float("inf"), None), (1e300, None), ("-3", None), ("", None),
        ],
    )  # fmt: skip
    def test_whole_numbers(self, value, number):
        assert whole_number(value) == number

    @pytest.mark.parametrize(
        ("text", "usable"),
        [
            ("2026-03-01T12:00:00+00:00", True),
            ("2026-03-01T12:00:00Z", True),
            ("2026-03-01T12:00:00", False),
            ("0001-01-01T00:00:00+14:00", False),
            ("9999-12-31T23:59:59-14:00", False),
            ("yesterday", False),
            ("", False),
        ],
    )
    def test_points_in_time_have_a_zone_and_a_year_that_can_be_meant(self, text, usable):
        assert (point_in_time(text) is not None) is usable

    def test_a_value_of_another_form_is_named_by_its_place(self):
        with pytest.raises(DataError, match=r"does not fit its form \(a\.1: .*\): x\. Make it again"):
            fitted(dict[str, list[int]], {"a": [1, "x"]}, THING)

    def test_storable(self):
        assert storable("a\0b\ud800c😀") == "a�b�c😀"


class TestTables:
    def table(self, path: Path, columns: dict[str, object]) -> Path:
        parquet.write_table(pa.table(columns), path, compression="zstd")
        return path

    def test_many_equal_rows_are_refused_before_they_are_read(self, tmp_path):
        file = self.table(tmp_path / "a", {"path": pa.repeat("a.png", 5_000_000)})
        assert file.stat().st_size < 100_000
        with pytest.raises(DataError, match=r"more than 1,000 rows: .*5,000,000 rows"):
            read_parquet(file, THING)
        with pytest.raises(DataError, match="becomes larger than 1 MiB"):
            read_parquet(file, replace(THING, most_rows=10**8))

    @pytest.mark.parametrize("column", ["flat", "nested"])
    def test_one_long_text_said_often_is_refused_before_it_is_written_out(self, tmp_path, column):
        long = "x" * 10_000
        columns = {"flat": [long] * 900, "nested": [[{"a": long}]] * 900}
        file = self.table(tmp_path / "a", {column: columns[column]})
        with pytest.raises(DataError, match="becomes larger than 1 MiB"):
            read_parquet(file, THING)
        assert read_parquet(file, replace(THING, most_bytes=2**24))[column].tolist() == columns[column]

    def test_a_long_list_in_one_row_is_refused(self, tmp_path):
        file = self.table(tmp_path / "a", {"a": pa.array([[1] * 1_000_000])})
        with pytest.raises(DataError, match="becomes larger than 1 MiB"):
            read_parquet(file, THING)

    def test_a_table_is_read_as_pandas_reads_it(self, tmp_path):
        written = pd.DataFrame(
            {"a": ["x", None, "x"], "n": [1, 2, 3], "f": [0.5, None, 2.0], "b": [True, False, True]}, index=[5, 6, 7]
        )
        written.to_parquet(tmp_path / "a")
        pd.testing.assert_frame_equal(read_parquet(tmp_path / "a", THING), pd.read_parquet(tmp_path / "a"))
        assert list(read_parquet(tmp_path / "a", THING, ["n"])) == ["n"]
        with pytest.raises(DataError, match="lacks the column m"):
            read_parquet(tmp_path / "a", THING, ["m"])

    @pytest.mark.parametrize("damage", [lambda b: b[:20], lambda b: b[:-4], lambda b: b"PAR1" + b"x" * 50 + b"PAR1"])
    def test_a_damaged_file_is_refused(self, tmp_path, damage):
        file = self.table(tmp_path / "a", {"a": ["x"] * 10})
        file.write_bytes(damage(file.read_bytes()))
        with pytest.raises(DataError, match="is not a Parquet file that can be read"):
            read_parquet(file, THING)


@pytest.mark.parametrize("text", ["http://localhost:11434/v1", "https://api.example.org", "http://[::1]:8000/v1"])
def test_web_addresses(text):
    assert web_address(text, THING) == text


@pytest.mark.parametrize(
    "text",
    ["http://[::1", "http://", "ftp://host", "localhost:80", "http://a:port/", "http://a b", "http://a\n", "", "///",
     "http://host:99999", "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_web_address(text):
    with pytest.raises(DataError, match="The thing is not a web address"):
        web_address(text, THING)


def test_an_address_carries_no_password():
    with pytest.raises(DataError, match="holds a name or a password") as caught:
        web_address("http://me:secret@host/v1", THING)
    assert "secret" not in str(caught.value)
