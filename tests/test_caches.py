"""Every cache is bounded, and listed in docs/caches.md with what it holds and what makes it anew."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHES = {"lru_cache": "maxsize", "cache_data": "max_entries", "cache_resource": "max_entries", "cache": ""}


def caches() -> Iterator[tuple[str, int]]:
    """Each cached function and its bound. One that takes no arguments keeps one result."""
    for folder in ("avion_core", "app", "pages"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = ast.parse(path.read_text(encoding="utf-8"))
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(module):
                for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                    if (kind := named(decorator)) in CACHES:
                        yield f"{name}.{node.name}", bound_of(kind, decorator, node, module)


def named(decorator: ast.expr) -> str:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def bound_of(kind: str, decorator: ast.expr, function: ast.FunctionDef, module: ast.Module) -> int:
    said = f"{function.name}: each visitor has a Home of their own, so what is kept would never be found again"
    kinds = {ast.unparse(word.annotation) for word in function.args.args if word.annotation and word.arg[0] != "_"}
    assert "Home" not in kinds, said
    words = {word.arg: word.value for word in decorator.keywords} if isinstance(decorator, ast.Call) else {}
    if bound := words.get(CACHES[kind]):
        constants = {
            target.id: node.value
            for node in module.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        return int(ast.literal_eval(constants[bound.id] if isinstance(bound, ast.Name) else bound))
    arguments = [word.arg for word in function.args.args if not word.arg.startswith("_")]
    assert not arguments, f"{function.name} keeps a result for every {' and '.join(arguments)}: give it a bound"
    return 1


def listed() -> dict[str, str]:
    """Function -> its bound, as docs/caches.md has them."""
    text = (ROOT / "docs" / "caches.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([\w.]+)` \| ([\d,]+) \|", text, re.MULTILINE))


def test_every_cache_is_bounded_and_listed() -> None:
    assert listed() == {name: f"{bound:,}" for name, bound in caches()}
