"""A run keeps the terms of its models as they were when it began."""

from __future__ import annotations

from pathlib import Path

import pytest

from avion_core.backbones.entries import CATALOG, ENTRIES
from avion_core.backbones.terms import Terms, keep_terms, read_terms, terms_of
from avion_core.errors import CheckpointError


def test_terms_are_kept_once_and_read_again(tmp_path: Path) -> None:
    terms = terms_of(CATALOG, "georsclip-vit-b-32-ret2+farslip-vit-b-32", "mobileclip2-s0")
    assert [(one.role, one.name) for one in terms] == [
        ("teacher", "georsclip-vit-b-32-ret2"),
        ("teacher", "farslip-vit-b-32"),
        ("student", "mobileclip2-s0"),
    ]
    assert "research alone" in terms[2].sentence
    assert terms[0].sentence.endswith(ENTRIES["georsclip-vit-b-32-ret2"].warning)
    keep_terms(tmp_path, terms)
    keep_terms(tmp_path, [])  # a resumed run
    assert read_terms(tmp_path, CATALOG, "demo-teacher", "demo-student") == terms


def test_a_run_of_an_earlier_version_has_the_catalogs(tmp_path: Path) -> None:
    terms = read_terms(tmp_path, CATALOG, "demo-teacher", "gone-by-now")
    assert [one.name for one in terms] == ["demo-teacher"]
    (tmp_path / "models.json").write_text('[{"name": 1}]', "utf-8")
    with pytest.raises(CheckpointError, match="list of the run's models does not fit its form"):
        read_terms(tmp_path, CATALOG, "demo-teacher", "demo-student")


def test_what_is_said_ends_cleanly_without_a_warning() -> None:
    assert Terms("student", "a", "A", "MIT", "https://a").sentence == "A. Licence: MIT. https://a."
