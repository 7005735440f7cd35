"""Prediction on a tiny project: evidence, words, and the student that loads back elsewhere."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from rasterio.transform import from_origin

from avion_core.actor import Actor
from avion_core.backbones.load import WeightStore
from avion_core.data.project import ProjectData
from avion_core.data.recipe import RenderingRecipe
from avion_core.distill.student_towers import StudentTowers
from avion_core.errors import CheckpointError, DataError
from avion_core.jobs.inputs import run_inputs
from avion_core.protocols.exported import open_exported
from avion_core.usecases.insight.classifiers import open_student
from avion_core.usecases.insight.prediction import Uploads, export_student, predict
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import read_manifest, read_splits
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.trained import trained_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import right_on_validation
from tests import tiny_studio

pytestmark = pytest.mark.usefixtures("tiny_towers")


@pytest.fixture
def run(home, described) -> str:
    run_id = create_run(home, described.id)
    run_here(home, run_id, threading.Event())
    return run_id


def test_the_nearest_training_images_are_shots_and_an_image_is_nearest_to_itself(home, described, run, images) -> None:
    shots = read_splits(home, described.id).shots(1, 2)
    manifest = read_manifest(home, described.id).set_index("image_id")
    paths = {images / manifest.at[image, "path"]: key for key, ids in shots.items() for image in ids}
    found = predict(home, run, list(paths))
    assert found.table["trained_on"].all()
    others = sorted(set(images.rglob("*.png")) - set(paths))
    assert not predict(home, run, others).table["trained_on"].any()
    for path, near in zip(found.table["path"], found.nearest, strict=True):
        assert near[0].path == Path(path)
        assert near[0].similarity == pytest.approx(1, abs=1e-4)
        assert all(paths[one.path] == one.class_key for one in near)
        assert [one.similarity for one in near] == sorted((one.similarity for one in near), reverse=True)
    assert found.temperature is None  # six validation images are too few


def test_files_that_cannot_be_read_are_named_and_the_others_classified(home, run, images, tmp_path) -> None:
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found = predict(home, run, [tmp_path / "cut.png", images / "beach" / "00.png"])
    assert [Path(path).name for path in found.table["path"]] == ["00.png"]
    assert len(found.problems) == 1
    assert found.problems[0].startswith("cut.png: ")
    with pytest.raises(DataError, match=r"^No image can be read"):
        predict(home, run, [tmp_path / "cut.png"])


def test_a_geotiff_goes_through_the_project_s_recipe(home, images, tmp_path) -> None:
    """Sixteen bits in four bands: only with the recipe's bands and stretch is it the picture it was made from."""
    from avion_core.usecases.projects.descriptions import import_descriptions

    recipe = RenderingRecipe(bands=(3, 2, 1), low=(0.0,), high=(2550.0,))
    project = create_project(home, "bands", images, defaults=tiny_studio.DEFAULTS, recipe=RenderingRecipe())
    import_descriptions(home, project.id, tiny_studio.make_descriptions(tmp_path / "texts.json"))
    run_id = create_run(home, project.id)
    run_here(home, run_id, threading.Event())
    inputs = trained_run(home, run_id).folder / "inputs"
    replace(run_inputs(home, run_id), recipe=recipe).save(inputs)

    png = images / "forest" / "00.png"
    pixels = np.asarray(Image.open(png).convert("RGB")).transpose(2, 0, 1).astype(np.uint16) * 10
    tif = tmp_path / "scene.tif"
    bands = [pixels[2], pixels[1], pixels[0], pixels[0] * 0 + 9999]
    with rasterio.open(
        tif, "w", driver="GTiff", width=40, height=40, count=4, dtype="uint16", transform=from_origin(0, 0, 10, 10)
    ) as raster:
        raster.write(np.stack(bands))
    plain = create_run(home, project.id, name="plain")
    run_here(home, plain, threading.Event())
    of_tif, of_png = predict(home, run_id, [tif]).table, predict(home, plain, [png]).table
    shares = [column for column in of_png.columns if column.startswith("p_")]
    assert of_tif[shares].to_numpy() == pytest.approx(of_png[shares].to_numpy(), abs=0.02)
    with pytest.raises(DataError, match=r"^No image can be read"):
        predict(home, plain, [tif])


def test_a_student_is_opened_once_for_all_visitors(home, run, monkeypatch) -> None:
    view, (ana, bob) = trained_run(home, run), (home.acting_as(Actor(name, "admin")) for name in ("Ana", "Bob"))
    assert open_student(ana, view) is open_student(bob, view)
    counts = right_on_validation(ana, view)
    assert counts is not None
    assert counts[1] == len(read_splits(home, view.project_id).validation[1])
    monkeypatch.setattr(ProjectData, "load", None)  # a run's inputs are frozen: they are read once
    assert right_on_validation(bob, view) == counts


def test_student_towers_see_what_the_student_sees(home, run, images) -> None:
    student = open_student(home, trained_run(home, run))
    towers = StudentTowers(student.student)
    pixels = torch.stack([towers.prepare(Image.open(images / "beach" / "00.png"))])
    texts = ["a beach", "a much longer text about a forest with trees"]
    with torch.no_grad():
        assert torch.allclose(towers.encode_image(pixels), student.student.encode_image(pixels))
        alone = torch.cat([student.student.encode_text(student.student.tokenize([text])) for text in texts])
    assert torch.allclose(towers.encode_text(texts), alone, atol=1e-5)
    before = towers.weights_hash
    with torch.no_grad():
        student.student.visual_prompts.add_(0.1)
        assert StudentTowers(student.student).weights_hash != before
        student.student.visual_prompts.sub_(0.1)


def test_an_exported_student_says_the_same_by_the_lines_of_its_readme(home, run, images, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "elsewhere"
    with zipfile.ZipFile(io.BytesIO(export_student(home, run))) as archive:
        archive.extractall(folder)
    picture = images / "golfcourse" / "00.png"
    (folder / "scene.png").write_bytes(picture.read_bytes())
    assert "- teacher: GeoRSCLIP ViT-H/14. Licence: Creative Commons" in (folder / "README.md").read_text()
    assert [one["role"] for one in json.loads((folder / "student.json").read_text())["models"]] == [
        "teacher",
        "student",
    ]
    code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
    assert code is not None
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    names: dict = {}
    exec(code[1], names)
    expected = predict(home, run, [picture]).table
    for column in ("probability", "margin", "p_golfcourse"):
        assert names["table"][column].tolist() == pytest.approx(expected[column].tolist(), abs=1e-5)


def test_another_folder_is_no_exported_student(tmp_path) -> None:
    with pytest.raises(
        CheckpointError, match=r"^The exported student does not exist: .*student\.json\. Check the path"
    ):
        open_exported(tmp_path, WeightStore(tmp_path))
    (tmp_path / "student.json").write_text('{"config": {}}')
    with pytest.raises(CheckpointError, match=r"^The exported student does not fit its form .*Give the unpacked"):
        open_exported(tmp_path, WeightStore(tmp_path))


def test_uploads_last_as_long_as_they_are_held() -> None:
    uploads = Uploads([("../../etc/pass wd.PNG", b"1"), ("..", b"2")])
    folder = uploads.paths[0].parents[1]
    assert [path.name for path in uploads.paths] == ["pass wd.png", "image"]
    assert all(path.resolve().parents[1] == folder.resolve() for path in uploads.paths)
    del uploads
    assert not folder.exists()


def test_a_folder_is_read_by_a_projects_rule_and_the_rest_is_told(home, run, images, tmp_path) -> None:
    new = tmp_path / "new"
    (new / "@eaDir").mkdir(parents=True)
    picture = Image.open(images / "beach" / "00.png").convert("RGB")
    for name in ("a.png", "b.jpe", "c.jfif", "d.webp", "e.bmp", "f.gif", "a_thumb.png", "@eaDir/x.png"):
        form = "JPEG" if name.endswith(("jpe", "jfif")) else None
        picture.save(new / name, form)
    found = predict(home, run, [new])
    assert [Path(path).name for path in found.table["path"]] == ["a.png", "b.jpe", "c.jfif"]
    told = " ".join(found.problems)
    assert all(f"1 file ending in “.{kind}” left out" in told for kind in ("webp", "bmp", "gif"))
    assert "1 thumbnail beside the pictures they show" in told
    assert "@eaDir" in told
    assert len(found.problems) == 5


def test_a_stretch_of_an_older_project_that_blackens_a_picture_is_told(home, described, run, images) -> None:
    view = trained_run(home, run)
    path = view.folder / "inputs" / "project.json"
    path = path if path.is_file() else next(view.folder.rglob("project.json"))
    facts = json.loads(path.read_text())
    facts["recipe"] |= {"low": [500.0], "high": [11000.0]}
    path.write_text(json.dumps(facts))
    found = predict(home, run, [images / "beach" / "00.png"])
    assert "It shows nothing: the recipe's stretch maps all of its values to one colour." in found.problems[0]
