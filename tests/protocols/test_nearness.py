"""How near validation images lie to the shots: figures by hand, and what is said of them."""

from __future__ import annotations

from math import cos, sin
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from avion_core.protocols.nearness import FAR_ACCURACY, FARTHER_TEST_SHARE, with_nearness
from avion_core.protocols.report import FIGURES, MeasuredPart, Report
from avion_core.usecases.insight.trust import trust_in_validation


def report_of(validation: list[str], right: list[bool]) -> Report:
    predictions = pd.DataFrame(
        {
            "method": method, "model": "student", "part": "all", "image_id": image, "class_key": "a",
            "predicted": "a" if hit or method == "zero_shot" else "b", "probability": 0.9, "true_probability": 0.5,
        }
        for method in ("avion", "zero_shot")
        for image, hit in zip(validation, right, strict=True)
    )  # fmt: skip
    own: list[Any] = ["avion", "student", "all", "accuracy", 50.0, 20.0, 80.0, "Wilson", len(right), 1.5, 10]
    figures = pd.DataFrame([own], columns=list(FIGURES))
    part = MeasuredPart("all", "", "project", ["a", "b"], True)
    return Report(figures, predictions, "avion", "student", "few_shot", "validation", 1, 1, [part], {})


def nearness_of(validation: dict[str, float], test: dict[str, float], right: list[bool], shots: bool = True) -> Report:
    """Images lie on a circle, by their angle in radians from the one shot."""
    angles = {"shot": 0.0, **validation, **test}
    project = object()

    def see(_towers: object, _project: object, ids: list[str]) -> torch.Tensor:
        return torch.tensor([[cos(angles[image]), sin(angles[image])] for image in ids])

    def images(_config: object, split: str) -> SimpleNamespace:
        return SimpleNamespace(image_ids=list(validation if split == "validation" else test))

    bench = SimpleNamespace(towers=lambda _: None, see=see)
    taught = SimpleNamespace(image_ids=["shot"] if shots else [])
    task: Any = SimpleNamespace(shots=taught, config=None, bench=bench, project=project)
    part: Any = SimpleNamespace(name="all", trained=True, project=project, images=images)
    return with_nearness(report_of(list(validation), right), task, [part])


def test_the_far_half_and_the_farther_test_images():
    validation = {"v1": 0.1, "v2": 0.2, "v3": 0.6, "v4": 0.9}
    test = {f"t{number}": 0.05 * number for number in range(1, 21)}
    report = nearness_of(validation, test, [True, True, True, False])
    assert report.value("all", FAR_ACCURACY) == 50  # v3 right, v4 wrong
    assert report.value("all", FAR_ACCURACY, "zero_shot", "student") == 100
    # The median cosine of the validation images is that between 0.2 and 0.6: about 0.446 radians.
    share = report.figure("all", FARTHER_TEST_SHARE)
    assert share is not None
    assert (share["value"], share["n"]) == (100 * sum(angle > 0.446 for angle in test.values()) / 20, 20)
    reach = 196 * (0.25 / 20 + 0.25 / 4) ** 0.5
    assert (share["low"], share["high"]) == pytest.approx((share["value"] - reach, 100))
    assert report.value("all", "accuracy") == 50


def test_what_is_said_of_near_validation_images():
    validation = {f"v{number}": 0.1 + 0.01 * number for number in range(8)}
    far = {f"t{number}": 0.8 + 0.001 * number for number in range(300)}
    (said,) = trust_in_validation(nearness_of(validation, far, [True] * 4 + [True, False] * 2))
    assert said.startswith("100 % of the sealed test images lie farther from every training shot")
    assert "so the validation figure promises too much for images of other places." in said
    assert said.endswith("farthest from the shots: 50.0 % (4 images, 15 to 85).")


def test_what_is_said_of_a_fair_split_and_of_an_old_report():
    validation = {f"v{number}": 0.1 + 0.1 * number for number in range(8)}
    test = {f"t{number}": 0.1 + 0.007 * number for number in range(100)}
    (said,) = trust_in_validation(nearness_of(validation, test, [True] * 8))
    assert "50 % would be even), so nothing speaks against the validation figure." in said
    assert trust_in_validation(report_of(["v"], [True])) == []


def test_without_shots_or_test_images_there_is_nothing_to_compare_with():
    assert list(nearness_of({"v": 0.1}, {"t": 0.2}, [True], shots=False).figures["metric"]) == ["accuracy"]
    (said,) = trust_in_validation(nearness_of({"v": 0.1, "w": 0.2}, {}, [True, True]))
    assert said.startswith("On the half of the validation images")
