"""A task on tiny towers and a tiny project, for tests of methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from avion_core.backbones.load import WeightStore
from avion_core.config import RunConfig
from avion_core.data.project import ProjectData
from avion_core.features.store import FeatureStore
from avion_core.methods import METHODS, find_method
from avion_core.methods.bench import Bench
from avion_core.methods.method import Task

NAMES = {"beach": "beach", "forest": "forest", "golfcourse": "golf course"}
_STEPS = {"options.batch_size": 4, "options.precision": "float32"}
SHORT: dict[str, dict[str, Any]] = {
    name: _STEPS | {"options.epochs": 3} if find_method(name).needs.backward else {} for name in METHODS
} | {"avion": {"distillation.epochs": 1}, "clip_lora": _STEPS | {"options.iterations": 3}}
"""Settings under which a method is trained in a few steps."""


def make_bench(config: RunConfig, folder: Path) -> Bench:
    return Bench(config, features=FeatureStore(folder / "features"), weights=WeightStore(folder / "w"))


def make_task(
    project: ProjectData,
    config: RunConfig,
    folder: Path,
    run: str,
    should_stop: Callable[[], bool] = lambda: False,
) -> Task:
    """A task whose run keeps its files in a folder of its own."""
    (folder / run).mkdir(exist_ok=True)
    bench = make_bench(config, folder)
    return Task(project, list(NAMES), config, bench, folder / run, should_stop=should_stop)
