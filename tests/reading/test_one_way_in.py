"""What files hold is read by `avion_core.reading`: whoever parses one otherwise stands here, with the reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARSERS = {
    "json.load", "json.loads", "json.JSONDecoder", "csv.reader", "csv.DictReader", "tomllib.load", "tomllib.loads",
    "yaml.load", "yaml.safe_load", "yaml.full_load", "yaml.unsafe_load", "pd.read_csv", "pd.read_parquet",
    "pd.read_json", "pd.read_table", "pd.read_excel", "pd.read_feather", "pd.read_pickle", "pd.read_hdf", "pd.read_xml",
    "pd.read_orc",
    "pickle.load", "pickle.loads", "np.load", "np.loadtxt", "np.genfromtxt", "np.fromfile", "torch.load",
    "parquet.ParquetFile", "parquet.read_table", "pq.ParquetFile", "pq.read_table", "ElementTree.parse",
    "ElementTree.fromstring", "safe_open", "load_file", "literal_eval", "ast.literal_eval", "sqlite3.connect",
}  # fmt: skip
ALLOWED = {
    "app/state/drafts.py json.loads": "what `parse_json` has let in, or this process has written",
    "app/components/writing/writing_form.py json.loads": "a prompt that this process has just written",
    "avion_core/descriptions/writers/file.py json.loads": "a prompt that this process has just written",
    "avion_core/descriptions/writers/openai_compatible.py json.loads": "a reply's envelope, whose form is checked",
    "avion_core/descriptions/writers/refusals.py json.loads": "an error's words, taken as they are where it is no JSON",
    "avion_core/descriptions/writers/reply.py json.JSONDecoder": "finds JSON inside prose, and checks it afterwards",
    "avion_core/descriptions/pasted.py json.JSONDecoder": "finds JSON inside a chat, checked afterwards",
    "avion_core/descriptions/rs_flag.py yaml.safe_load": "word lists that ship with the package",
    "avion_core/usecases/projects/creating.py json.loads": "the demo's project.json, which ships with the package",
    "avion_core/config.py csv.reader": "one setting, as somebody typed it on a command line",
    "avion_core/data/tables.py csv.reader": "the one reader of tables; its text comes from reading.read_text",
    "avion_core/descriptions/importing.py csv.reader": "strict cells; its text comes from reading.read_text",
    "avion_core/features/shards.py json.loads": "facts that `reading` has read, written again in one order",
    "avion_core/features/shards.py safe_open": "the one reader of shards: sizes, keys and facts are checked",
    "avion_core/backbones/given.py safe_open": "the one reader of given features; its lists come through `parse_json`",
    "avion_core/data/given_features.py np.load": "no objects, and the size of each array is asked of its head first",
    "avion_core/distill/tensor_file.py safe_open": "the one reader of adapters and training states",
    "avion_core/backbones/checkpoint.py load_file": "the one reader of weights",
    "avion_core/backbones/checkpoint.py torch.load": "the one reader of weights, with weights_only=True",
    "avion_core/store/backups.py sqlite3.connect": "copies of the database, checked before they are put back",
}


def parsers_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call | ast.Attribute | ast.Name):
            named = ast.unparse(node.func if isinstance(node, ast.Call) else node)
            if named in PARSERS:
                yield named


def found() -> dict[str, set[str]]:
    files = [file for folder in ("avion_core", "app", "pages") for file in (ROOT / folder).rglob("*.py")]
    by_file = {file.relative_to(ROOT).as_posix(): set(parsers_in(ast.parse(file.read_text("utf-8")))) for file in files}
    return {name: calls for name, calls in by_file.items() if calls and not name.startswith("avion_core/reading/")}


def test_files_are_parsed_in_one_place():
    met = {f"{name} {call}" for name, calls in found().items() for call in calls}
    assert not met - set(ALLOWED), "read it with avion_core.reading, which bounds sizes, depth, numbers and text"
    assert not set(ALLOWED) - met, "no longer needed"


@pytest.mark.parametrize("code", ["json.loads(x)", "x = pd.read_csv", "map(json.loads, x)", "with safe_open(f): x"])
def test_a_parser_is_found_however_it_is_called(code):
    assert list(parsers_in(ast.parse(code)))
