"""The teacher before anything is trained: it classifies by what Review shows, and by names where there is no text."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from avion_core.data.project import class_texts
from avion_core.errors import DataError
from avion_core.usecases.curation import curation_table, record_verdict
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.insight.classifiers import fitted_temperature, teacher_classifier
from avion_core.usecases.insight.prediction import Uploads, predict_with_teacher
from avion_core.usecases.insight.teacher_state import teacher_state
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.projects.classes import add_class, rename_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.from_features import create_from_features
from tests import tiny_studio
from tests.usecases.projects.test_from_features import made

pytestmark = pytest.mark.usefixtures("tiny_towers", "float32_on_any_processor")


def by_names(home, project) -> torch.Tensor:
    names = {entry.key: entry.prompt_name for entry in project.classes}
    config = run_config(home, project.id)
    return open_towers(home, project.teacher).encode_text(class_texts(names, list(names), config.model.template)).cpu()


def test_without_a_text_the_names_alone_classify(home, project, images) -> None:
    paths = sorted(images.rglob("*.png"))
    found = predict_with_teacher(home, project.id, paths)
    teacher = open_towers(home, project.teacher)
    f = teacher_classifier(home, project.id)
    assert torch.allclose(f.vectors, by_names(home, project), atol=1e-5)
    assert found.says == "By the teacher, untrained: the names of 3 classes without a usable description."
    keys = list(f.class_names)
    logits = teacher.logit_scale * _embedded(teacher, paths) @ by_names(home, project).T
    expected = (logits / (found.temperature or 1)).softmax(1).numpy()
    assert found.table[[f"p_{key}" for key in keys]].to_numpy() == pytest.approx(expected, abs=1e-4)
    assert found.table["class_key"].tolist() == [keys[place] for place in expected.argmax(1)]
    assert all(near for near in found.nearest)


def test_with_texts_it_classifies_by_the_prototypes_that_review_shows(home, described) -> None:
    shown = curation_table(home, described.id)
    by = teacher_classifier(home, described.id)
    assert list(by.class_names) == list(shown.class_keys)
    assert torch.allclose(by.vectors, shown.vectors, atol=1e-6)
    kept = int(shown.table["kept"].sum())
    assert by.says == f"By the teacher, untrained: {kept} kept descriptions of 3 classes."
    rejected = shown.table.loc[shown.table["kept"], "description_id"].iloc[0]
    record_verdict(home, described.id, rejected, "reject")
    assert not torch.allclose(teacher_classifier(home, described.id).vectors, by.vectors)


def test_a_class_without_an_image_goes_by_its_name(home, described) -> None:
    add_class(home, described.id, "harbour")
    by = teacher_classifier(home, described.id)
    assert list(by.class_names)[-1] == "harbour"
    expected = open_towers(home, described.teacher).encode_text(
        [run_config(home, described.id).model.template.format("harbour")]
    )[0]
    assert torch.allclose(by.vectors[-1], expected.cpu(), atol=1e-5)
    assert by.says.endswith("and the names of 1 class without a usable description.")


def test_without_any_label_there_is_no_neighbour_and_no_temperature(home, images) -> None:
    bare = create_project(home, "bare", images, class_folders=False, defaults=tiny_studio.DEFAULTS)
    with pytest.raises(DataError, match=r"^Classifying needs two or more classes"):
        predict_with_teacher(home, bare.id, [images / "beach" / "00.png"])
    for key in ("beach", "forest"):
        add_class(home, bare.id, key)
    assert fitted_temperature(home, teacher_classifier(home, bare.id)) is None
    content = (images / "beach" / "00.png").read_bytes()
    found = predict_with_teacher(home, bare.id, Uploads([("new.png", content)]))
    assert found.nearest == [[]]
    assert found.temperature is None
    assert set(found.table.columns) >= {"p_beach", "p_forest"}


def test_a_project_of_embeddings_refuses(home, tmp_path) -> None:
    np.savez(tmp_path / "given.npz", **made())
    project = create_from_features(home, "given", tmp_path / "given.npz", defaults={"data": {"shots": 4}})
    with pytest.raises(DataError, match=r"^A project made from embeddings cannot read new pictures"):
        teacher_classifier(home, project.id)


def test_its_state_follows_all_that_it_speaks_from(home, described) -> None:
    states = [teacher_state(home, described.id)]
    assert teacher_state(home, described.id) == states[0]
    text = curation_table(home, described.id).table["description_id"].iloc[0]
    record_verdict(home, described.id, text, "reject")
    states.append(teacher_state(home, described.id))
    rename_class(home, described.id, "beach", "sandy beach")
    states.append(teacher_state(home, described.id))
    add_class(home, described.id, "harbour")
    states.append(teacher_state(home, described.id))
    assert len(set(states)) == len(states)


def _embedded(teacher, paths) -> torch.Tensor:
    from avion_core.data.images import open_image
    from avion_core.data.recipe import RenderingRecipe

    views = [teacher.prepare(open_image(path, RenderingRecipe())) for path in paths]
    return teacher.encode_image(torch.stack(views)).cpu()
