"""The rules of the house that a reader may rely on: floors, page length, what is read where, what may be installed."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
from importlinter.cli import lint_imports
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("avion_core", "app", "pages")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
ENGINE = [path for path in SOURCES if path.is_relative_to(ROOT / "avion_core") and path.parent.name != "versions"]
SCRIPTS = sorted(path for folder in ("tools", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
STUDIO = [path for path in SOURCES if not path.is_relative_to(ROOT / "avion_core")]
FIELDS = re.compile(
    r"checkbox|color_picker|data_editor|date_input|file_uploader|multiselect|number_input|pills|radio|"
    r"segmented_control|select_slider|selectbox|slider|text_area|text_input|toggle"
)
TABLES = [ROOT / "avion_core" / "store" / "tables.py"]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

by_file = {"ids": lambda path: str(path.relative_to(ROOT))}


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax, read once for all rules: look, do not change it."""
    return ast.parse(path.read_text(encoding="utf-8"), path.name)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


def attributes(path: Path, owner: str) -> Iterator[str]:
    """The names read from a module or object called `owner`, as `environ` in os.environ."""
    for node in nodes(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == owner:
            yield node.attr


def test_imports_go_down_the_floors(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("path", STUDIO, **by_file)
def test_a_field_has_a_key(path):
    """Without one a field is another as soon as its label, help or limits change, and forgets what was typed."""
    for node in nodes(path):
        match node:
            case ast.Call(func=ast.Attribute(attr=kind), keywords=given) if FIELDS.fullmatch(kind):
                assert {"key", None} & {one.arg for one in given}, f"{kind} in line {node.lineno}"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parent.name == "pages"], **by_file)
def test_a_page_is_thin(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 150
    imported = {name.name for node in nodes(path) if isinstance(node, ast.Import) for name in node.names}
    called = {node.func.id for node in nodes(path) if isinstance(node, ast.Call) and hasattr(node.func, "id")}
    assert not imported & {"os", "shutil", "sqlite3", "subprocess"}
    assert "open" not in called


@pytest.mark.parametrize("path", [path for path in SOURCES + SCRIPTS + TESTS if path not in TABLES], **by_file)
def test_a_file_can_be_read_in_one_go(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", ENGINE, **by_file)
def test_modules_and_public_functions_say_what_they_are(path):
    module = tree(path)
    public = [node for node in module.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert [node.name for node in public if not ast.get_docstring(node)] == []
    assert ast.get_docstring(module) or not module.body


@pytest.mark.parametrize("path", SOURCES + SCRIPTS, **by_file)
def test_a_field_is_explained_under_it(path):
    """Not in its class's docstring: of two places to look, one is the wrong one (docs/decisions.md)."""
    for node in nodes(path):
        if isinstance(node, ast.ClassDef):
            annotated = [part.target for part in node.body if isinstance(part, ast.AnnAssign)]
            fields = "|".join(target.id for target in annotated if isinstance(target, ast.Name))
            listed = re.compile(rf"(?m)(?:^|[.;,] )\s*((?:{fields})(?:, (?:{fields}))*): ")
            assert not fields or listed.findall(ast.get_docstring(node) or "") == [], node.name


@pytest.mark.parametrize("path", SOURCES + SCRIPTS, **by_file)
def test_names_use_the_words_of_the_glossary(path):
    """docs/glossary.md says what is said instead."""
    unwanted = {"deed", "deeds", "fate", "fates", "mend", "mends", "mended", "veiled", "anew", "stakes"}
    named = re.findall(r"[^\W\d_]+", " ".join(re.findall(r"\w+", ast.unparse(_without_texts(deepcopy(tree(path)))))))
    assert unwanted & {word.lower() for word in named} == set()


def _without_texts(module: ast.Module) -> ast.Module:
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return module


def test_only_the_upper_floors_read_the_environment():
    upper = tuple(ROOT / "avion_core" / name for name in ("store", "jobs", "usecases", "cli"))
    readers = [path for path in ENGINE if {"environ", "getenv"} & set(attributes(path, "os"))]
    assert [path for path in readers if not any(path.is_relative_to(floor) for floor in upper)] == []


@pytest.mark.parametrize("state", ["session_state", "query_params"])
def test_one_folder_reads_the_session_state_and_the_address(state):
    readers = {path for path in SOURCES if state in set(attributes(path, "st"))}
    assert {path.parent for path in readers} == {ROOT / "app" / "state"}


def test_no_page_ends_in_a_way_that_drops_what_was_pressed():
    assert [path for path in SOURCES if "stop" in set(attributes(path, "st"))] == []  # app.kit.guard.end_page


@pytest.mark.parametrize("path", SOURCES + SCRIPTS, **by_file)
def test_pickled_code_is_never_run(path):
    for node in nodes(path):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            assert "weights_only=True" in ast.unparse(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert not {"pickle", "dill", "joblib"} & {name.name for name in node.names}


def pins(name: str) -> list[tuple[Requirement, int]]:
    """Each requirement of a pinned list, and how many hashes it has."""
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n?", "", (ROOT / name).read_text()))
    return [
        (Requirement(entry.partition(" \\")[0]), entry.count("--hash=sha256:")) for entry in entries if entry.strip()
    ]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_pinned_lists_hold_names_versions_and_hashes_alone(name):
    assert "://" not in (ROOT / name).read_text()
    for requirement, hashes in pins(name):
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
        assert hashes, requirement


def test_pinned_versions_are_in_the_ranges_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {
        "requirements.txt": project["project"]["dependencies"],
        "requirements-dev.txt": project["dependency-groups"]["dev"],
    }
    for name, ranges in asked.items():
        for wanted in map(Requirement, ranges):
            pinned = [pin for pin, _ in pins(name) if canonicalize_name(pin.name) == canonicalize_name(wanted.name)]
            assert pinned, f"{wanted.name} is not in {name}: make lock"
            for pin in pinned:
                version = next(iter(pin.specifier)).version
                assert wanted.specifier.contains(version), f"{pin} in {name} is not {wanted}: make lock"


def test_packages_with_a_bad_history_stay_out():
    """lightning and litellm had releases that stole credentials; hnswlib and aim are no longer looked after."""
    unwanted = {"lightning", "pytorch-lightning", "litellm", "hnswlib", "aim"}
    pinned = pins("requirements.txt") + pins("requirements-dev.txt")
    assert not {canonicalize_name(pin.name) for pin, _ in pinned} & unwanted


def test_the_server_speaks_to_this_machine_alone():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["runner"]["magicEnabled"] is False  # it put a docstring in the middle of a file onto a page
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False


@pytest.mark.parametrize("path", DOCUMENTS, **by_file)
def test_links_in_the_documents_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    here = [target for target in targets if not target.startswith(("http:", "https:", "mailto:"))]
    assert [target for target in here if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, **by_file)
def test_places_in_the_code_that_documents_name_are_there(path):
    named = re.findall(r"`([\w.-]+/[\w./-]*)`", path.read_text(encoding="utf-8"))
    roots = (ROOT, ROOT / "avion_core")
    assert [place for place in named if not any((root / place).exists() for root in roots)] == []


def test_references_to_the_method_name_a_section_that_exists():
    sections = re.findall(r"(?m)^## (\d+)\. ", (ROOT / "docs" / "method.md").read_text(encoding="utf-8"))
    files = [*SOURCES, *SCRIPTS, *(ROOT / "tests").rglob("*.py")]
    named = {
        (str(path.relative_to(ROOT)), number)
        for path in files
        for number in re.findall(r"method\.md,? section (\d+)", path.read_text(encoding="utf-8"), re.IGNORECASE)
    }
    assert len(named) > 20
    assert {(path, number) for path, number in named if number not in sections} == set()
    lost = re.compile(r"(?<!docs/)(?<!add-a-)\bmethod\.md", re.IGNORECASE)  # a reference that a reader cannot follow
    others = [path for path in files if path.name != Path(__file__).name]
    assert [path for path in others if lost.search(path.read_text(encoding="utf-8"))] == []
