"""Base-to-novel with every method: what it says of classes that it was not trained on, and that it saw none of them."""

# pyright: reportOperatorIssue=false
from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from avion_core.data.drawing import make_splits
from avion_core.data.project import ProjectData
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import scan_folder
from avion_core.data.sources import ImageFolder
from avion_core.experiment import Finished, Stage, run_experiment
from avion_core.methods import METHODS, bench, find_method
from avion_core.methods.step_trained import StepTrained
from avion_core.presets import make_config
from avion_core.protocols.report import OVERALL
from tests import tiny_studio
from tests.methods.tiny_task import NAMES, SHORT, make_bench


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> ProjectData:
    names = NAMES | {"river": "river"}
    root = tiny_studio.make_images(tmp_path_factory.mktemp("four") / "scenes", classes=tuple(names))
    manifest = scan_folder(root).manifest
    rows = [
        {"description_id": f"{key}-{i}", "class_key": key, "text": text.format(name)}
        | {"verdict": "undecided", "writer": "w"}
        for key, name in names.items()
        for i, text in enumerate(tiny_studio.TEXTS)
    ]
    source = ImageFolder(root, dict(zip(manifest["image_id"], manifest["path"], strict=True)))
    splits = make_splits(manifest, dataset="tiny")
    return ProjectData("tiny", source, manifest, splits, RenderingRecipe(), names, pd.DataFrame(rows))


@pytest.mark.parametrize("name", METHODS)
def test_base_and_novel(four: ProjectData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)
    seen: set[str] = set()
    for owner, attribute in ((bench, "image_features"), (bench, "prepare_images")):
        real = getattr(owner, attribute)

        def spy(towers, images, *rest, real=real, **more):
            seen.update(path.parent.name for path in images.files)
            return real(towers, images, *rest, **more)

        monkeypatch.setattr(owner, attribute, spy)
    wanted = {"method": name, "protocol.name": "base-to-novel"} | SHORT[name]
    config = make_config(overrides=wanted, base=tiny_studio.DEFAULTS | tiny_studio.TINY)
    stores = make_bench(config, tmp_path)
    method, report = find_method(name), None
    for event in run_experiment(four, config, tmp_path / "run", features=stores.features, weights=stores.weights):
        if event == Stage("measuring on the validation images"):
            assert seen <= {"beach", "forest"}  # what was fitted is fitted
        if isinstance(event, Finished):
            report = event.report
    assert report is not None
    assert report.value("base", "accuracy") is not None
    assert (report.value("novel", "accuracy") is not None) == method.any_classes
    assert (report.value(OVERALL, "harmonic_mean") is not None) == method.any_classes
    among_all = [report.value(part, "accuracy") for part in ("base_among_all", "novel_among_all")]
    assert all((value is not None) == method.any_classes for value in among_all)
    if method.any_classes:
        base, novel = among_all
        mean = 2 * base * novel / (base + novel) if base and novel else 0
        assert report.value(OVERALL, "generalised_harmonic_mean") == pytest.approx(mean)
        among_own = report.value("base", "accuracy"), report.value("novel", "accuracy")
        assert all(a <= b for a, b in zip(among_all, among_own, strict=True))  # more classes can only add mistakes
    if issubclass(method, StepTrained):
        assert method.any_classes
