"""What people read: docs/interface.md is what the pages say, and words that the glossary bans are in no message."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

SOURCES = sorted(path for package in ("avion_core", "app", "pages") for path in (ROOT / package).rglob("*.py"))
BROWSER = sorted(
    path for path in (*ROOT.glob("app/**/*"), *ROOT.glob("avion_core/**/*")) if path.suffix in (".html", ".js")
)


def table_rows(title: str) -> list[list[str]]:
    """The cells of a glossary table, without its heading."""
    part = GLOSSARY.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


BANNED = [word.strip() for words, _ in table_rows("Not used") for word in words.split(",")]
_BANNED = re.compile(rf"\b(?:{'|'.join(map(re.escape, BANNED))})\b", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")


def said_in_python(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of every literal that may reach a person: no docstrings, no keys and other identifiers."""
    tree = ast.parse(text)
    silent: set[int] = set()
    pieces = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        for statement in getattr(node, "body", ()) if not isinstance(node, ast.Lambda | ast.IfExp) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                silent.add(id(statement.value))  # docstrings, of fields too
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(said)) if id(node) not in silent:
                if id(node) in pieces or not _IDENTIFIER.fullmatch(said):
                    yield node.lineno, said


def said_in_browser(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of an HTML or JavaScript file, without comments."""
    without = re.sub(r"<!--.*?-->|/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL)
    for number, line in enumerate(without.splitlines(), 1):
        yield number, re.sub(r"(^|\s)//.*", "", line)


# Files whose wording is still to be revised. It only shrinks: one that holds no banned word must leave it.
TO_DO: set[str] = set()


def banned_in(path: Path) -> list[str]:
    """What a file says in banned words, as "line: word: text", line by line."""
    said = said_in_python if path.suffix == ".py" else said_in_browser
    found = sorted(said(path.read_text(encoding="utf-8")))
    return [f"{line}: {word}: {text.strip()[:100]}" for line, text in found for word in _BANNED.findall(text)]


@pytest.mark.parametrize("path", SOURCES + BROWSER, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_message_holds_a_word_that_the_glossary_bans(path: Path) -> None:
    found = banned_in(path)
    if str(path.relative_to(ROOT)) in TO_DO:
        assert found, "its wording is done: take it off the list"
    else:
        assert found == []


def test_the_list_of_files_to_do_names_files() -> None:
    assert {name for name in TO_DO if not (ROOT / name).is_file()} == set()


def test_banned_words_are_found_in_what_is_said_and_nowhere_else(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text(
        '''"""A deed."""
deed: str = "deed"
"""A deed of a field."""
def mend(fate):
    """Mend it."""  # anew
    raise Error(f"{fate}anew", "Mend it", other="indeed")
''',
        encoding="utf-8",
    )
    assert banned_in(source) == ["6: Mend: Mend it", "6: anew: anew"]
    script = tmp_path / "script.js"
    script.write_text(
        '// anew\n/* a\ndeed */\nsay("Order it anew") // mend\nlocation = "http://deeds.org"\n', encoding="utf-8"
    )
    assert banned_in(script) == ['4: anew: say("Order it anew")', '5: deeds: location = "http://deeds.org"']


def test_the_glossary_names_each_word_once() -> None:
    words = [row[0] for title in ("The method's words", "The studio's words") for row in table_rows(title)]
    assert len(words) > 40
    assert len(set(words)) == len(words)
    assert len(set(BANNED)) == len(BANNED) > 20
