"""The paper's own pair through the command line: ViT-H/14 (1024-d) teaches ViT-B/32 (512-d) from local files.

Checkpoints have random weights in the published files' form. The default test takes towers of the same widths, one
layer deep; `pytest -m slow` takes them at full size (8 GB of files, some minutes).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner

from avion_core.cli.tour import app
from tests import tiny_studio

PAIR = {"georsclip-vit-h-14": "ViT-H-14", "georsclip-vit-b-32": "ViT-B-32-quickgelu"}
real_config = open_clip.get_model_config


def shallow_config(name: str) -> dict[str, Any]:
    config = copy.deepcopy(real_config(name))
    config["vision_cfg"]["layers"] = config["text_cfg"]["layers"] = 1
    return config


def published_form(name: str, folder: Path) -> Path:
    """A checkpoint as it is handed out: the teacher's as training saves one, the student's with its towers apart.

    The latter are the names of GeoRSCLIP's own training code.
    """
    torch.manual_seed(0)
    config = open_clip.get_model_config(PAIR[name])
    weights = open_clip.CLIP(**config).state_dict()
    if name == "georsclip-vit-h-14":
        weights = {"state_dict": {f"module.{key}": value for key, value in weights.items()}, "epoch": 1}
    else:
        weights = {of_georsclip(key): value for key, value in weights.items()}
    path = folder / f"{name}.pt"
    torch.save(weights, path)
    return path


def of_georsclip(name: str) -> str:
    if name.startswith("visual."):
        return name.replace("visual.", "image_backbone.", 1)
    return name if name == "logit_scale" else f"text_backbone.{name}"


def avion(home: Path, *words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words, "--json", "--home", str(home)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    images = tiny_studio.make_images(tmp_path / "scenes")
    texts = tiny_studio.make_descriptions(tmp_path / "texts.json")
    home = tmp_path / "home"
    for name in PAIR:
        file = published_form(name, tmp_path)
        avion(home, "models", "add", name, str(file))
        file.unlink()
    pair = dict(zip(("--teacher", "--student"), PAIR, strict=True))
    avion(home, "projects", "create", "scenes", str(images), *(word for option in pair.items() for word in option))
    avion(home, "descriptions", "import", "scenes", str(texts))
    return home


def train_two_steps(home: Path, projection: str) -> None:
    settings = {
        "distillation.projection": projection,
        "distillation.batch_size": 3,
        "distillation.warmup": 0,
        "data.shots": 2,
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    run = avion(home, "train", "scenes", "--epochs", "1", *words)
    assert run["state"] == "finished"
    assert run["step"] == run["steps"] == 2
    layers = len(open_clip.CLIP(**open_clip.get_model_config("ViT-B-32-quickgelu")).transformer.resblocks)
    prompts = layers * (8 * 768 + 4 * 512)
    assert run["summary"]["trained_parameters"] == prompts + 1 + (512 * 1024 if projection == "linear" else 0)
    with safe_open(Path(run["folder"]) / "adapter.safetensors", framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    assert shapes["visual_prompts"] == (layers, 8, 768)
    assert shapes["text_prompts"] == (layers, 4, 512)
    with safe_open(Path(run["folder"]) / "teacher.safetensors", framework="pt") as file:
        assert file.get_slice("prototypes").get_shape() == [3, 1024]
        if projection == "procrustes":
            assert file.get_slice("projection").get_shape() == [512, 1024]
    figures = avion(home, "evaluate", run["run_id"])
    assert {"accuracy", "macro_accuracy", "zero_shot_accuracy", "class_mean_accuracy"} <= set(figures)


@pytest.mark.parametrize("projection", ["procrustes", "linear"])
def test_the_papers_widths(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, projection: str) -> None:
    monkeypatch.setattr(open_clip, "get_model_config", shallow_config)
    train_two_steps(request.getfixturevalue("home"), projection)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_papers_pair_at_full_size(home: Path) -> None:
    for projection in ("procrustes", "linear"):
        train_two_steps(home, projection)
