"""Names and texts are data: whatever a class, project, writer, person, run or file is called, no page renders it.

Markdown in a name would fetch a picture from wherever it says, or pass a link off as the studio's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message
from markdown_it import MarkdownIt
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Node

from app.kit.guard import code, plain
from avion_core.store import tables
from avion_core.store.database import writing
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import rename_class
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from tests.acting import by
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open

PAGES = Path(__file__).parents[2] / "pages"
_MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
# What Streamlit shows as it stands: what is typed into fields, options of selectors, code, and its own ids.
_PLAIN = {
    *("id", "key", "value", "default", "raw_value", "raw_values", "placeholder", "arrow_data", "columns", "figure"),
    *("json", "spec", "data", "element_id", "form_id", "page_script_hash", "url", "alt", "language", "file_name"),
    "code_text",
}
_PLAIN_OPTIONS = {"selectbox", "multiselect"}  # those of radio buttons and pills are Markdown
_PLAIN_KINDS = {"code", "json", "bidi_component", "arrow_data_frame", "plotly_chart"}


def hostile(what: str) -> str:
    """Fits into 80 characters, the most that a class's name may have."""
    return f"![{what}](//evil/{what}) **{what}** [{what}](//evil) 1"


@pytest.fixture
def hostile_home(home: Home) -> str:
    """The tiny project with every name in it hostile; returns its id."""
    project = get_project(home, NAME).id
    for who in ("ann", "bob"):
        texts = current_descriptions(home, project)
        record_verdict(by(hostile(who), home), project, texts["description_id"].iloc[0],
                       "accept" if who == "ann" else "reject", reason=hostile("reason"))  # fmt: skip
    record_verdict(by(hostile("eve"), home), project, texts["description_id"].iloc[1], "edit", text=hostile("edit"))
    for key in ("Forest", "Residential", "SeaLake"):
        rename_class(by(hostile("ann"), home), project, key, hostile(key))
    with writing(home.engine) as session:
        card = {name: hostile(name) for name in ("local_name", "code", "definition", "includes", "excludes", "parent")}
        session.execute(update(tables.ProjectClass).values(**card))
        session.execute(update(tables.Project).where(tables.Project.id == project).values(name=hostile("project")))
        session.execute(update(tables.Run).values(name=hostile("run")))
        session.execute(update(tables.Job).values(who=hostile("who")))
        session.execute(
            update(tables.Description).values(
                writer=hostile("writer"), model=hostile("model"), prompt_version=hostile("prompt")
            )
        )
        first = session.scalars(select(tables.Description)).first()
        assert first is not None
        first.text = hostile("text")
    return project


def strings(message: Message, kind: str, path: str = "") -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        if field.name in _PLAIN or (field.name == "options" and kind in _PLAIN_OPTIONS):
            continue
        for one in [value] if isinstance(value, str | bytes | int | float | Message) else value:
            if isinstance(one, Message):
                yield from strings(one, kind, f"{path}.{field.name}")
            elif isinstance(one, str):
                yield f"{path}.{field.name}", one


def nodes(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Block):
        for child in node.children.values():
            yield from nodes(child)


def live(text: str) -> bool:
    """Whether Markdown makes a picture or a link of what a name says."""
    parts = [part for block in _MARKDOWN.parse(text) for part in block.children or ()]
    return any(part.type in ("image", "link_open") and "evil" in str(part.attrs) for part in parts)


def leaks(app: AppTest) -> list[tuple[str, str, str]]:
    """Kind of element, where in it, and the text, of all that a browser would render."""
    found = []
    for node in nodes(app._tree):
        proto, kind = getattr(node, "proto", None), getattr(node, "type", "")
        if proto is not None and kind not in _PLAIN_KINDS:
            found += [(kind, path, text) for path, text in strings(proto, kind) if "evil" in text and live(text)]
    return found


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.glob("*.py")))
def test_no_page_renders_a_name(hostile_home: str, open_page: Open, page: str) -> None:
    app = open_page(page, project=hostile_home)
    assert not app.exception
    assert leaks(app) == []


@pytest.mark.parametrize(
    "text",
    [
        *("![x](//evil/x)", "[a](//evil)", "<img src=//evil/x>", "https://evil", "www.evil.example", "a@evil.example"),
        *(
            "1. evil",
            "12) evil",
            "- evil",
            "+ evil",
            "# evil",
            "> evil",
            "evil\n===",
            "evil\n---",
            "`evil`",
            "**evil**",
        ),
        *("a_evil_", "~~evil~~", "&lt;evil&gt;", "| evil |\n|---|\n| b |", "[evil]: //evil\n\n[evil]", "$evil$"),
        *("\\![x](//evil)", ":red[evil]"),
    ],
)
def test_what_is_plain_reads_as_it_was_written(text: str) -> None:
    shown = _MARKDOWN.parse(plain(text))
    assert {token.type for token in shown} <= {"paragraph_open", "inline", "paragraph_close"}
    parts = [part for token in shown for part in token.children or ()]
    assert {part.type for part in parts} <= {"text", "softbreak", "text_special"}
    assert "".join(part.content or "\n" for part in parts) == text.replace("\n\n", "")
    assert "$" not in plain(text).replace("\\$", "")
    assert "www." not in plain(text)  # a link by itself on GitHub's terms
    assert ":red" not in plain(text).replace("\\:", "")


@pytest.mark.parametrize("text", ["a", "a`b", "``", "`", "a``b`c", " a ", "C:\\temp_*"])
def test_code_reads_as_it_was_written(text: str) -> None:
    (part,) = MarkdownIt().parse(code(text))[1].children or ()
    assert (part.type, part.content.strip()) == ("code_inline", text.strip())
