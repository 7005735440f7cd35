"""Suggestions for class names that no class of a project has."""

from __future__ import annotations

import pytest

from avion_core.data.class_matching import suggested_classes
from avion_core.data.class_names import prompt_names

EUROSAT = ("AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "PermanentCrop")
NAMES = prompt_names((*EUROSAT, "Residential", "River", "SeaLake"))


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Annual Crop Land", "AnnualCrop"),
        ("Permanent Crop Land", "PermanentCrop"),
        ("Herbaceous Vegetation Land", "HerbaceousVegetation"),
        ("Highway or Road", "Highway"),
        ("Industrial Buildings", "Industrial"),
        ("Forrest", "Forest"),
        ("rivers", "River"),
    ],
)
def test_names_that_share_words_or_letters_are_suggested(written: str, key: str) -> None:
    assert suggested_classes([written], NAMES) == {written: key}


@pytest.mark.parametrize("written", ["Ocean", "airport", "railway", "", "??"])
def test_what_is_like_no_class_gets_no_suggestion(written: str) -> None:
    assert suggested_classes([written], NAMES) == {written: ""}


def test_a_project_without_classes_suggests_nothing() -> None:
    assert suggested_classes(["Forest"], {}) == {"Forest": ""}


def test_the_prompt_name_counts_as_well_as_the_key() -> None:
    assert suggested_classes(["evergreen woods"], {"F": "evergreen wood", "B": "beach"}) == {"evergreen woods": "F"}
