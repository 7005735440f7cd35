"""Captions on the pages: imported on Projects, trained on, measured on Evaluation and watched on Runs."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from avion_core.usecases.insight.evaluation import evaluate_run
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.captions import caption_counts
from avion_core.usecases.projects.summaries import get_project, read_manifest
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text, settle


def caption_file(home: Home, folder: Path) -> Path:
    table = read_manifest(home, get_project(home, NAME).id).sort_values("path")
    images = [
        {"filename": path, "split": "test" if place % 4 == 0 else "train", "sentences": [{"raw": f"a view of {path}"}]}
        for place, path in enumerate(table["path"])
    ]
    file = folder / "captions.json"
    file.write_text(json.dumps({"images": images}))
    return file


def test_from_the_caption_file_to_the_recalls(home: Home, open_page: Open, tmp_path: Path) -> None:
    project = get_project(home, NAME)
    app = open_page("projects")
    assert "No captions yet." in all_text(app)
    app.text_input(key=f"captions_file_{project.id}").set_value(str(caption_file(home, tmp_path)))
    asked = next(button for button in app.button if button.label == "Import captions")
    app = settle(asked.click().run())
    assert "test images imported" in all_text(app)
    assert set(caption_counts(home, project.id)) == {"train", "test"}

    run = create_run(home, project.id, overrides={"protocol.name": "retrieval", "distillation.epochs": 1}, here=True)
    run_here(home, run, threading.Event())
    app = open_page("runs", run=run)
    assert "Validation mR" in [metric.label for metric in app.metric]
    evaluate_run(home, run)
    app = open_page("evaluation", run=run)
    assert app.segmented_control(key="evaluation_view").options == ["Methods", "Recalls", "Over shots and seeds"]
    assert "AVION, mR" in [metric.label for metric in app.metric]
    app = settle(app.segmented_control(key="evaluation_view").set_value("recalls").run())
    table = app.dataframe[0].value
    assert list(table["method"]) == ["AVION", "Student, zero-shot", "Teacher, zero-shot"]
    assert {"mR", "image to text R@1", "text to image R@10"} <= set(table.columns)
    app = settle(app.segmented_control(key="evaluation_view").set_value("protocol").run())
    assert "AVION, mR" in app.dataframe[0].value.columns
