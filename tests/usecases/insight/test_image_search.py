"""Searching a project's images by words and by a picture: the teacher needs no run, a student is one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch

from avion_core.backbones.towers import Towers
from avion_core.data.images import open_image
from avion_core.data.recipe import RenderingRecipe
from avion_core.errors import DataError
from avion_core.usecases.insight.classifiers import open_student
from avion_core.usecases.insight.image_search import Search, search
from avion_core.usecases.insight.prediction import Uploads
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import read_manifest, read_splits
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.trained import trained_run
from avion_core.usecases.runs.training import run_here
from tests import tiny_studio

pytestmark = pytest.mark.usefixtures("tiny_towers", "float32_on_any_processor")
WORDS = "aerial view of beach"


def seen(towers: Towers, path: str | Path) -> torch.Tensor:
    """One picture's embedding (D,), made from its file alone."""
    return towers.encode_image(towers.prepare(open_image(Path(path), RenderingRecipe()))[None])[0].cpu()


def scores_again(towers: Towers, found: Search, wanted: torch.Tensor) -> list[float]:
    return [float(seen(towers, path) @ wanted.cpu()) for path in found.table["path"]]


def test_the_teacher_finds_by_words_before_anything_is_trained_and_leaves_sealed_images_out(home, described) -> None:
    found = search(home, described.id, WORDS, limit=5)
    sealed = set(read_splits(home, described.id).test)
    assert found.searched == len(read_manifest(home, described.id)) - len(sealed)
    assert found.sealed == len(sealed)
    assert not sealed & set(found.table["image_id"])
    teacher = open_towers(home, described.teacher)
    assert found.table["score"].tolist() == pytest.approx(
        scores_again(teacher, found, teacher.encode_text([WORDS])[0]), abs=1e-4
    )
    assert found.table["score"].is_monotonic_decreasing
    with pytest.raises(DataError, match=r"^The search text is empty: +\. Type what"):
        search(home, described.id, "  ")


def test_a_picture_finds_itself_first(home, described, images) -> None:
    manifest = read_manifest(home, described.id)
    shown = manifest[~manifest["image_id"].isin(read_splits(home, described.id).test)].iloc[0]
    found = search(home, described.id, Uploads([("mine.png", (images / shown["path"]).read_bytes())]))
    assert found.table["image_id"].iloc[0] == shown["image_id"]
    assert found.table["score"].iloc[0] == pytest.approx(1, abs=1e-4)
    teacher = open_towers(home, described.teacher)
    assert found.table["score"].tolist() == pytest.approx(
        scores_again(teacher, found, seen(teacher, images / shown["path"])), abs=1e-4
    )
    with pytest.raises(DataError):
        search(home, described.id, Uploads([("cut.png", b"\x89PNG\r\n\x1a\n")]))


def test_a_student_is_asked_by_its_run_and_sees_otherwise(home, described, images) -> None:
    run = create_run(home, described.id)
    run_here(home, run, threading.Event())
    found = search(home, described.id, WORDS, run, limit=5)
    student = open_student(home, trained_run(home, run)).towers
    assert found.table["score"].tolist() == pytest.approx(
        scores_again(student, found, student.encode_text([WORDS])[0]), abs=1e-4
    )
    assert search(home, described.id, WORDS, limit=5).table["score"].tolist() != pytest.approx(
        found.table["score"].tolist()
    )
    other = create_project(home, "other", images, defaults=tiny_studio.DEFAULTS)
    with pytest.raises(DataError, match=r"^The run is of another project"):
        search(home, other.id, WORDS, run)
