from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from avion_core.descriptions.importing import MOST_CHARACTERS, read_descriptions
from avion_core.descriptions.schema import description_id
from avion_core.errors import DataError, DescriptionError

CLASSES = {"denseresidential": "dense residential", "StorageTanks": "storage tanks", "river": "river"}
LONG = "A river bends through fields. It is e.g. 0.5 km wide. Trees stand on both banks."


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(*rows: object) -> str:
    return "\n".join(json.dumps(row) for row in rows)


def test_json_lines_with_every_field(tmp_path: Path) -> None:
    row = {
        "class": "river",
        "text": " A winding\nriver. ",
        "writer": "gemini",
        "model": "flash",
        "prompt_version": "v1",
        "viewpoint": "overhead",
        "visual_cues": ["blue", "thin"],
        "spatial_cues": "winding",
        "raw_reply": "{...}",
        "tokens_in": 10,
        "tokens_out": "20",
        "created_at": "2026-01-01T00:00:00Z",
    }
    (found,) = read_descriptions(write(tmp_path, "a.jsonl", "\ufeff" + lines(row) + "\n\n"), CLASSES).descriptions
    assert (found.class_key, found.text, found.writer, found.model) == ("river", "A winding river.", "gemini", "flash")
    assert (found.visual_cues, found.spatial_cues, found.viewpoint) == ("blue; thin", "winding", "overhead")
    assert (found.prompt_version, found.raw_reply, found.created_at) == ("v1", "{...}", "2026-01-01T00:00:00Z")
    assert (found.tokens_in, found.tokens_out, found.parent) == (10, 20, "")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"class_key": "river", "text": "Blue, thin line"}\n{"label": "river", "text": "Dark band"}'),
        ("a.csv", 'class,text\nriver,"Blue, thin line"\r\nriver,Dark band\r\n'),
        ("a.csv", "class;text;writer\nriver;Blue, thin line;Ann\nriver;Dark band;Ann\n"),
        ("a.csv", "class\ttext\nriver\tBlue, thin line\nriver\tDark band\n"),
        ("A.JSON", '{"river": ["Blue, thin line", "Dark band"]}'),
    ],
)
def test_the_three_forms_say_the_same(tmp_path: Path, name: str, content: str) -> None:
    result = read_descriptions(write(tmp_path, name, content), CLASSES, writer="Ann")
    assert [(d.class_key, d.text, d.writer) for d in result.descriptions] == [
        ("river", "Blue, thin line", "Ann"),
        ("river", "Dark band", "Ann"),
    ]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("denseresidential", "denseresidential"),
        ("Dense Residential", "denseresidential"),
        ("dense_residential", "denseresidential"),
        ("storage tanks", "StorageTanks"),
        ("STORAGE-TANKS", "StorageTanks"),
    ],
)
def test_classes_are_found_by_key_or_prompt_name(tmp_path: Path, written: str, key: str) -> None:
    path = write(tmp_path, "a.json", json.dumps({written: ["Many roofs."]}))
    assert read_descriptions(path, CLASSES).descriptions[0].class_key == key


def test_a_spelling_that_fits_two_classes_is_unknown(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", '{"Sea Lake": ["Blue."], "sealake": ["Grey."]}')
    result = read_descriptions(path, {"sealake": "sea lake", "sea-lake": "sea-lake"})
    assert [(d.class_key, d.text) for d in result.descriptions] == [("sealake", "Grey.")]
    assert result.unknown_classes == {"Sea Lake": 1}


def test_unknown_classes_and_bad_texts_are_reported_and_the_rest_is_kept(tmp_path: Path) -> None:
    rows = [
        {"class": "river", "text": "Blue line."},
        {"class": "volcano", "text": "Red."},
        {"class": "volcano", "text": "Hot."},
        {"class": "river", "text": 7},
        {"class": "river", "text": " ... "},
        {"class": "river", "text": "x" * (MOST_CHARACTERS + 1)},
        {"class": "river", "text": "nul \0 here"},
        {"class": "river", "text": "half \ud800 here"},
        {"class": "river", "text": "Fine.", "tokens_in": "many"},
        {"class": "river", "text": None},
    ]
    result = read_descriptions(write(tmp_path, "a.jsonl", lines(*rows)), CLASSES)
    assert [d.text for d in result.descriptions] == ["Blue line."]
    assert result.unknown_classes == {"volcano": 2}
    assert result.problems == [
        "line 4: the text is a number, not a string.",
        "line 5: the text is empty.",
        f"line 6: the text is too long: {MOST_CHARACTERS + 1} characters, where {MOST_CHARACTERS} are allowed.",
        "line 7: the text holds control characters or broken Unicode.",
        "line 8: the text holds control characters or broken Unicode.",
        "line 9: tokens_in is not a whole number up to 2,147,483,647: 'many'.",
        "line 10: the text is null, not a string.",
    ]


def test_duplicates_are_folded_within_a_class(tmp_path: Path) -> None:
    texts = ["A close-up, blue line.", "a CLOSE\u2011UP  blue line", "Ａ close up blue line!", "Another line."]
    path = write(tmp_path, "a.json", json.dumps({"river": texts, "StorageTanks": texts[:1]}))
    result = read_descriptions(path, CLASSES)
    assert [(d.class_key, d.text) for d in result.descriptions] == [
        ("river", texts[0]),
        ("river", "Another line."),
        ("StorageTanks", texts[0]),
    ]
    assert [d.text for d in result.duplicates] == ["a CLOSE\u2011UP blue line", "Ａ close up blue line!"]
    assert len({d.description_id for d in result.descriptions}) == 3
    assert {d.description_id for d in result.duplicates} == {description_id("river", texts[0])}


def test_long_texts_are_split_and_keep_their_parent(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", json.dumps({"river": [LONG, "One blue line."]}))
    split = read_descriptions(path, CLASSES, split_sentences=True).descriptions
    assert [(d.text, d.parent) for d in split] == [
        ("A river bends through fields.", LONG),
        ("It is e.g. 0.5 km wide.", LONG),
        ("Trees stand on both banks.", LONG),
        ("One blue line.", ""),
    ]
    assert [d.text for d in read_descriptions(path, CLASSES).descriptions] == [LONG, "One blue line."]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.docx",
            "river: blue",
            "Descriptions cannot be read from this kind of file: a.docx. "
            "Give a file that ends in .jsonl, .csv, .json, .txt, .md, .xlsx or .parquet.",
        ),
        ("a.jsonl", " \n", "The file of descriptions is empty: a.jsonl. Choose a file with texts for the classes."),
        (
            "a.csv",
            b"class,text\nriver,bl\xfcmig\n",
            "The file of descriptions is not UTF-8 (line 2): a.csv. Save it again with the encoding UTF-8.",
        ),
        (
            "a.json",
            '{"river": ["Blue."]}'.encode("utf-16"),
            "The file of descriptions is not UTF-8 (line 1): a.json. Save it again with the encoding UTF-8.",
        ),
        (
            "a.csv",
            b"class,text\nriver,blue\0line\n",
            "The file of descriptions holds NUL bytes, so it is not a text file: a.csv, line 2. "
            "Export it again as text in UTF-8.",
        ),
        (
            "a.jsonl",
            '{"class": "river", "text": "Blue."}\n\n{"class": "river", "text": }',
            "Line 3 of a.jsonl is not JSON (column 28: Expecting value): "
            '{"class": "river", "text": }. Each line must be one JSON object.',
        ),
        (
            "a.jsonl",
            '["river", "Blue."]',
            'Line 1 of a.jsonl is a list: ["river", "Blue."]. Each line is an object like {"class": ..., "text": ...}.',
        ),
        (
            "a.jsonl",
            '{"class": "river", "description": "Blue."}',
            "Line 1 of a.jsonl lacks a class or a text: class, description. "
            "Name the class class_key, class or label, and the text text.",
        ),
        (
            "a.csv",
            "name;text\nriver;Blue.\n",
            "The header of a.csv lacks a class or a text: name, text. "
            "Name the class class_key, class or label, and the text text.",
        ),
        (
            "a.csv",
            "class,text\nriver,Blue, thin line\n",
            "Line 2 of a.csv does not have the header's 2 fields: river,Blue, thin line. "
            'Put texts that hold commas or line breaks in "quotes".',
        ),
        ("a.csv", 'class,text\nriver,"Blue', "Line 2 of a.csv is not CSV: unexpected end of data. Check its quotes."),
        (
            "a.json",
            '{"river": ["Blue."',
            "The file of descriptions is not JSON (column 19: Expecting ',' delimiter): a.json. "
            'The file must be one object like {"class": ["text", "text"]}.',
        ),
        (
            "a.json",
            '["Blue."]',
            'The file a.json holds a list. The file must be one object like {"class": ["text", "text"]}.',
        ),
        (
            "a.json",
            '{"river": "Blue."}',
            "The class river in a.json has a string for its texts. "
            'The file must be one object like {"class": ["text", "text"]}.',
        ),
        (
            "a.json",
            '{"river": ["Blue."], "river": ["Grey."]}',
            "A name occurs twice in one JSON object: river. Put its texts into one list.",
        ),
        (
            "a.json",
            '{"volcano": ["Red."], "geyser": ["White."]}',
            "No usable description was found in a.json: its classes are not in this project: volcano, geyser. "
            "Say which are meant (--match). The project's classes are: denseresidential, StorageTanks, river.",
        ),
        (
            "a.json",
            '{"river": ["", 5]}',
            "No usable description was found in a.json: river, text 1: the text is empty. "
            "Give at least one class a text.",
        ),
        (
            "a.json",
            "{}",
            "No usable description was found in a.json: no text at all. Give at least one class a text.",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_what_and_a_hint(tmp_path, name, content, message) -> None:
    with pytest.raises(DescriptionError) as caught:
        read_descriptions(write(tmp_path, name, content), CLASSES)
    assert str(caught.value) == message


@pytest.mark.parametrize("columns", [("class", "text", "text"), ("class", "Text", "text"), ("class", "Class ", "text")])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, columns: tuple[str, ...]) -> None:
    table = write(tmp_path, "a.csv", ",".join(columns) + "\nriver,river,Blue.\n")
    parquet = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["river"])] * 3, names=list(columns)), parquet)
    for file in (table, parquet):
        with pytest.raises(DataError, match=r"two columns with the same name: (text and|Text and|class and)"):
            read_descriptions(file, CLASSES)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DescriptionError, match=r"does not exist.*none\.json.*Check the path"):
        read_descriptions(tmp_path / "none.json", CLASSES)
