"""Packs that were altered, cut short or forged are refused, and leave nothing behind."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest
from sqlalchemy import select

from avion_core.actor import ALONE
from avion_core.errors import DataError
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.project_rows import project_tables
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.transfer.archives import LISTING
from avion_core.usecases.transfer.packs import pack_project, unpack_project
from tests import tiny_studio
from tests.usecases.transfer.filling import filled


@pytest.fixture(scope="module")
def packed_once(images, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    home = Home(folder / "home", ALONE)
    project = create_project(home, "scenes", images, defaults=tiny_studio.DEFAULTS)
    import_descriptions(home, project.id, tiny_studio.make_descriptions(folder / "texts.json"))
    return pack_project(home, filled(home, project).name, folder / "sound.avion").path


@pytest.fixture
def sound(packed_once, tmp_path) -> Path:
    return Path(shutil.copy(packed_once, tmp_path))


def altered(sound: Path, change) -> Path:
    """A copy of a pack with its members run through `change(dict of name -> bytes)`, and its listing as it was."""
    with ZipFile(sound) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    path = sound.with_name("altered.avion")
    with ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def relisted(members: dict[str, bytes], **changes: object) -> None:
    """Put a listing that fits into the members, so that only what is wrong otherwise is left to find."""
    import hashlib

    about = json.loads(members[LISTING]) | changes
    about["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in members.items()
        if name != LISTING
    }
    members[LISTING] = json.dumps(about).encode()


def edit_rows(members: dict[str, bytes], table: str, **values: object) -> None:
    found = [json.loads(line) | values for line in members[f"tables/{table}.jsonl"].decode().splitlines()]
    members[f"tables/{table}.jsonl"] = "".join(json.dumps(row) + "\n" for row in found).encode()
    relisted(members)


def put(name: str, content: bytes = b"x"):
    def change(members: dict[str, bytes]) -> None:
        members[name] = content
        relisted(members)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("../evil.py"), r"written outside of its folder: \.\./evil\.py\. Do not use this file"),
        (put("project/../../evil.py"), "written outside of its folder"),
        (put("/etc/evil"), "written outside of its folder: /etc/evil"),
        (put("project\\..\\evil"), "written outside of its folder"),
        (put("C:/evil"), "written outside of its folder"),
        (lambda m: m.update({"project/extra": b"x"}), "does not hold the files that it lists: project/extra"),
        (lambda m: m.pop("project/splits.json"), "does not hold the files that it lists: project/splits.json"),
        (lambda m: m.update({"project/splits.json": b"{}"}), "does not have the listed size: project/splits.json"),
        (
            lambda m: m.update({"project/splits.json": b" " * len(m["project/splits.json"])}),
            "has changed since it was packed: project/splits.json",
        ),
        (lambda m: m.update({LISTING: b"[]"}), "not a pack of AVION Studio: altered.avion"),
        (lambda m: relisted(m, kind="avion-review"), "of the kind avion-review, not avion-project"),
        (lambda m: relisted(m, format=99), "made by a newer AVION Studio, format: 99. Update AVION Studio"),
        (lambda m: relisted(m, schema="9999"), "made by a newer AVION Studio, schema: 9999. Update"),
        (lambda m: (m.pop("project/splits.json"), relisted(m)), r"lacks a file of the project: splits\.json"),
        (put("project/manifest.parquet"), "pack's manifest is not a Parquet file that can be read"),
        (put("tables/secrets.jsonl", b"{}\n"), "tables that this AVION Studio does not know: secrets"),
        (put("tables/runs.jsonl", b"{\n"), r"table of the pack is not JSON \(column 2.*tables/runs\.jsonl"),
        (put("tables/projects.jsonl", b""), "does not hold one project|needs a name"),
        (lambda m: edit_rows(m, "runs", id="../../../../etc"), r"id that is not valid: \.\./"),
        (lambda m: edit_rows(m, "runs", colour="red"), "row of runs does not fit its table: colour"),
        (lambda m: edit_rows(m, "verdicts", description_id="none"), "rows of the pack do not fit together"),
        (lambda m: edit_rows(m, "verdicts", created_at="yesterday"), "created_at that is no point in time: yesterday"),
    ],
)  # fmt: skip
def test_an_unsound_pack_is_refused_and_leaves_nothing_behind(sound, tmp_path, change, message):
    other = Home(tmp_path / "other", ALONE)
    with pytest.raises(DataError, match=message):
        unpack_project(other, altered(sound, change))
    left = [path for path in other.path.rglob("*") if path.is_file() and not path.name.startswith("avion.sqlite3")]
    assert left == []
    assert not (tmp_path / "evil.py").exists()
    with reading(other.engine) as session:
        assert [session.execute(select(table)).all() for table in project_tables()] == [[]] * len(project_tables())


def test_a_link_in_a_pack_is_refused(sound, tmp_path):
    path = altered(sound, put("project/link", b"/etc/passwd"))
    with ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(path, "w") as archive:
        for name, content in members.items():
            info = ZipInfo(name)
            if name.endswith("link"):
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content)
    with pytest.raises(DataError, match="outside of its folder: project/link"):
        unpack_project(Home(tmp_path / "other", ALONE), path)


def test_what_is_no_archive_is_refused(home, tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(DataError, match=r"not a pack, or is incomplete: notes\.txt"):
        unpack_project(home, tmp_path / "notes.txt")
    with pytest.raises(DataError, match=r"pack does not exist: nothing\.avion"):
        unpack_project(home, tmp_path / "nothing.avion")


def test_a_pack_that_was_cut_short_is_refused(sound, tmp_path):
    short = tmp_path / "short.avion"
    short.write_bytes(sound.read_bytes()[: sound.stat().st_size // 2])
    with pytest.raises(DataError, match="not a pack, or is incomplete"):
        unpack_project(Home(tmp_path / "other", ALONE), short)


def test_a_disk_without_room_is_told(sound, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(DataError, match=r"does not fit on this disk.*free some space"):
        unpack_project(Home(tmp_path / "other", ALONE), sound)
