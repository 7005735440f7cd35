"""Class names of files that are matched with a project's classes, remembered, and taken back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from openpyxl import Workbook

from avion_core.errors import DescriptionError, NotFoundError
from avion_core.usecases.curation.deciding import record_verdict
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.projects.class_aliases import class_aliases, forget_alias
from avion_core.usecases.projects.classes import class_changes, merge_classes, undo_change
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.descriptions import import_descriptions, import_upload
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.transfer.packs import pack_project, unpack_project

WOODS, TREES = "Overhead view of old woods with a dark closed canopy.", "Aerial view of rows of trees on a slope."
SHARED = Path(__file__).parents[4] / "shared" / "data"


def texts(home, project) -> dict[str, str]:
    table = current_descriptions(home, project.id)
    return dict(zip(table["text"], table["class_key"], strict=True))


def give(home, project, classes: dict[str, list[str]], **options):
    return import_upload(home, project.id, "texts.json", json.dumps(classes).encode(), **options)


def test_a_preview_suggests_and_counts_what_is_unmatched(home, project) -> None:
    report = give(home, project, {"Forests": [WOODS], "Volcano": ["A crater."]}, preview=True)
    assert (report.added, report.unknown_classes) == (0, {"Forests": 1, "Volcano": 1})
    assert report.suggestions == {"Forests": "forest", "Volcano": ""}
    assert "2 not imported: of classes that the project lacks (Forests, Volcano)" in report.sentence


def test_without_a_match_a_file_of_other_classes_is_refused(home, project) -> None:
    with pytest.raises(DescriptionError, match="--match"):
        give(home, project, {"Forests": [WOODS]})


def test_several_names_may_mean_one_class_and_are_remembered(home, project) -> None:
    match = {"Woods": "forest", "Trees": "forest"}
    report = give(home, project, {"Woods": [WOODS], "Trees": [TREES], "Volcano": ["A crater."]}, match=match,
                  leave_out=["Volcano"])  # fmt: skip
    assert (report.added, report.matched, report.left_out) == (2, {"Woods": 1, "Trees": 1}, {"Volcano": 1})
    assert report.unknown_classes == {}
    assert "1 left out as asked (Volcano 1)" in report.sentence
    assert {(one.alias, one.class_key, one.descriptions) for one in class_aliases(home, project.id)} == {
        ("Woods", "forest", 1),
        ("Trees", "forest", 1),
    }
    again = give(home, project, {"WOODS": ["A clearing in the woods, seen from above."]})
    assert again.added == 1
    said = [entry.sentence for entry in journal_entries(home, project.id)]
    assert "Imports read “Woods” as forest from now on." in said


def test_a_match_with_no_class_of_the_project_is_refused(home, project) -> None:
    with pytest.raises(NotFoundError, match=r"Woods is matched with no class.*beach"):
        give(home, project, {"Woods": [WOODS]}, match={"Woods": "jungle"})
    assert class_aliases(home, project.id) == []


def test_a_name_is_taken_back_with_what_came_in_under_it(home, project) -> None:
    before = texts(home, project)
    revision = get_project(home, project.id).revision
    give(home, project, {"Woods": [WOODS, TREES]}, match={"Woods": "beach"})
    judged = current_descriptions(home, project.id).query("text == @TREES")["description_id"].iloc[0]
    record_verdict(home, project.id, judged, "accept")
    sentence = forget_alias(home, project.id, "Woods")
    assert "1 description removed, 1 stay since people decided on them." in sentence
    assert texts(home, project) == {**before, TREES: "beach"}
    assert class_aliases(home, project.id) == []
    assert get_project(home, project.id).revision == revision  # as it was: what was computed then still holds
    report = give(home, project, {"Woods": [WOODS]}, match={"Woods": "forest"})
    assert report.added == 1
    assert texts(home, project)[WOODS] == "forest"
    with pytest.raises(NotFoundError, match=r"No class of the project.*Known are: Woods\."):
        forget_alias(home, project.id, "Trees")


def test_undo_on_the_page_classes_takes_the_newest_name_back(home, project) -> None:
    give(home, project, {"Woods": [WOODS]}, match={"Woods": "beach"})
    assert class_changes(home, project.id)[0].undoable
    assert "Imports read “Woods” as beach" in undo_change(home, project.id)
    assert WOODS not in texts(home, project)


def test_a_name_follows_its_class_into_another(home, project) -> None:
    give(home, project, {"Woods": [WOODS]}, match={"Woods": "forest"})
    merge_classes(home, project.id, "forest", "beach")
    report = give(home, project, {"Woods": [TREES]})
    assert report.taken_for == {"Woods": "beach"}
    assert texts(home, project)[TREES] == "beach"


def test_names_travel_in_a_packed_project(home, project, tmp_path) -> None:
    give(home, project, {"Woods": [WOODS]}, match={"Woods": "forest"})
    pack_project(home, project.id, tmp_path / "x.avion", images=True)
    other = unpack_project(home, tmp_path / "x.avion", name="again")
    assert [one.alias for one in class_aliases(home, other.id)] == ["Woods"]


def test_a_workbook_is_read_as_a_csv_is(home, project, tmp_path) -> None:
    book = Workbook()
    for row in (["class", "text"], ["forest", WOODS], ["Woods", TREES]):
        book.worksheets[0].append(row)
    book.save(tmp_path / "t.xlsx")
    report = import_descriptions(home, project.id, tmp_path / "t.xlsx", match={"Woods": "forest"})
    assert report.added == 2


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
@pytest.mark.parametrize("writer", ["gpt", "mixtral"])
def test_the_eurosat_texts_of_mpvr_come_in_with_nothing_lost(writer: str, home, tmp_path) -> None:
    images = tmp_path / "eurosat"
    for folder in sorted((SHARED / "eurosat").iterdir()):
        (images / folder.name).mkdir(parents=True)
        for picture in sorted(folder.iterdir())[:2]:
            shutil.copy(picture, images / folder.name)
    project = create_project(home, "eurosat", images)
    file = SHARED / "descriptions" / f"{writer}_EuroSAT.json"
    inside = sum(map(len, json.loads(file.read_text(encoding="utf-8")).values()))
    look = import_descriptions(home, project.id, file, preview=True)
    assert all(look.suggestions.values())
    report = import_descriptions(home, project.id, file, match=look.suggestions)
    assert report.unknown_classes == {}
    assert report.added + report.duplicates + len(report.problems) == inside
    held = current_descriptions(home, project.id)
    assert len(held) == report.added
    assert held.groupby("class_key").size().gt(150).sum() == 10
