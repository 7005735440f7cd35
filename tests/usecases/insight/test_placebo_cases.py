"""Placebo tests from start to sentence: one job for equal wishes, students resumed, the sealed set counted."""

# pyright: reportOptionalMemberAccess=false, reportArgumentType=false
from __future__ import annotations

import json
import threading

import pandas as pd
import pytest

from avion_core.actor import Actor
from avion_core.descriptions.placebo import CONTROLS, NAMELESS, OWN, RANDOM, SHUFFLED, TEMPLATE
from avion_core.errors import DataError, RightsError
from avion_core.jobs.kinds import placebo as kind
from avion_core.usecases.curation import curation_table, record_verdict
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.insight.placebo import placebo_here, placebo_job, read_placebo, start_placebo
from avion_core.usecases.job_control import resume_job
from avion_core.usecases.jobs import queue_again
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import read_manifest, read_splits
from tests.jobs_here import do_jobs_here
from tests.tiny_studio import CLASSES

pytestmark = pytest.mark.usefixtures("tiny_towers")


@pytest.fixture
def worded(home, project, tmp_path):
    """The project "scenes" with texts that say more than the name."""
    texts = {
        "beach": ["Aerial view of a beach with waves and bright sand.", "Sand along open water, seen from above."],
        "forest": ["Aerial view of a forest with dense dark trees.", "Tree crowns without gaps, seen from above."],
        "golfcourse": ["Aerial view of a golf course with greens.", "Bunkers among mown lawns, seen from above."],
    }
    (tmp_path / "worded.json").write_text(json.dumps(texts))
    import_descriptions(home, project.id, tmp_path / "worded.json")
    return project


def done(home, project, **wanted) -> str:
    job = start_placebo(home, project.id, here=True, **wanted)
    assert placebo_here(home, job, threading.Event()) == "finished"
    return job


def test_every_control_on_images_outside_shots_and_test_set(home, worded):
    assert read_placebo(home, worded.id) is None
    job = done(home, worded, draws=3)
    found = read_placebo(home, worded.id)
    assert found is not None
    assert (found.job.id, found.split, found.draws, found.outdated, found.looks) == (job, "validation", 3, False, 0)
    overall = found.figures[found.figures["part"] == "all"].set_index("control")
    assert list(overall.index) == list(CONTROLS)
    assert overall["draws"].to_dict() == {c: 3 if control.random else 1 for c, control in CONTROLS.items()}
    answers = pd.read_parquet(found.job.folder / kind.ANSWERS_FILE)
    config, splits, manifest = found.config, read_splits(home, worded.id), read_manifest(home, worded.id)
    shots = {image for of in splits.shots(config.data.seed, config.data.shots).values() for image in of}
    labelled = set(manifest.loc[manifest["label"] != "", "image_id"])
    assert set(answers["image_id"]) == labelled - shots - set(splits.test)
    assert [one.part for one in found.overall] == ["all"]
    assert sorted(one.part for one in found.by_class["teacher"]) == sorted(CLASSES)
    assert f"{len(labelled - shots - set(splits.test))} labelled images outside shots" in found.statement


def test_own_and_template_are_what_the_decisions_page_says(home, worded):
    done(home, worded)
    curation = curation_table(home, worded.id)
    answers = pd.read_parquet(read_placebo(home, worded.id).job.folder / kind.ANSWERS_FILE)
    validation = {i for of in read_splits(home, worded.id).validation_images(1, 2).values() for i in of}
    on_validation = answers[answers["image_id"].isin(validation)].groupby("control")["right"].mean() * 100
    assert on_validation[OWN] == pytest.approx(curation.teacher_accuracy["validation"])
    assert on_validation[TEMPLATE] == pytest.approx(curation.template_accuracy["validation"])


def test_the_same_is_measured_once_and_goes_out_of_date(home, worded):
    job = done(home, worded)
    assert start_placebo(home, worded.id, here=True) == job
    ids = curation_table(home, worded.id).table["description_id"]
    record_verdict(home, worded.id, ids.iloc[0], "reject")
    found = read_placebo(home, worded.id)
    assert found is not None
    assert found.outdated
    assert start_placebo(home, worded.id, here=True) != job


def test_students_are_trained_one_by_one_and_resumed(home, worded, monkeypatch):
    first = start_placebo(home, worded.id, students=True, draws=1, here=True)
    stop, trained = threading.Event(), []
    usual = kind._student

    def two_and_stop(project, config, images, control, context):
        trained.append(control)
        if len(trained) == 3:
            stop.set()
        return usual(project, config, images, control, context)

    monkeypatch.setattr(kind, "_student", two_and_stop)
    assert placebo_here(home, first, stop) == "stopped"
    assert trained == [OWN, TEMPLATE, SHUFFLED]
    assert read_placebo(home, worded.id) is None
    assert queue_again(home, first, here=True)
    assert placebo_here(home, first, threading.Event()) == "finished"
    assert trained[3:] == [SHUFFLED, RANDOM, "named_random", NAMELESS]
    found = read_placebo(home, worded.id)
    assert found is not None
    assert [one.judge for one in found.overall] == ["teacher", "student"]
    of_students = found.figures[(found.figures["judge"] == "student") & (found.figures["part"] == "all")]
    assert list(of_students["control"]) == list(CONTROLS)
    assert set(of_students["draws"]) == {1}


def test_a_class_without_words_but_its_name(home, described):
    """Of "forest." nothing is left, of the other texts something is; of all texts nothing where they are the name."""
    done(home, described)
    found = read_placebo(home, described.id)
    assert found is not None
    assert all(one.images for one in found.by_class["teacher"])
    texts = curation_table(home, described.id).table
    for row in texts[texts["class_key"] == "beach"].itertuples():
        if row.text != "beach.":
            record_verdict(home, described.id, row.description_id, "reject")
    job = start_placebo(home, described.id, students=True, here=True)
    assert placebo_here(home, job, threading.Event()) == "finished"
    found = read_placebo(home, described.id)
    beach = next(one for one in found.by_class["teacher"] if one.part == "beach")
    assert beach.sentence == "beach: nothing can be said, for without its name nothing is left of its descriptions."
    assert list(found.left_out) == [f"a student with {CONTROLS[NAMELESS].title}"]


def test_the_sealed_set_is_opened_by_right_and_counted(home, worded):
    with pytest.raises(RightsError, match="open the sealed test set"):
        start_placebo(home.acting_as(Actor("Vera", "reviewer")), worded.id, split="test")
    with pytest.raises(RightsError, match="start and stop trainings"):
        start_placebo(home.acting_as(Actor("Vera", "reviewer")), worded.id, students=True)
    for _ in range(2):
        done(home, worded, split="test")
    found = read_placebo(home, worded.id)
    assert found is not None
    assert (found.split, found.looks) == ("test", 2)
    answers = pd.read_parquet(found.job.folder / kind.ANSWERS_FILE)
    assert set(answers["image_id"]) == set(read_splits(home, worded.id).test)
    assert sum("placebo" in entry.sentence for entry in journal_entries(home, worded.id)) == 2


def test_what_cannot_be_measured_is_refused_before_a_job(home, project, worded):
    config = run_config(home, worded.id)
    with pytest.raises(DataError, match="no such split"):
        start_placebo(home, worded.id, config, split="train")
    assert placebo_job(home, worded.id) is None


def test_without_descriptions_it_is_refused(home, project):
    with pytest.raises(DataError, match="needs two classes with images and descriptions"):
        start_placebo(home, project.id)


def test_hard_flags_leave_random_words_in_play(home, worded):
    """Random words pass no RS-Flag: a filter would turn that control into the template."""
    config = run_config(home, worded.id, overrides={"prototypes.flag_mode": "hard"})
    done(home, worded, config=config, draws=1)
    hard = pd.read_parquet(read_placebo(home, worded.id).job.folder / kind.ANSWERS_FILE)
    done(home, worded, draws=1)
    soft = pd.read_parquet(read_placebo(home, worded.id).job.folder / kind.ANSWERS_FILE)
    same = [frame[frame["control"] == RANDOM].reset_index(drop=True) for frame in (hard, soft)]
    assert same[0].equals(same[1])


def test_resuming_from_the_list_of_jobs(home, worded, monkeypatch):
    stop = threading.Event()
    stop.set()
    job = start_placebo(home, worded.id, here=True)
    assert placebo_here(home, job, stop) == "stopped"
    do_jobs_here(monkeypatch)
    resume_job(home, job)
    assert placebo_job(home, worded.id).state == "finished"
