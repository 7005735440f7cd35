"""A whole project on its way to another machine."""

from __future__ import annotations

import threading
from zipfile import ZipFile

import pytest

from avion_core.actor import ALONE
from avion_core.errors import DataError
from avion_core.features.shards import FeatureStore
from avion_core.jobs.inputs import run_inputs
from avion_core.store import verdicts
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.project_rows import STAYS_BEHIND, project_tables, read_rows
from avion_core.store.projects import find_project
from avion_core.store.runs import list_runs
from avion_core.store.tables import Table
from avion_core.usecases.projects.classes import add_class, split_class, undo_change
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import ProjectSummary, read_manifest, read_splits
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.transfer import exchange
from avion_core.usecases.transfer.packs import pack_project, unpack_project
from tests import tiny_studio
from tests.acting import by
from tests.usecases.transfer.filling import filled


@pytest.fixture
def full(home, described) -> ProjectSummary:
    return filled(home, described)


def all_rows(home: Home, project: str) -> dict[str, list[dict[str, object]]]:
    with reading(home.engine) as session:
        return read_rows(session, find_project(session, project).id)


def without_ids(home: Home, project: str) -> dict[str, list[dict[str, object]]]:
    """Rows with what may differ from home to home left out: numbers, and journal entries about packing."""
    found = all_rows(home, project)
    found["journal"] = [row for row in found["journal"] if "acked" not in str(row["sentence"])]
    drawn = {"id", "undoes", "run_id", "image_root"}
    return {
        table: [{name: value for name, value in row.items() if name not in drawn} for row in listed]
        for table, listed in found.items()
    }


def test_every_table_travels_or_stays_behind_on_purpose():
    assert {table.name for table in project_tables()} | set(STAYS_BEHIND) == set(Table.metadata.tables)
    for name in STAYS_BEHIND:
        assert "project_id" not in Table.metadata.tables[name].columns


def test_a_project_moves_with_all_it_has(home, full, tmp_path, monkeypatch):
    monkeypatch.setenv("AVION_FOLDERS", str(tmp_path))
    packed = pack_project(by("ann", home), full.name, tmp_path / "scenes.avion")
    assert (packed.descriptions, packed.decisions, packed.runs) == (12, 6, 2)
    assert "12 descriptions, 6 decisions, 2 runs" in packed.sentence
    before = all_rows(home, full.id)
    assert [table for table, listed in before.items() if not listed] == []

    other = Home(tmp_path / "other", ALONE)
    moved = unpack_project(by("eve", other), tmp_path / "scenes.avion")
    assert moved.id == full.id
    after = without_ids(other, moved.id)
    with reading(other.engine) as session:
        runs = {run.name: run.job for run in list_runs(session)}
    assert (runs["first"].state, runs["second"].state) == ("finished", "stopped")
    assert (runs["second"].host, runs["second"].pid, runs["second"].attempt) == (None, None, 1)
    expected = without_ids(home, full.id)
    for table in expected.keys() - {"jobs"}:  # these were under way
        assert after[table] == expected[table], table
    assert read_manifest(other, moved.id).equals(read_manifest(home, full.id))
    assert read_splits(other, moved.id) == read_splits(home, full.id)
    (first,) = [row["id"] for row in all_rows(other, moved.id)["runs"] if row["name"] == "first"]
    assert (other.run_folder(str(first)) / "adapter.safetensors").read_bytes() == b"weights"
    undone = {row["undoes"]: row["id"] for row in all_rows(other, moved.id)["verdicts"] if row["undoes"]}
    assert set(undone) == {all_rows(other, moved.id)["verdicts"][0]["id"]}
    records = [exchange.read_records(where, full.id, scores=False)[0] for where in (home, other)]
    assert records[0] == records[1]
    sentences = [row["sentence"] for row in all_rows(other, moved.id)["journal"]]
    assert sentences[-2:] == ["Packed into scenes.avion.", "Unpacked from scenes.avion."]
    assert not list(other.path.glob("unpacking-*"))


def test_beside_the_original_it_becomes_a_copy(home, full, tmp_path):
    pack = pack_project(home, full.name, tmp_path / "p.avion").path
    with pytest.raises(DataError, match=r"project with this name already exists: scenes\. Choose another name"):
        unpack_project(home, pack)
    copy = unpack_project(home, pack, name="scenes, again")
    assert copy.id != full.id
    names = [{row["name"]: row for row in all_rows(home, project)["runs"]} for project in (full.id, copy.id)]
    assert names[0]["first"]["id"] != names[1]["first"]["id"]
    assert names[1]["second"]["based_on"] == names[1]["first"]["id"]
    assert all_rows(home, copy.id)["projects"][0]["baseline_run"] == names[1]["first"]["id"]
    assert all_rows(home, copy.id)["looks"][0]["run_id"] == names[1]["first"]["id"]
    assert (home.run_folder(str(names[1]["first"]["id"])) / "adapter.safetensors").exists()
    records = [exchange.read_records(home, project, scores=False)[0] for project in (full.id, copy.id)]
    assert records[0] == records[1]
    with writing(home.engine) as session:
        assert verdicts.undo(session, copy.id, "bob")
    assert exchange.read_records(home, full.id, scores=False)[0] == records[0]


def test_images_and_embeddings_come_along(home, described, images, tiny_towers, tmp_path):
    run_id = create_run(home, described.id)
    run_here(home, run_id, threading.Event())
    scores = exchange.read_records(home, described.id)[0]
    packed = pack_project(home, described.id, tmp_path / "p.avion", images=True, features=True)
    assert packed.images == 24
    assert packed.embeddings > 24

    other = Home(tmp_path / "other", ALONE)
    moved = unpack_project(other, packed.path)
    assert moved.image_root == other.project_folder(moved.id) / "images"
    assert (moved.image_root / "beach" / "00.png").read_bytes() == (images / "beach" / "00.png").read_bytes()
    apart = FeatureStore(other.project_folder(moved.id) / "embeddings")
    assert 0 < sum(len(space._where) for space in apart.spaces()) <= 24
    assert list(other.features.spaces()) == []
    assert exchange.read_records(other, moved.id)[0] == scores
    assert {space.facts["kind"] for space in other.features.spaces()} == {
        "text"
    }  # images came along, texts are computed
    ids = read_manifest(other, moved.id)["image_id"].tolist()
    assert all(file.is_relative_to(moved.image_root) for file in run_inputs(other, run_id).images(ids).files)
    again = pack_project(other, moved.id, tmp_path / "again.avion", images=True)
    with ZipFile(again.path) as archive:
        assert [name for name in archive.namelist() if name.startswith("project/images/")] == []
        assert sum(name.startswith("images/") for name in archive.namelist()) == 24


@pytest.mark.parametrize("forge", [lambda rows: -rows, lambda rows: rows * 3, lambda rows: rows * float("nan")])
def test_forged_embeddings_reach_no_other_project_and_are_not_believed(
    home, described, images, tiny_towers, tmp_path, forge
):
    scores = exchange.read_records(home, described.id)[0]
    for space in list(home.features.spaces()):
        keys = list(space._where)
        rows_of = space.read(keys)
        for shard in space.folder.iterdir():
            shard.unlink()
        space.look()
        space.write(keys, forge(rows_of))
    packed = pack_project(home, described.id, tmp_path / "p.avion", images=True, features=True)

    other = Home(tmp_path / "other", ALONE)
    untouched = create_project(other, "untouched", images, defaults=tiny_studio.DEFAULTS)
    import_descriptions(other, untouched.id, tiny_studio.make_descriptions(tmp_path / "t.json"))
    moved = unpack_project(other, packed.path)
    for project in (untouched, moved):
        found = exchange.read_records(other, project.id)[0]
        assert [row["similarity"] for row in found] == pytest.approx([row["similarity"] for row in scores], abs=1e-5)


def test_an_image_that_is_gone_is_told(home, described, tmp_path):
    moved = tmp_path / "moved"
    with writing(home.engine) as session:
        find_project(session, described.id).image_root = str(moved)
    with pytest.raises(
        DataError, match=r"image of the project was not found: .*moved/beach/00\.png\. Link the project"
    ):
        pack_project(home, described.id, tmp_path / "p.avion", images=True)
    assert not list(tmp_path.glob("p.avion*"))
    with pytest.raises(DataError, match=r"pack cannot be written \(No such file or directory\)"):
        pack_project(home, described.id, tmp_path / "nowhere" / "p.avion")


def test_a_pack_replaces_no_file_and_lands_among_none_of_the_studios_own(home, described, tmp_path, monkeypatch):
    mine = tmp_path / "thesis.avion"
    mine.write_text("mine")
    (tmp_path / "dangling.avion").symlink_to(tmp_path / "elsewhere")
    for name in ("thesis.avion", "dangling.avion"):
        with pytest.raises(DataError, match=r"A file with this name already exists: .*Choose another name, or move"):
            pack_project(home, described.id, tmp_path / name)
    assert mine.read_text() == "mine"
    (tmp_path / "way-in").symlink_to(home.path)
    own = ["avion.sqlite3-journal", "runs/p.avion", "../way-in/p.avion"]
    for name in own:
        with pytest.raises(DataError, match=r"folder is for the studio's own files: .*Choose a folder elsewhere"):
            pack_project(home, described.id, home.path / name)
    monkeypatch.setenv("AVION_DATABASE_URL", f"sqlite:///{tmp_path / 'else.db'}")
    with pytest.raises(DataError, match="studio's own files"):
        pack_project(home, described.id, tmp_path / "else.db-wal")
    assert "Packed" not in str(all_rows(home, described.id)["journal"])


def test_images_outside_of_the_folder_are_refused(home, full, tmp_path):
    manifest = read_manifest(home, full.id)
    manifest["path"] = "../../" + manifest["path"]
    manifest.to_parquet(home.project_folder(full.id) / "manifest.parquet")
    pack = pack_project(home, full.id, tmp_path / "p.avion").path
    with pytest.raises(DataError, match=r"names an image outside of its folder: \.\./\.\./beach/00\.png"):
        unpack_project(Home(tmp_path / "other", ALONE), pack)


def test_a_split_is_undone_and_made_on_the_other_machine_too(home, described, tmp_path):
    """Changes have other numbers there: labels that a split gave must not be found by them."""
    own = read_manifest(home, described.id).query("label == 'beach'")["image_id"].tolist()
    add_class(home, create_project(home, "other", described.image_root).id, "marsh")  # takes a number here
    split_class(home, described.id, "beach", "dunes", image_ids=own[:3])  # the second change here, the first there
    pack_project(home, described.id, tmp_path / "scenes.zip")
    away = Home(tmp_path / "away", ALONE)
    project = unpack_project(away, tmp_path / "scenes.zip")

    split_class(away, project.id, "golfcourse", "bunker", image_ids=of_class(away, project.id, "golfcourse")[:2])
    assert len(of_class(away, project.id, "bunker")) == 2
    assert undo_change(away, project.id) == "Undone: bunker was split off from golf course."
    assert undo_change(away, project.id) == "Undone: dunes was split off from beach."
    assert of_class(away, project.id, "beach") == own


def of_class(home: Home, project: str, key: str) -> list[str]:
    return read_manifest(home, project).query("label == @key")["image_id"].tolist()
