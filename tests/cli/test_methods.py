"""Every method from the command line: trained, evaluated on its classes and on novel ones, and named in the answer."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from avion_core.methods import METHODS, find_method
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.projects import create_project
from tests import tiny_studio

SHORT = ("options.epochs=1", "options.batch_size=4", "options.precision=float32")
EXTRA: dict[str, tuple[str, ...]] = {
    "avion": ("distillation.epochs=1",),
    "clip_lora": ("options.iterations=2", "options.batch_size=4", "options.precision=float32"),
}


@pytest.fixture
def four(scenes, tmp_path) -> Any:
    """A project with two novel classes."""
    images = tiny_studio.make_images(tmp_path / "four", classes=tiny_studio.FOUR_CLASSES)
    create_project(scenes, "four", images, defaults=tiny_studio.DEFAULTS)
    texts = tiny_studio.make_descriptions(tmp_path / "four.json", tiny_studio.FOUR_CLASSES)
    import_descriptions(scenes, "four", texts)
    return scenes


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_trained_and_measured_on_base_and_novel_classes(answer, four, name: str) -> None:
    method = find_method(name)
    settings = EXTRA.get(name, SHORT if method.needs.backward else ())
    words = [word for setting in settings for word in ("--set", setting)]
    run = answer("train", "four", "--method", name, "--protocol", "base-to-novel", *words)
    assert run["state"] == "finished"
    assert (run["summary"]["trained_parameters"] > 0) == (method.needs.backward or name == "linear_probe")
    assert (run["summary"].get("training_seconds") is not None) == method.needs.backward
    found = answer("evaluate", "latest", "--split", "test")
    rows = pd.DataFrame(found["figures"]).query("metric == 'accuracy' and model == 'student'").set_index("method")
    measured = set(rows.loc[[name], "part"])
    assert measured == ({"base", "novel"} if method.any_classes else {"base"})
    if method.any_classes:
        assert 0 <= found["harmonic_mean"] <= 100
