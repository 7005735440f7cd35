"""Every method from the command line."""

from __future__ import annotations

import pandas as pd
import pytest

from avion_core.methods import METHODS, find_method
from tests.methods.tiny_task import SHORT


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_trained(answer, scenes, name: str) -> None:
    words = [word for key, value in SHORT[name].items() for word in ("--set", f"{key}={value}")]
    run = answer("train", "scenes", "--method", name, *words)
    assert (run["state"], run["step"]) == ("finished", run["steps"])
    assert 0 <= run["accuracy"] <= 100
    method = find_method(name)
    assert (run["summary"]["trained_parameters"] > 0) == (method.needs.backward or name == "linear_probe")
    assert (run["summary"].get("training_seconds") is not None) == method.needs.backward


def test_a_trained_baseline_is_evaluated_beside_what_needs_no_training(answer, avion, scenes) -> None:
    words = [word for key, value in SHORT["coop"].items() for word in ("--set", f"{key}={value}")]
    run = answer("train", "scenes", "--method", "coop", *words)
    found = answer("evaluate", "latest")
    rows = pd.DataFrame(found["figures"]).query("metric == 'accuracy'").set_index(["method", "model"])
    assert rows.loc[("coop", "student"), "value"] == run["accuracy"]
    assert rows.loc[("coop", "student"), "parameters"] == 16 * 64
    assert {("tip_adapter", "student"), ("zero_shot_ensemble", "teacher")} <= set(rows.index)
    assert not {"avion", "vpt_deep", "rs_transclip"} & set(rows.index.get_level_values("method"))
    assert "CoOp" in avion("evaluate", "latest").stdout
    refused = avion("train", "scenes", "--method", "coop", "--set", "options.tokens=0")
    assert (refused.exit_code, "options.tokens cannot be used" in refused.stderr) == (2, True)
