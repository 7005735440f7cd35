"""Trainings on captions, from caption file to tables: import, checks, estimate, run, figures, joint data sets."""

from __future__ import annotations

import json
import threading

import pandas as pd
import pytest

from avion_core.errors import ConfigError, DataError, TrainingError
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.insight.compare import change_between
from avion_core.usecases.insight.evaluation import evaluate_run, published
from avion_core.usecases.insight.flat_figures import flat_figures
from avion_core.usecases.insight.ladder import ladder
from avion_core.usecases.insight.protocol_runs import over_seeds
from avion_core.usecases.insight.rows import headline_rows, recall_table
from avion_core.usecases.insight.written_report import write_report
from avion_core.usecases.projects.captions import caption_counts, import_captions
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.runs import estimate as module
from avion_core.usecases.runs.choices import trains_student
from avion_core.usecases.runs.command_line import cli_command
from avion_core.usecases.runs.estimate import estimate
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.preflight import preflight
from avion_core.usecases.runs.trained import student_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import get_run
from tests import tiny_studio
from tests.captioning import make_captions

RETRIEVAL = {"protocol.name": "retrieval"}


@pytest.fixture
def captioned(home, images, tmp_path):
    """A project of a caption file alone: no classes, no labels."""
    file = make_captions(tmp_path / "captions.json")
    return create_project(home, "captioned", images, labels=file, defaults=tiny_studio.DEFAULTS)


def checks(home, project, **changes):
    found = preflight(home, project, run_config(home, project, overrides=RETRIEVAL | changes))
    return [(check.title, check.severity, check.message) for check in found]


def test_a_caption_file_makes_a_project_with_captions(home, captioned) -> None:
    assert captioned.classes == []
    assert caption_counts(home, captioned.id) == {"train": (18, 36), "test": (6, 12)}


def test_captions_join_a_project_of_class_folders(home, project, tmp_path) -> None:
    file = make_captions(tmp_path / "captions.json")
    listed = json.loads(file.read_text())
    listed["images"] += [{"filename": "lost.png", "split": "train", "sentences": [{"raw": "Nothing."}]}]
    file.write_text(json.dumps(listed))
    report = import_captions(home, project.id, file, preview=True)
    assert caption_counts(home, project.id) == {}
    assert report.sentence == (
        "36 captions of 18 training images and 12 captions of 6 test images to import. 1 entry could not be used as "
        "written."
    )
    assert import_captions(home, project.id, file).problems[0].path == "lost.png"
    again = import_captions(home, project.id, make_captions(tmp_path / "fewer.json", ("beach",)))
    assert (again.replaced, again.parts) == (48, {"train": (6, 12), "test": (2, 4)})
    assert len(freeze(home, project.id).captions) == 16
    with pytest.raises(DataError, match="No image of the caption file"):
        import_captions(home, project.id, make_captions(tmp_path / "others.json", ("volcano",)))
    assert len(freeze(home, project.id).captions) == 16


def test_checks_name_what_there_is_and_what_lacks(home, captioned, project, tiny_towers) -> None:
    assert ("Captions", "ok", "captioned: 32 captions of 16 training images.") in checks(home, captioned.id)
    assert not [message for _, severity, message in checks(home, captioned.id) if severity == "error"]
    assert ("Captions", "error", "The project scenes has no captions.") in checks(home, project.id)
    found = checks(home, captioned.id, method="coop")
    assert ("Protocol", "error") in [(title, severity) for title, severity, _ in found]
    found = checks(home, captioned.id, **{"protocol.projects": ("nowhere",)})
    assert ("Other project", "error", "There is no such project: nowhere.") in found
    with pytest.raises(TrainingError, match="The project scenes has no captions"):
        create_run(home, project.id, overrides=RETRIEVAL)


def test_joint_training_warns_of_leakage(home, captioned, images, tmp_path, tiny_towers) -> None:
    file = make_captions(tmp_path / "turned.json", tested=(0, 1))
    other = create_project(home, "turned", images, labels=file, defaults=tiny_studio.DEFAULTS)
    found = {title: (severity, said) for title, severity, said in checks(
        home, captioned.id, **{"protocol.projects": ("turned",)}
    )}  # fmt: skip
    severity, said = found["Leakage"]
    assert severity == "warning"
    assert "held out by another and left out" in said
    assert "RSITMD and RSICD are known to share images" in said
    run = create_run(home, captioned.id, overrides=RETRIEVAL | {"protocol.projects": "turned"}, here=True)
    assert run_here(home, run, threading.Event()).state == "finished"
    report = evaluate_run(home, run, "test")
    assert [(part.name, part.title) for part in report.parts] == [("captions", "captioned"), ("turned", "turned")]
    titles = set(headline_rows(report)["title"])
    assert {"AVION, captions, mR", "AVION, turned, mR"} <= titles
    assert set(flat_figures(report)) >= {"captions", "turned"}
    assert other.id in get_run(home, run).config.protocol.projects


def test_the_estimate_counts_captioned_images(home, captioned, monkeypatch, tiny_towers) -> None:
    monkeypatch.setattr(module, "_speed", lambda *_: 1e10)
    config = run_config(home, captioned.id, overrides=RETRIEVAL)
    found = estimate(home, captioned.id, config)
    assert found is not None
    assert found.steps == 3 * 6  # 18 images by 3, three passes
    assert "--protocol retrieval" in cli_command(home, captioned.id, config)


def test_a_run_on_captions_is_measured_listed_and_kept_out_of_classes(home, captioned, tiny_towers) -> None:
    run = create_run(home, captioned.id, overrides=RETRIEVAL, here=True)
    view = run_here(home, run, threading.Event())
    assert (view.state, view.accuracy) == ("finished", None)
    assert view.name == "recommended, retrieval, seed 1"
    assert view.summary["validation_mr"] is not None
    report = evaluate_run(home, run, "test")
    assert get_run(home, run).looks == 1
    table = recall_table(report, "captions")
    assert list(table["title"]) == ["AVION", "Student, zero-shot", "Teacher, zero-shot"]
    six = [f"{way} R@{k}" for way in ("image to text", "text to image") for k in (1, 5, 10)]
    assert table[six].mean(axis=1).to_numpy() == pytest.approx(table["mR"].to_numpy())
    assert (table["low"] <= table["mR"]).all()
    flat = flat_figures(report)
    assert flat["captions"]["mr"] == report.value("captions", "mr")
    assert {"zero_shot_mr", "teacher_zero_shot_mr", "i2t_r1", "t2i_r10"} <= set(flat["captions"])
    json.dumps(flat["captions"])
    assert published(home, run).empty  # not the paper's pair on the paper's set
    assert over_seeds(home, run, "test").mean["AVION, mR"] == report.value("captions", "mr")
    assert not trains_student(view)
    with pytest.raises(TrainingError, match="was trained on captions and knows no classes"):
        student_run(home, run)
    assert ladder(home, captioned.id) is None
    second = create_run(home, captioned.id, overrides=RETRIEVAL | {"data.seed": 2}, here=True)
    run_here(home, second, threading.Event())
    assert change_between(home, run, second) == []
    written = write_report(home, [run, second])
    assert "were trained on captions: compare their recalls by the intervals" in written.html
    assert "trained on captions, seed 1" in written.html
    assert "labelled images per class" not in written.html
    assert "compared-validation_mr" in written.figures


def test_the_published_recalls_stand_beside_the_papers_pair_on_the_papers_sets() -> None:
    from avion_core.presets import make_config
    from avion_core.protocols.published import published_figures

    config = make_config(overrides=RETRIEVAL)
    for images, value in ((4_743, 52.92), (10_921, 39.80), (10_900, 39.80)):
        rows = published_figures(config, [], images)
        own = rows[(rows["method"] == "avion") & (rows["metric"] == "mr")]
        assert own["value"].tolist() == [value]
    assert published_figures(config, [], 1_890).empty
    assert isinstance(rows, pd.DataFrame)


def test_settings_of_a_preset_are_the_papers(home, captioned) -> None:
    assert run_config(home, captioned.id, "paper", overrides=RETRIEVAL).distillation.epochs == 50
    with pytest.raises(ConfigError, match="There is no such protocol"):
        run_config(home, captioned.id, overrides={"protocol.name": "search"})
