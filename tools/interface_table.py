"""Every page's headings, buttons, fields and figures, read from the pages' source into docs/interface.md.

    python tools/interface_table.py

A page's labels are found by following it into the parts of `app` that it uses, so that states which a page shows only
at times (nothing labelled yet, a run that waits) are in the table too. "…" stands for what a running studio fills in.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "interface.md"

KINDS = {
    "Headings": "title header subheader tabs expander dialog",
    "Buttons": "button download_button form_submit_button link_button popover",
    "Fields": "checkbox file_uploader multiselect number_input pills radio segmented_control select_slider selectbox "
    "slider text_area text_input toggle",
    "Figures": "metric",
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}

GAP = "…"
ABOUT = """# Interface

Every page's headings, buttons, fields and figures, in the order of the sidebar, so that their wording can be read in
five minutes. Made by `python tools/interface_table.py` from the pages; a test fails while it is not up to date.
“…” stands for what a running studio fills in. The words themselves are explained in the [glossary](glossary.md).
"""


@dataclass(frozen=True)
class Label:
    """One thing that a person reads."""

    kind: str
    """A key of KINDS."""
    text: str


@dataclass
class Module:
    """A source file: what it defines, and where the names that it imports come from."""

    path: Path
    defined: dict[str, ast.AST] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    body: list[ast.stmt] = field(default_factory=list)


@cache
def module(name: str) -> Module | None:
    """The module of this dotted name, if it is one of the studio's own."""
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    if name.split(".")[0] not in ("app", "pages") or not path.is_file():
        return None
    found = Module(path, body=ast.parse(path.read_text(encoding="utf-8")).body)
    for node in found.body:
        match node:
            case ast.FunctionDef(name=defined) | ast.ClassDef(name=defined):
                found.defined[defined] = node
            case (
                ast.Assign(targets=[ast.Name(id=defined)], value=value)
                | ast.AnnAssign(target=ast.Name(id=defined), value=ast.expr() as value)
            ):
                found.defined[defined] = value
    for node in ast.walk(ast.Module(found.body, [])):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.imported |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    return found


class Reader:
    """Collects labels in the order of the source, following every name of the studio's own that is mentioned."""

    def __init__(self) -> None:
        self.labels: dict[Label, None] = {}
        self._read: set[object] = set()

    def read(self, home: Module, node: ast.AST, given: Mapping[str, tuple[str, ...]]) -> None:
        """Read a function, class, expression or module body.

        Args:
            given: the texts that the caller passes for the function's parameters.
        """
        key = (home.path, id(node), tuple(sorted(given.items())))
        if key not in self._read:
            self._read.add(key)
            self._walk(_Scope(home, node, given), node)

    def _walk(self, scope: _Scope, node: ast.AST) -> None:
        if isinstance(node, ast.Call):
            self._call(scope, node)
        elif isinstance(node, ast.Name | ast.Attribute) and (found := scope.find(node)):
            self.read(*found, {})
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.Call) and child is node.func and scope.find(node.func)):
                self._walk(scope, child)

    def _call(self, scope: _Scope, call: ast.Call) -> None:
        found = scope.find(call.func)
        if found is not None:
            self.read(*found, scope.arguments(call, found[1]))
            if ast.unparse(call.func) == "browser_half":
                self._html(scope.home.path.with_suffix(".html").read_text(encoding="utf-8"))
        elif isinstance(call.func, ast.Attribute) and call.args:
            name, label = call.func.attr, call.args[0]
            if name in KIND_OF:
                self._add(KIND_OF[name], scope.texts(label))
            elif name == "markdown":
                headings = (text.lstrip("# ") for text in scope.texts(label) if text.startswith("#"))
                self._add("Headings", headings)

    def _add(self, kind: str, texts: Iterator[str] | tuple[str, ...]) -> None:
        for text in texts:
            bare = re.sub(r":\w+-badge\[([^\]]*)\]", r"\1", re.sub(r":material/\w+:", "", text))
            said = " ".join(bare.split())
            if said.strip(GAP + " "):
                self.labels[Label(kind, said)] = None

    def _html(self, text: str) -> None:
        page = _Html()
        page.feed(text)
        for kind, said in page.labels:
            self._add(kind, (said,))


class _Scope:
    """Where an expression stands: its module, the function around it, and what the caller gave."""

    def __init__(self, home: Module, node: ast.AST, given: Mapping[str, tuple[str, ...]]) -> None:
        self.home, self.given = home, given
        self.local: dict[str, list[ast.expr]] = {}
        self.parameters = _parameters(node)
        for each in ast.walk(node) if isinstance(node, ast.FunctionDef) else ():
            match each:
                case ast.Assign(targets=[target], value=value) | ast.NamedExpr(target=target, value=value):
                    self._bind(target, [value])
                case ast.For(target=target, iter=several):
                    self._bind(target, self.members(several))

    def _bind(self, target: ast.expr, values: list[ast.expr]) -> None:
        if isinstance(target, ast.Name):
            self.local.setdefault(target.id, []).extend(values)
        elif isinstance(target, ast.Tuple):
            for place, part in enumerate(target.elts):
                self._bind(part, [value.elts[place] for value in values if isinstance(value, ast.Tuple)])

    def members(self, node: ast.expr) -> list[ast.expr]:
        """The expressions that a literal, or a name of one, holds; those of a dictionary are its values."""
        match node:
            case ast.List(elts=several) | ast.Tuple(elts=several) | ast.Dict(values=several):
                return several
            case ast.Call(func=ast.Attribute(value=owner, attr="items")):
                found = self.find(owner)
                pairs = found[1] if found else owner
                if isinstance(pairs, ast.Dict):
                    return [ast.Tuple([key, value]) for key, value in zip(pairs.keys, pairs.values, strict=True) if key]
            case ast.Name() | ast.Attribute() if (found := self.find(node)) and isinstance(found[1], ast.expr):
                return self.members(found[1])
            case ast.Subscript(value=several):
                return self.members(several)
        return []

    def find(self, node: ast.AST) -> tuple[Module, ast.AST] | None:
        """What a name or an attribute of an imported module stands for, if the studio defines it."""
        match node:
            case ast.Name(id=name) if name not in self.local and name not in self.parameters:
                if name in self.home.defined:
                    return self.home, self.home.defined[name]
                return _definition(*self.home.imported.get(name, ("", "")))
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in self.home.imported:
                return _definition(".".join(self.home.imported[owner]), name)
        return None

    def arguments(self, call: ast.Call, called: ast.AST) -> dict[str, tuple[str, ...]]:
        """The texts that a call gives for the parameters of what it calls."""
        given = dict(zip(_parameters(called), call.args, strict=False))
        given |= {word.arg: word.value for word in call.keywords if word.arg}
        return {name: self.texts(value) for name, value in given.items() if name in _parameters(called)}

    def texts(self, node: ast.AST | None, depth: int = 0) -> tuple[str, ...]:
        """All texts that an expression may have, with GAP for what is not in the source."""

        def also(other: ast.AST | None) -> tuple[str, ...]:
            return self.texts(other, depth + 1)

        match node:
            case _ if depth > 12:
                return (GAP,)
            case ast.Constant(value=str(text)):
                return (text,)
            case ast.JoinedStr(values=parts):
                return tuple("".join(some) for some in itertools.product(*map(also, parts)))
            case ast.FormattedValue(value=value, format_spec=None):
                return also(value)
            case ast.IfExp(body=one, orelse=other):
                return also(one) + also(other)
            case ast.BoolOp(values=several):
                return tuple(itertools.chain.from_iterable(map(also, several)))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return tuple(a + b for a, b in itertools.product(also(left), also(right)))
            case ast.List(elts=several) | ast.Tuple(elts=several) | ast.Dict(values=several):
                return tuple(itertools.chain.from_iterable(map(also, several)))
            case ast.Subscript(value=several, slice=ast.Constant(value=int(place))):
                parts = [part.elts[place] for part in self.members(several) if isinstance(part, ast.Tuple)]
                return tuple(itertools.chain.from_iterable(map(also, parts))) or (GAP,)
            case ast.Subscript(value=several):
                return also(several)
            case ast.Call(func=ast.Attribute(value=several, attr="get"), args=[_, *default]):
                return also(several) + tuple(itertools.chain.from_iterable(map(also, default)))
            case ast.Call() if (found := self.find(node.func)) and isinstance(found[1], ast.FunctionDef):
                inside = _Scope(*found, self.arguments(node, found[1]))
                returns = [part for part in ast.walk(found[1]) if isinstance(part, ast.Return)]
                in_order = sorted(returns, key=lambda part: part.lineno)
                said = [text for part in in_order for text in inside.texts(part.value, depth + 1)]
                return tuple(dict.fromkeys(said)) or (GAP,)
            case ast.Name(id=name) if name in self.local:
                return tuple(dict.fromkeys(itertools.chain.from_iterable(map(also, self.local[name])))) or (GAP,)
            case ast.Name(id=name) if name in self.parameters:
                return self.given.get(name) or also(self.parameters[name])
            case ast.Name() | ast.Attribute() if (found := self.find(node)) and isinstance(found[1], ast.expr):
                return _Scope(*found, {}).texts(found[1], depth + 1)
            case _:
                return (GAP,)


def _parameters(node: ast.AST) -> dict[str, ast.expr | None]:
    """A function's parameters with their defaults."""
    if not isinstance(node, ast.FunctionDef):
        return {}
    plain = [*node.args.posonlyargs, *node.args.args]
    defaults = [None] * (len(plain) - len(node.args.defaults)) + list(node.args.defaults)
    named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return {argument.arg: default for argument, default in (*zip(plain, defaults, strict=True), *named)}


def _definition(owner: str, name: str) -> tuple[Module, ast.AST] | None:
    home = module(owner) if owner else None
    if home is None or name not in home.defined:
        return None
    return home, home.defined[name]


class _Html(HTMLParser):
    """Buttons and fields of the parts that are HTML: a button's text or its name for screen readers."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: list[tuple[str, str]] = []
        self._open: list[str] = []  # the words of the button or label that is being read
        self._name = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("button", "label"):
            self._open, self._name = [], found.get("aria-label") or ""
        elif tag in ("input", "textarea") and found.get("aria-label"):
            self.labels.append(("Fields", str(found["aria-label"])))
        elif tag in ("kbd", "small"):
            self._open.append("(")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("kbd", "small"):
            self._open.append(")")
        elif tag in ("button", "label", "h1"):
            said = self._name or " ".join(self._open).replace("( ", "(").replace(" )", ")")
            kind = {"button": "Buttons", "label": "Fields", "h1": "Headings"}[tag]
            self.labels.append((kind, said))
            self._open, self._name = [], ""

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._open.append(data.strip())


def pages() -> dict[str, list[tuple[str, str, str]]]:
    """Group of the sidebar -> its pages: file, title, help."""
    listed = in_main("_PAGES")
    return {group: [(name, title, text) for name, title, _icon, text in found] for group, found in listed.items()}


def in_main(name: str) -> dict[str, Any]:
    """A table that app/main.py writes down."""
    main = module("app.main")
    assert main is not None
    return ast.literal_eval(main.defined[name])  # type: ignore[arg-type]


def labels_of(name: str, starts_at: str = "") -> list[Label]:
    """The labels of a module of the studio, or of one of its functions."""
    home, reader = module(name), Reader()
    assert home is not None, name
    nodes = [home.defined[starts_at]] if starts_at else [node for node in home.body if isinstance(node, ast.Expr)]
    for node in nodes:
        reader.read(home, node, {})
    return list(reader.labels)


def table(labels: list[Label]) -> str:
    """A Markdown table of labels, a row a kind."""
    rows = [(kind, [label.text for label in labels if label.kind == kind]) for kind in KINDS]
    lines = [f"| {kind} | {' · '.join(map(_cell, texts))} |" for kind, texts in rows if texts]
    return "\n".join(["| | |", "|---|---|", *lines]) if lines else "Nothing but text."


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_])", r"\\\1", text)


def document() -> str:
    """The whole of docs/interface.md."""
    everywhere, without = labels_of("app.main", "main"), labels_of("app.shell", "need_project")
    parts = [
        ABOUT,
        f"## On every page\n\n{table(everywhere)}\n",
        f"## On a page that needs a project, without one or without its images\n\n{table(without)}\n",
    ]
    listed, views = pages(), in_main("_VIEWS")
    titles = {name: title for found in listed.values() for name, title, _text in found}
    for group, found in listed.items():
        parts.append(f"## {group}\n")
        for name, title, text in found:
            labels = labels_of(f"pages.{name}")
            if set(without) <= set(labels):
                labels = [label for label in labels if label not in without]
            of = f" A view of {titles[whole]}." if (whole := views.get(name)) else ""
            parts.append(f"### {title}\n\n{text}{of}\n\n{table(labels)}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    TABLE.write_text(document(), encoding="utf-8")
