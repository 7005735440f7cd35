"""Projects renamed, copied, put aside and deleted."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from avion_core.errors import DataError, EditedMeanwhileError, JobError, NotFoundError
from avion_core.store.database import reading, writing
from avion_core.store.project_rows import project_tables
from avion_core.store.tables import Job
from avion_core.usecases.curation.deciding import record_verdict, undo
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.labels import give_labels
from avion_core.usecases.projects.summaries import get_project, list_projects, project_names, read_manifest
from avion_core.usecases.transfer.packs import pack_project, unpack_project
from avion_core.usecases.transfer.whole_projects import (
    archive_project,
    delete_project,
    duplicate_project,
    rename_project,
)
from tests import tiny_studio


def worked_on(home, project) -> None:
    """Verdicts with an undo, labels: rows that refer to one another."""
    first, second = current_descriptions(home, project.id)["description_id"][:2]
    record_verdict(home, project.id, first, "accept")
    record_verdict(home, project.id, second, "reject")
    undo(home, project.id)
    image = read_manifest(home, project.id)["image_id"].iloc[0]
    give_labels(home, project.id, {image: "beach"}, guesses={})


def test_a_project_is_renamed_and_its_id_stays(home, described) -> None:
    rename_project(home, described.id, "  harbours ", opened=described.name)
    assert get_project(home, described.id).name == "harbours"
    assert journal_entries(home, described.id)[0].sentence == "scenes was renamed to harbours."


def test_a_taken_name_and_one_renamed_meanwhile_are_refused(home, described, images) -> None:
    create_project(home, "other", images, defaults=tiny_studio.DEFAULTS)
    with pytest.raises(DataError, match="already exists"):
        rename_project(home, described.id, "other")
    rename_project(home, described.id, "by bob")
    with pytest.raises(EditedMeanwhileError, match="renamed meanwhile"):
        rename_project(home, described.id, "by ann", opened="scenes")
    assert get_project(home, described.id).name == "by bob"


def test_a_copy_has_all_of_it_and_goes_its_own_way(home, described) -> None:
    worked_on(home, described)
    copy = duplicate_project(home, described.id, "a second try")
    assert copy.id != described.id
    assert (copy.image_root, copy.descriptions, copy.judged) == (described.image_root, described.descriptions, 1)
    before = get_project(home, described.id).verdicts
    for item in current_descriptions(home, copy.id)["description_id"]:
        record_verdict(home, copy.id, item, "reject")
    assert get_project(home, described.id).verdicts == before
    delete_project(home, described.id)
    assert get_project(home, copy.id).descriptions == described.descriptions


def test_a_copy_of_a_project_with_packed_images_has_its_own_images(home, described, tmp_path) -> None:
    pack_project(home, described.id, tmp_path / "x.avion", images=True)
    packed = unpack_project(home, tmp_path / "x.avion", name="packed")
    copy = duplicate_project(home, packed.id, "copy")
    assert copy.image_root.is_relative_to(home.project_folder(copy.id))
    delete_project(home, packed.id)
    assert all((copy.image_root / path).is_file() for path in read_manifest(home, copy.id)["path"])


def test_archived_it_stays_whole_and_leaves_the_sidebar(home, described) -> None:
    archive_project(home, described.id)
    assert project_names(home) == {}
    (found,) = list_projects(home)
    assert (found.archived, found.descriptions) == (True, described.descriptions)
    archive_project(home, described.id, archived=False)
    assert project_names(home) == {described.id: described.name}
    said = [entry.sentence for entry in journal_entries(home, described.id)][:2]
    assert said == ["Restored from the archive.", "Archived."]


def test_deleted_nothing_of_it_is_left_and_others_are_whole(home, described, images) -> None:
    other = create_project(home, "other", images, defaults=tiny_studio.DEFAULTS)
    worked_on(home, described)
    delete_project(home, described.id)
    with pytest.raises(NotFoundError):
        get_project(home, described.id)
    with reading(home.engine) as session:
        for table in project_tables():
            if "project_id" in table.columns:
                own = select(func.count()).select_from(table).where(table.c.project_id == described.id)
                assert session.scalar(own) == 0, table.name
    assert not home.project_folder(described.id).exists()
    assert get_project(home, other.id).images == other.images
    assert all((images / path).is_file() for path in read_manifest(home, other.id)["path"])


def test_packed_first_a_deleted_project_comes_back(home, described, tmp_path) -> None:
    worked_on(home, described)
    pack_project(home, described.id, tmp_path / "x.avion")
    delete_project(home, described.id)
    again = unpack_project(home, tmp_path / "x.avion")
    assert (again.id, again.judged, again.descriptions) == (described.id, 1, described.descriptions)


def test_work_that_is_under_way_keeps_it(home, described) -> None:
    with writing(home.engine) as session:
        session.add(Job(kind="mapping", project_id=described.id, request={}))
    with pytest.raises(JobError, match="queued or running"):
        delete_project(home, described.id)
    assert get_project(home, described.id).descriptions
