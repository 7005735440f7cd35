"""Descriptions that the teacher does not read to their end are named before anything is embedded."""

from __future__ import annotations

import json

import pytest

from avion_core.usecases.curation import curation_table, record_verdict, refresh
from avion_core.usecases.installation import doctor
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.text_lengths import too_long_for_teacher

LONG = "From above, " + ", ".join(f"row {number} of pale roofs" for number in range(40)) + "."


@pytest.fixture
def file(project, tmp_path):
    path = tmp_path / "long.json"
    key = project.classes[0].key
    path.write_text(json.dumps({key: [LONG, LONG.replace("pale", "dark"), "A satellite view of sand, from above."]}))
    return path


def test_an_import_and_its_preview_say_it(home, project, file):
    said = "2 are longer than the teacher reads"
    assert said in import_descriptions(home, project.id, file, preview=True).sentence
    report = import_descriptions(home, project.id, file)
    assert said in report.sentence
    assert len(report.cut_off.places) == 2
    assert "longer" not in import_descriptions(home, project.id, file).sentence  # nothing is added


def test_the_doctor_and_the_review_name_them_as_they_read_now(home, project, tiny_towers, file):
    import_descriptions(home, project.id, file)
    assert len(too_long_for_teacher(home, project.id).places) == 2
    (check,) = [check for check in doctor.examine(home.path) if check.title.startswith("Descriptions of")]
    assert (check.severity, check.message[:35]) == ("warning", "2 are longer than the teacher reads")
    before = curation_table(home, project.id)
    long = before.table[before.table["too_long"]]
    assert sorted(long["text"]) == sorted([LONG, LONG.replace("pale", "dark")])
    record_verdict(home, project.id, long["description_id"].iloc[0], "edit", text="From above, rows of roofs by sand.")
    after = refresh(home, before)
    assert after.table["too_long"].sum() == 1
    assert list(after.table["too_long"]) == list(curation_table(home, project.id).table["too_long"])
