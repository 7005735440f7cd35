"""Checks before a run, its estimate and its command, for every method that there is."""

from __future__ import annotations

import pytest

from avion_core.methods import METHODS, find_method
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.runs import estimate as module
from avion_core.usecases.runs.choices import method_choices
from avion_core.usecases.runs.command_line import cli_command
from avion_core.usecases.runs.estimate import estimate
from avion_core.usecases.runs.preflight import preflight


@pytest.fixture(autouse=True)
def known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_speed", lambda *_: 1e10)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_checked_estimated_and_printed(home, described, name: str) -> None:
    config = run_config(home, described.id, overrides={"method": name})
    assert [check for check in preflight(home, described.id, config) if check.title == "Method"] == []
    found = estimate(home, described.id, config)
    assert found is not None
    method = find_method(name)
    assert found.steps == (method.steps(config, 6) if method.needs.backward else 1)
    assert found.seconds > 0
    own = set(method_choices()[name].settings.model_dump())
    assert own == set(method.Settings.model_fields)
    if name != "avion":
        assert f"--method {name}" in cli_command(home, described.id, config)


def test_methods_that_train_more_take_longer_and_more_memory(home, described) -> None:
    def of(name: str, **options: object):
        wanted = {"method": name} | {f"options.{key}": value for key, value in options.items()}
        found = estimate(home, described.id, run_config(home, described.id, overrides=wanted))
        assert found is not None
        return found

    same = {"epochs": 10, "batch_size": 4}
    coop, cocoop, deep, full = (of(name, **same) for name in ("coop", "cocoop", "vpt_deep", "full_fine_tuning"))
    assert coop.seconds < cocoop.seconds  # every class's text once, or once for each image
    assert coop.seconds < deep.seconds < full.seconds
    cached = of("tip_adapter_f", **same)
    assert cached.seconds < 0.1
    assert full.peak_bytes - cached.peak_bytes > 16 * 151_277_313  # a copy, gradients and two averages
    assert of("prompt_kd", **same).peak_bytes - deep.peak_bytes > 3 * 986_109_441  # the teacher, which VPT does without
