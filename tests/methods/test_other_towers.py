"""Every method on students of every published form, with a teacher of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from avion_core.backbones import load
from avion_core.backbones.entries import ENTRIES
from avion_core.data.project import ProjectData
from avion_core.errors import ConfigError
from avion_core.methods import METHODS, find_method
from avion_core.methods.method import Method
from avion_core.presets import make_config
from tests.clip_forms import make_towers
from tests.methods.tiny_task import NAMES, SHORT, make_bench, make_task

STUDENTS = {
    "siglip": "git-rsclip-base",
    "pe": "pe-core-t-16-384",
    "mobileclip2": "mobileclip2-s0",
    "long": "farslip-vit-b-16",
}
"""Form -> a model of the catalog that has it."""
TEACHER = "git-rsclip-large"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The catalog's models, with small towers of their forms."""
    forms = {name: form for form, name in STUDENTS.items()} | {TEACHER: "siglip"}

    def build(entry: Any, path: Path, **_: Any) -> Any:
        towers = make_towers(forms[entry.name], tmp_path_factory.getbasetemp(), seed=int(entry.name == TEACHER))
        towers.name = entry.name
        return towers

    monkeypatch.setattr(load, "build_towers", build)
    monkeypatch.setattr(load.WeightStore, "path", lambda *_: Path("tiny"))


def fitted(project: ProjectData, folder: Path, name: str, form: str, **more: Any) -> Method:
    shared = {
        "method": name,
        "data.shots": 2,
        "distillation.precision": "float32",
        "model.template": "a satellite photo of {}.",
    }
    prompts = {"model.visual_prompts": 2 if ENTRIES[STUDENTS[form]].visual_prompts else 0, "model.text_prompts": 2}
    models = {"teacher": TEACHER, "student": STUDENTS[form]}
    config = make_config(overrides=shared | prompts | SHORT[name] | models | more)
    task = make_task(project, config, folder, "run")
    task.bench.refuse_prompts(find_method(name).step_size(config, 1).image_tokens)
    method = find_method(name)(task.bench, config.options)
    for _ in method.fit(task):
        pass
    return method


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("form", STUDENTS)
def test_a_method_learns_and_loads_again(project: ProjectData, tmp_path: Path, name: str, form: str) -> None:
    config = make_config(overrides={"method": name, "student": STUDENTS[form]})
    seen = find_method(name).step_size(config, 1).image_tokens
    if form == "mobileclip2" and seen and name != "avion":
        with pytest.raises(ConfigError, match="convolutional and takes no prompts"):
            fitted(project, tmp_path, name, form)
        return
    unfit = {"clip_lora": "attention of CLIP's own vision transformer", "applenet": "reads the tokens of each layer"}
    if (name == "clip_lora" and form != "long") or (name == "applenet" and form == "mobileclip2"):
        with pytest.raises(ConfigError, match=unfit[name]):
            fitted(project, tmp_path, name, form)
        return
    method = fitted(project, tmp_path, name, form)
    images = list(project.manifest["image_id"][:5])
    logits = method.logits(project, images, list(NAMES))
    assert logits.shape == (5, 3)
    assert logits.isfinite().all()
    if find_method(name).needs.backward:
        again = find_method(name)(make_bench(method.bench.config, tmp_path), method.bench.config.options)
        again.load(tmp_path / "run")
        torch.testing.assert_close(again.logits(project, images, list(NAMES)), logits, atol=1e-4, rtol=1e-4)


def test_more_context_than_a_tower_reads_is_refused(project: ProjectData, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"30 context vectors leave no room for a class name in the 32 tokens"):
        fitted(project, tmp_path, "coop", "pe", **{"options.tokens": 30})


@pytest.mark.parametrize("name", ["avion", "prompt_kd", "class_mean"])
def test_an_ensemble_teaches(project: ProjectData, tmp_path: Path, name: str) -> None:
    both = f"{TEACHER}+{STUDENTS['long']}"
    method = fitted(project, tmp_path, name, "pe", teacher=both)
    images = list(project.manifest["image_id"][:5])
    assert method.logits(project, images, list(NAMES)).isfinite().all()
    assert method.bench.towers("teacher").dim == 32 + 24
