"""The paper's figures stand only beside what they can be compared with."""

from __future__ import annotations

import pytest

from avion_core.data.catalog import DATA_SETS
from avion_core.presets import make_config
from avion_core.protocols.published import data_set, published_figures

EUROSAT = DATA_SETS["eurosat"]


def config(shots: int = 16, **overrides):
    return make_config(overrides={"data.shots": shots, **overrides})


@pytest.mark.parametrize("name", ["aid", "resisc45", "eurosat", "whu-rs19", "patternnet", "ucmerced"])
def test_a_whole_data_set_is_known_by_its_classes_and_images(name: str) -> None:
    entry = DATA_SETS[name]
    assert data_set(entry.classes, entry.images) == name
    assert data_set(entry.classes, entry.images - 1) == name  # a file twice in it counts once here
    assert data_set(entry.classes, entry.images // 2) is None
    assert data_set(entry.classes[1:], entry.images) is None


def test_few_shot_figures_and_what_they_are_of() -> None:
    found = published_figures(config(16), EUROSAT.classes, EUROSAT.images).set_index(["method", "model"])
    assert {row: found.loc[row, "value"] for row in found.index} == {
        ("avion", "student"): 93.69,
        ("coop", "student"): 90.24,
        ("cocoop", "student"): 91.41,
        ("zero_shot_ensemble", "student"): 61.40,
        ("zero_shot_ensemble", "teacher"): 67.47,
    }
    assert set(found["part"]) == {"all"}
    assert found.loc[("avion", "student"), "note"] == "average of six data sets"
    assert "105 templates" in str(found.loc[("zero_shot_ensemble", "student"), "note"])
    assert found["source"].str.len().min() > 0
    assert "avion" not in set(published_figures(config(4), EUROSAT.classes, EUROSAT.images)["method"])


def test_base_to_novel_figures() -> None:
    settings = make_config(overrides={"protocol.name": "base-to-novel"})
    found = published_figures(settings, DATA_SETS["aid"].classes, DATA_SETS["aid"].images)
    own = found[found["method"] == "avion"]
    assert dict(zip(own["part"], own["value"], strict=True)) == {"overall": 87.05, "novel": 79.94}
    novel = found[found["part"] == "novel"].set_index("method")["value"]
    assert novel.to_dict() == {"avion": 79.94, "coop": 69.52, "cocoop": 70.69, "applenet": 75.75}


@pytest.mark.parametrize("pair", [{"teacher": "demo-teacher"}, {"student": "demo-student"}])
def test_another_pair_of_models_has_none(pair: dict[str, str]) -> None:
    assert published_figures(config(16, **pair), EUROSAT.classes, EUROSAT.images).empty


def test_another_project_has_none() -> None:
    assert published_figures(config(), ("beach", "forest"), 2100).empty
