"""What the documents write as examples is code that works."""

from __future__ import annotations

import re
import sys
from itertools import takewhile
from pathlib import Path
from textwrap import dedent
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def written(monkeypatch):
    """The module that a document writes: its first indented block that begins with a docstring."""

    def read(document: str) -> ModuleType:
        lines = (ROOT / "docs" / document).read_text(encoding="utf-8").splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith('    """'))
        block = takewhile(lambda line: not line or line.startswith("    "), lines[start:])
        module = ModuleType(f"written_in_{Path(document).stem.replace('-', '_')}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(dedent("\n".join(block)), document, "exec"), module.__dict__)
        return module

    return read


def test_the_job_of_add_a_job_kind_counts_and_keeps_its_sum(written):
    module = written("add-a-job-kind.md")
    told, kept = [], {}
    context = SimpleNamespace(
        progress_or_stop=lambda done, total, what: told.append((done, total, what)), save=kept.__setitem__
    )
    kind = module.COUNTING
    assert kind.run(kind.request(images=2), context) == {"counted": 2}
    assert told == [(0, 2, "images"), (1, 2, "images")]
    assert kept == {"sum.txt": "2"}


def test_every_attack_of_the_security_page_has_its_test() -> None:
    """A table of attacks is worth what its tests are."""
    table = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", table)
    assert len(named) == sum(line.startswith("|") for line in table.splitlines()) - 2 * table.count("| Test |")
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"
