"""Capsules that were forged or damaged are refused with a sentence, before anything is written or trained."""

from __future__ import annotations

import io
import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from avion_core.errors import DataError
from avion_core.usecases.transfer.capsule import opening
from avion_core.usecases.transfer.capsule.verifying import verify_capsule
from tests.usecases.transfer.capsule.conftest import altered, members_of

Members = dict[str, bytes]


@pytest.fixture
def capsule(sound, tmp_path) -> Path:
    return Path(shutil.copy(sound, tmp_path))


def put(name: str, content: bytes) -> Callable[[Members], None]:
    return lambda members: members.update({name: content})


def about(change: Callable[[Any], object]) -> Callable[[Members], None]:
    """Change what capsule.json says."""

    def said(members: Members) -> None:
        found = json.loads(members["capsule.json"])
        change(found)
        members["capsule.json"] = json.dumps(found).encode()

    return said


def first_run(**changes: object) -> Callable[[Members], None]:
    return about(lambda found: found["runs"][0].update(changes))


def table(ends: str, **columns: object) -> Callable[[Members], None]:
    """Set columns of the first table whose name ends like this."""

    def said(members: Members) -> None:
        name = next(name for name in members if name.endswith(ends))
        kept = pq.read_table(io.BytesIO(members[name]))
        changed = kept.from_pandas(kept.to_pandas().assign(**columns), preserve_index=False)
        stream = io.BytesIO()
        pq.write_table(changed.replace_schema_metadata(kept.schema.metadata), stream)
        members[name] = stream.getvalue()

    return said


def verdicts(line: bytes) -> Callable[[Members], None]:
    """Put a line before all verdicts."""

    def said(members: Members) -> None:
        name = next(name for name in members if name.endswith("verdicts.jsonl"))
        members[name] = line + b"\n" + members[name]

    return said


SPLITS = "inputs/1/splits.json"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("../evil.py", b"x"), r"written outside of its folder: \.\./evil\.py"),
        (put("/etc/evil", b"x"), "written outside of its folder"),
        (put("inputs/1/splits.json/evil", b"x"), "file under the name of a folder: inputs/1/splits.json"),
        (put(f"{'long' * 100}.md", b"x"), "written outside of its folder"),
        (put(SPLITS, b"[" * 100_000 + b"]" * 100_000), "frozen split is nested more than 64 levels"),
        (put(SPLITS, b"{}"), "has inputs that cannot be used .the frozen split does not fit its form"),
        (put("inputs/1/manifest.parquet", b"PAR1"), "inputs that cannot be used .*is not a Parquet file"),
        (put("inputs/1/project.json", b"[]"), "inputs that cannot be used .*does not fit its form"),
        (about(lambda found: found.update(kind="avion-project")), "of the kind avion-project, not avion-capsule"),
        (about(lambda found: found.update(format=99)), "made by a newer AVION Studio, format: 99"),
        (about(lambda found: found.update(runs=[])), r"does not fit its form \(runs"),
        (about(lambda found: found["runs"].append(found["runs"][0])), "names a run twice"),
        (first_run(id="../../evil"), r"does not fit its form \(runs\.0\.id"),
        (first_run(inputs="../1"), r"does not fit its form \(runs\.0\.inputs"),
        (first_run(inputs="7"), "names inputs that it does not hold: 7"),
        (first_run(others=["1"]), "lacks a project that it was measured on"),
        (first_run(history="7"), "names a history that it does not hold: 7"),
        (first_run(settings={"method": "rm"}), "holds settings that cannot be used"),
        (first_run(settings={"data": {"shots": 10**30}}), "whole number of more than 64 bits|not a pack"),
        (first_run(settings={"data": {"seed": 77}}), "a seed or a number of shots that was not drawn"),
        (first_run(splits=["test"]), "lacks the test report of a run"),
        (table("report-validation.parquet", value="much"), "a report whose value is no number"),
        (table("predictions-validation.parquet", predicted="a cathedral"), "is no class of its part: .*a cathedral"),
        (table("manifest.parquet", path="../../etc/passwd"), "inputs that cannot be used .*outside of its folder"),
        (table("manifest.parquet", image_id="same"), "inputs that cannot be used"),
        (verdicts(b'{"description_id": "x"}'), r"list of verdicts does not fit its form .*/verdicts.jsonl, line 1"),
        (verdicts(b"["), "list of verdicts is not JSON"),
        (table("descriptions.parquet", text=None), "has a description that is no text"),
    ],
)  # fmt: skip
def test_a_forged_capsule_is_refused(elsewhere, capsule, tmp_path, change, said) -> None:
    with pytest.raises(DataError, match=said) as raised:
        verify_capsule(elsewhere, altered(capsule, change), figures_only=True)
    assert raised.value.hint
    assert not (tmp_path / "evil.py").exists()


def test_a_tampered_file_is_named(elsewhere, capsule) -> None:
    def quietly(members: Members) -> None:
        members[SPLITS] = members[SPLITS].replace(b"beach", b"peach")

    with pytest.raises(DataError, match=r"has changed since it was packed: inputs/1/splits\.json"):
        verify_capsule(elsewhere, altered(capsule, quietly, relisted=False), figures_only=True)
    with pytest.raises(DataError, match=r"does not hold the files that it lists: figures\.csv"):
        verify_capsule(elsewhere, altered(capsule, lambda m: m.pop("figures.csv"), relisted=False), figures_only=True)


def test_a_link_is_refused(elsewhere, capsule) -> None:
    path = altered(capsule, put("README-too.md", b"/etc/passwd"))
    members = members_of(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            if name == "README-too.md":
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content)
    with pytest.raises(DataError, match=r"outside of its folder: README-too\.md"):
        verify_capsule(elsewhere, path, figures_only=True)


def test_a_bomb_is_refused_by_what_it_says_and_by_what_it_is(elsewhere, capsule, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(opening, "MOST_BYTES", 2**20)
    bomb = altered(capsule, put("bomb.md", bytes(2**21)))
    with zipfile.ZipFile(bomb) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in packed.items():
            archive.writestr(name, content)
    work = tmp_path / "work"
    with pytest.raises(DataError, match="pack becomes larger than"):
        verify_capsule(elsewhere, bomb, figures_only=True, work=work)
    assert [path.name for path in work.iterdir()] == ["capsule.sha256"]

    def understated(members: Members) -> None:
        found = json.loads(members["capsule.json"])
        found["files"]["bomb.md"] = {"bytes": 3, "sha256": "0" * 64}
        members["capsule.json"] = json.dumps(found).encode()

    with pytest.raises(DataError, match=r"does not have the listed size: bomb\.md"):
        verify_capsule(elsewhere, altered(bomb, understated, relisted=False), figures_only=True)


def test_a_table_that_unpacks_to_a_mountain_is_refused(elsewhere, capsule) -> None:
    stream = io.BytesIO()
    pd.DataFrame({"image_id": ["a" * 1000] * 3_000_000, "path": "", "label": ""}).to_parquet(stream)
    with pytest.raises(DataError, match="becomes larger than 1,024 MiB when it is read"):
        verify_capsule(elsewhere, altered(capsule, put("inputs/1/manifest.parquet", stream.getvalue())))


@pytest.mark.parametrize("content", [b"", b"notes", b"PK\x03\x04 and no more"])
def test_what_is_no_capsule_is_refused(elsewhere, tmp_path, content) -> None:
    (tmp_path / "notes").write_bytes(content)
    with pytest.raises(DataError, match="is not a pack, or is incomplete: notes"):
        verify_capsule(elsewhere, tmp_path / "notes")
    with pytest.raises(DataError, match="does not exist: nothing"):
        verify_capsule(elsewhere, tmp_path / "nothing")
