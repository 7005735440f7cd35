"""Pictures that look like ground: each of its own, with structure of every size."""

from __future__ import annotations

import numpy as np
from PIL import Image


def scene(number: int, size: tuple[int, int] = (120, 96)) -> Image.Image:
    """A picture (width, height) whose frequencies fade as 1 / f, as those of aerial images do."""
    width, height = size
    rng = np.random.default_rng(number)
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    frequencies[0, 0] = np.inf
    grey = np.fft.ifft2(np.fft.fft2(rng.standard_normal((height, width))) / frequencies).real
    colour, tint = rng.integers(60, 190, 3), rng.uniform(0.7, 1.2, 3)
    pixels = colour + (30 * grey / grey.std())[..., None] * tint
    return Image.fromarray(pixels.clip(2, 252).astype(np.uint8))
