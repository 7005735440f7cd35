from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avion_core.data.class_names import ClassFinder, fold, name_collisions, said_taken_for
from avion_core.data.labels import read_labels
from avion_core.data.tables import as_written, misread, read_table, table_csv, whole_numbers, without_formula, write_csv
from avion_core.errors import DataError


@given(st.text())
def test_a_formula_s_quote_comes_off_again(text: str) -> None:
    assert as_written(without_formula(text)) == text
    assert not without_formula(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2)))
def test_a_table_comes_back_as_it_went(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    file = tmp_path_factory.mktemp("t") / "t.csv"
    file.write_bytes(write_csv(["path", "label"], rows))
    if any(misread(cell) for row in rows for cell in row):  # refused, never changed
        with pytest.raises(DataError, match="another encoding"):
            read_table(file, "table")
    else:
        assert read_table(file, "table")[:2] == (["path", "label"], rows)


def test_a_spreadsheet_finds_the_mark_and_no_formula() -> None:
    content = table_csv(pd.DataFrame({"class": ["=1+1", "-1", "Wälder"], "n": [-3, 2, None]}))
    assert content.decode("utf-8-sig").split("\r\n") == ["class,n", "'=1+1,-3.0", "'-1,2.0", "Wälder,", ""]
    assert content.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_parts_the_cells_is_seen(tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "t.csv").write_text(f"path{delimiter}label\na.png{delimiter}forest\n", encoding="utf-8-sig")
    assert read_table(tmp_path / "t.csv", "table")[:2] == (["path", "label"], [["a.png", "forest"]])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("path,label,Label\na,b,c\n", "two columns with the same name: label and Label"),
        ("path,label,label\na,b,c\n", "two columns with the same name: label and label"),
        ("path,label\na,b\na,b,c\n", "ine 3 of the table has 3 cells, and its header has 2: a,b,c"),
        ("path,label\na\n", "ine 2 of the table has 1 cells"),
        ("", "is empty"),
        ('path,label\n"a,b\n', "is not CSV"),
        ("class,name\n1,W\u00c3\u00a4lder\n", "was opened in another encoding: W\u00c3\u00a4lder was Wälder"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, what: str) -> None:
    (tmp_path / "t.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / "t.csv", "table")
    assert what in str(caught.value)


@pytest.mark.parametrize("word", ["Wälder", "森林", "Ünïcode", "naïve café", "Ã", "日本語", "🌲"])
def test_letters_of_other_languages_are_no_misreading(tmp_path: Path, word: str) -> None:
    (tmp_path / "t.csv").write_text(f"path,label\na,{word}\n", encoding="utf-8")
    assert read_table(tmp_path / "t.csv", "table")[1] == [["a", word]]


def test_codes_that_pandas_wrote_beside_an_empty_cell_are_whole_again() -> None:
    assert whole_numbers(["", "10.0", "100.0", "-1.0"]) == ["", "10", "100", "-1"]
    assert whole_numbers(["", "10,0", "100,0"]) == ["", "10", "100"]
    assert whole_numbers(["10,000", "80,0"]) == ["10,000", "80,0"]
    assert whole_numbers(["10", "2.5", "3.0"]) == ["10", "2.5", "3.0"]
    assert whole_numbers(["10.0", "forest"]) == ["10.0", "forest"]


class TestClassFinder:
    @pytest.mark.parametrize(
        "keys",
        [
            ["<30%", ">30%", "=30%"],
            ["-1", "1", "+1"],
            ["🌲", "🌊"],
            ["森林", "河流"],
            ["वन", "नदी"],
            ["10", "100", "1.0"],
            ["C++", "C#", "C"],
            ["a b", "ab"],
            ["1-12", "11-2", "112", "1 - 1 2"],
            ["10,0", "10.0", "100", "10 0"],
        ],
    )
    def test_names_that_differ_stay_apart(self, keys: list[str]) -> None:
        find = ClassFinder({key: key for key in keys})
        assert [find(key) for key in keys] == keys

    def test_the_exact_name_comes_before_a_folded_one(self) -> None:
        find = ClassFinder({"SeaLake": "sea or lake", "sea lake": "the other"})
        assert find("sea lake") == "sea lake"
        assert find("SeaLake") == "SeaLake"
        assert find("Sea_Lake") is None  # both would do
        assert find("the other") == "sea lake"

    @pytest.mark.parametrize("word", ["sea-lake", "Sea Lake", "SEALAKE", "sea_lake", "Sea or Lake", "sea\u2010lake"])
    def test_one_class_is_found_in_any_spelling(self, word: str) -> None:
        assert ClassFinder({"SeaLake": "sea or lake", "River": "river"})(word) == "SeaLake"

    def test_what_was_found_by_folded_spelling_alone_is_named(self) -> None:
        find = ClassFinder({"SeaLake": "sea or lake", "River": "river", "10": "trees"})
        for word in ("SeaLake", "sea or lake", "10.0", "sea-lake ", "RIVER", "elsewhere"):
            find(word)
        assert find.taken_for == {"sea-lake": "SeaLake", "RIVER": "River"}
        assert said_taken_for(find.taken_for) == "read “sea-lake” as “SeaLake”, “RIVER” as “River”"
        assert said_taken_for(dict.fromkeys("abcde", "x")).endswith("“c” as “x” and 2 more")

    def test_a_code_that_became_a_decimal_number(self) -> None:
        find = ClassFinder({"10": "trees", "80": "water", "100": "moss"})
        assert [find(code) for code in ("10.0", "80.0", "100.0", "10")] == ["10", "80", "100", "10"]
        assert [find(code) for code in ("10,0", "80,0", "100,00")] == ["10", "80", "100"]
        assert [find(code) for code in ("1.00", "10,000", "10 0", "1/0", "8-0")] == [None] * 5

    def test_numbers_side_by_side_do_not_become_one(self) -> None:
        assert name_collisions(["floors 1-12", "floors 11-2", "floors 112"]) == []
        assert len(name_collisions(["floors 1-12", "Floors 1_12", "floors 1 - 12"])) == 1

    def test_equal_words_collide_and_signs_do_not(self) -> None:
        assert name_collisions(["<30%", ">30%", "🌲", "🌊", "-1", "1"]) == []
        assert len(name_collisions(["sea lake", "Sea_Lake"])) == 1

    def test_a_fold_is_never_empty(self) -> None:
        assert all(fold(name) for name in ("-", "()", "_", "...", "🌲", "%"))


class TestLabelFiles:
    @pytest.fixture
    def pictures(self) -> set[str]:
        return {f"forest_{i:02}.jpg" for i in range(4)}

    def read(self, tmp_path: Path, pictures: set[str], content: str):
        (tmp_path / "l.csv").write_text(content, encoding="utf-8")
        return read_labels(tmp_path / "l.csv", tmp_path, pictures)

    def test_a_comma_too_many_at_a_row_s_end_is_named_and_nothing_is_lost(self, tmp_path, pictures) -> None:
        known, problems = self.read(tmp_path, pictures, "path,label\nforest_00.jpg,Forest,\nforest_01.jpg,Forest\n")
        assert {label.label for label in known.values()} == {"Forest"}
        assert [(problem.kind, problem.path) for problem in problems] == [("label_file", "l.csv, line 2")]

    def test_agreeing_labels_hold_under_two_groups(self, tmp_path, pictures) -> None:
        content = "path,label,group\nforest_00.jpg,Forest,b\nforest_00.jpg,Forest,a\n"
        known, problems = self.read(tmp_path, pictures, content)
        assert (known["forest_00.jpg"].label, known["forest_00.jpg"].group) == ("Forest", "a")
        assert [problem.kind for problem in problems] == ["conflict"]

    def test_two_splits_seal_the_picture(self, tmp_path, pictures) -> None:
        content = "path,label,split\nforest_00.jpg,Forest,train\nforest_00.jpg,Forest,test\n"
        known, problems = self.read(tmp_path, pictures, content)
        assert (known["forest_00.jpg"].label, known["forest_00.jpg"].split) == ("Forest", "test")
        assert "was put into test" in problems[0].message

    def test_codes_are_the_same_from_csv_and_parquet(self, tmp_path, pictures) -> None:
        table = pd.DataFrame({"path": sorted(pictures), "label": [10, None, 80, 100]})
        table.to_csv(tmp_path / "l.csv", index=False)
        table.to_parquet(tmp_path / "l.parquet")
        table.astype({"label": str}).replace("nan", "").to_parquet(tmp_path / "t.parquet")
        found = [read_labels(tmp_path / name, tmp_path, pictures)[0] for name in ("l.csv", "l.parquet", "t.parquet")]
        assert found[0] == found[1] == found[2]
        assert sorted(label.label for label in found[0].values()) == ["", "10", "100", "80"]
