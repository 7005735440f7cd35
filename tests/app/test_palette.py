"""Classes can be told apart: by colour as people see it, by colour and shape, on a light and on a dark page."""

from __future__ import annotations

import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from app.components.labelling.label_grid import class_keys
from app.components.maps import map_colours
from app.kit import palette
from avion_core.usecases.projects.summaries import ClassInfo

LEAST_DIFFERENCE = 16.0
"""In CIEDE2000; 2.3 is just noticeable side by side, and a marker is small and alone."""
LEAST_CONTRAST = 2.2
ROOT = Path(__file__).parents[2]

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.119192, 0.9503041]]
)


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(colour: str) -> tuple[float, float, float]:
    """CIELAB under D65."""
    x, y, z = _TO_XYZ @ linear(colour) / (0.95047, 1.0, 1.08883)
    fx, fy, fz = (np.cbrt(t) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def ciede2000(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """The difference of two CIELAB colours (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    c1, c2 = np.hypot((1 + g) * a1, b1), np.hypot((1 + g) * a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, (1 + g) * a1)) % 360, np.degrees(np.arctan2(b2, (1 + g) * a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    t = sum(
        weight * np.cos(np.radians(times * hm + shift))
        for weight, times, shift in ((1, 0, 0), (-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.2, 4, -63))
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / np.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rt = -np.sin(np.radians(60 * np.exp(-(((hm - 275) / 25) ** 2)))) * 2 * np.sqrt(cm**7 / (cm**7 + 25.0**7))
    return float(np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * dc / sc * dh / sh))


def contrast(one: str, other: str) -> float:
    """As WCAG has it."""
    light, dark = sorted((float(_TO_XYZ[1] @ linear(colour)) for colour in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_difference_is_that_of_the_published_pairs(one, other, difference) -> None:
    assert ciede2000(one, other) == pytest.approx(difference, abs=1e-4)


def test_any_two_colours_differ_enough_and_none_is_that_of_no_class() -> None:
    assert len(palette.CLASSES) >= 21
    shades = {colour: lab(colour) for colour in (*palette.CLASSES, palette.NEUTRAL)}
    pairs = {pair: ciede2000(shades[pair[0]], shades[pair[1]]) for pair in combinations(shades, 2)}
    near = {pair: round(value, 1) for pair, value in pairs.items() if value < LEAST_DIFFERENCE}
    assert not near


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_can_be_seen_on_both_themes(theme: str) -> None:
    page = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][theme]["backgroundColor"]
    faint = {colour: contrast(colour, page) for colour in palette.CLASSES}
    assert {colour: round(value, 2) for colour, value in faint.items() if value < LEAST_CONTRAST} == {}


def test_sixty_four_names_differ_in_colour_or_shape() -> None:
    names = [f"class {number:02d}" for number in range(64)]
    colour, shape = palette.colours(names), palette.symbols(names)
    assert len({(colour[name], shape[name]) for name in names}) == 64
    assert len(set(palette.colours(names[:21]).values())) == 21


def test_a_class_has_one_colour_on_the_map_the_label_page_and_its_card() -> None:
    classes = [ClassInfo(f"c{number}", f"class {number:02d}", 1, 1, 0, 0) for number in range(21)]
    names = [entry.prompt_name for entry in classes]
    card = palette.class_colours(classes)
    grid = {entry["key"]: entry["colour"] for entry in class_keys(classes)}
    drawn = map_colours.legend("class", names[::-1], classes)
    on_map = dict(zip(drawn.values, drawn.colours, strict=True))
    assert grid == card == {entry.key: on_map[entry.prompt_name] for entry in classes}
    assert len(set(card.values())) == 21
