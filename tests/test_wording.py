from __future__ import annotations

import pytest

from avion_core.wording import counted


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((1, "image"), "1 image"),
        ((0, "image"), "0 images"),
        ((1045, "image"), "1,045 images"),
        ((2, "class", "classes"), "2 classes"),
        ((1, "run waits", "runs wait"), "1 run waits"),
    ],
)
def test_a_number_with_its_noun(words: tuple, sentence: str) -> None:
    assert counted(*words) == sentence
