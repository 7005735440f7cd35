"""A drive that moved: the images' content proves that it is the same set."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from avion_core.errors import DataError
from avion_core.store import journal
from avion_core.store.database import reading
from avion_core.usecases.curation import curation_table
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.transfer.relink import check_root, look_at_root, relink
from tests.acting import by


@pytest.fixture
def drive(images, tmp_path) -> Path:
    """A copy of the images on another drive."""
    return Path(shutil.copytree(images, tmp_path / "drive"))


def test_images_that_are_where_they_were(home, project, images):
    look = look_at_root(home, project.id)
    assert (look.looked, look.lacking, look.moved) == (24, 0, False)
    assert look.sentence == f"The images are in {images}."
    check = check_root(home, project.id)
    assert (check.same, check.moved, check.missing, check.changed, check.new) == (24, {}, [], [], [])
    assert check.complete


def test_a_moved_root_is_noticed_and_relinked(home, described, drive, tiny_towers, monkeypatch):
    monkeypatch.setenv("AVION_FOLDERS", str(drive.parent))
    project = described
    before = curation_table(home, project.id).table["similarity"]
    run = create_run(home, project.id)
    run_here(home, run, threading.Event())
    manifest, splits = read_manifest(home, project.id), read_splits(home, project.id)
    moved_to = drive.rename(drive.with_name("moved"))
    relink(home, project.id, moved_to)
    shutil.move(moved_to, drive.with_name("elsewhere"))

    look = look_at_root(home, project.id)
    assert (look.moved, look.lacking) == (True, 24)
    assert look.sentence == f"The images are no longer in {moved_to}."
    check = relink(by("ann", home), project.id, drive.with_name("elsewhere"))
    assert check.sentence == f"24 of 24 images are in {drive.with_name('elsewhere')}, identified by their content."
    assert get_project(home, project.id).image_root == drive.with_name("elsewhere")
    assert not look_at_root(home, project.id).lacking
    assert read_manifest(home, project.id).equals(manifest)
    assert read_splits(home, project.id) == splits
    assert curation_table(home, project.id).table["similarity"].equals(before)
    assert "image_root" not in json.loads((home.run_folder(run) / "inputs" / "project.json").read_text())
    with reading(home.engine) as session:
        (entry,) = [entry for entry in journal.entries(session, project.id) if entry.who == "ann"]
    assert entry.sentence.startswith("Images re-linked: 24 of 24")


def test_images_under_other_paths_are_followed(home, project, drive):
    (drive / "beach").rename(drive / "coast")
    check = relink(home, project.id, drive)
    assert (check.same, len(check.moved), check.missing, check.new) == (16, 8, [], [])
    assert "8 of them with another path" in check.sentence
    assert not look_at_root(home, project.id).lacking
    manifest = read_manifest(home, project.id)
    assert set(manifest[manifest["label"] == "beach"]["path"]) == {f"coast/{number:02d}.png" for number in range(8)}
    assert check_root(home, project.id).same == 24


def test_what_is_missing_changed_and_new_is_told(home, project, drive):
    (drive / "beach" / "00.png").unlink()
    (drive / "beach" / "01.png").write_bytes((drive / "beach" / "02.png").read_bytes() + b"1")
    shutil.copy(drive / "forest" / "00.png", drive / "a copy.png")
    (drive / "new.png").write_bytes(b"something else")
    check = check_root(home, project.id, drive)
    assert (check.same, check.missing, check.changed) == (22, ["beach/00.png"], ["beach/01.png"])
    assert check.new == ["new.png"]
    assert "22 of 24 images" in check.sentence
    assert "1 missing (beach/00.png); 1 with another content (beach/01.png); 1 new" in check.sentence
    assert get_project(home, project.id).image_root == project.image_root

    with pytest.raises(DataError, match=r"22 of 24 images .* Put the missing ones back, or link anyway"):
        relink(home, project.id, drive)
    relink(home, project.id, drive, incomplete=True)
    assert get_project(home, project.id).image_root == drive
    look = look_at_root(home, project.id)
    assert (look.lacking, look.moved) == (1, False)
    assert look.sentence == f"1 of 24 images checked are no longer in {drive}."


def test_another_set_of_images_is_refused(home, project, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(DataError, match=r"(?i)holds no image"):
        relink(home, project.id, other, incomplete=True)
    (other / "x.png").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"(?i)none of the project's images is in this folder: .*other\. Choose"):
        relink(home, project.id, other, incomplete=True)
    with pytest.raises(DataError, match=r"(?i)image folder does not exist"):
        relink(home, project.id, tmp_path / "nowhere")
    assert get_project(home, project.id).image_root == project.image_root
