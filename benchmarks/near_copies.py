"""How long it takes to find near-copies among many pictures, and which forms of a picture are found.

    python benchmarks/near_copies.py [--quick]

Pictures are made: ground of its own for each, and one in ten of them is there again as a turned JPEG of half the size.
Time to read and decode files is not in it.
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from avion_core.data.near_copies import glimpse, near_copies
from tests.scenes import scene


def main() -> None:
    sizes = (300,) if "--quick" in sys.argv else (3_000, 30_000)
    print("pictures  copies  found  others taken for copies  glimpse, ms each  compare, s")
    for size in sizes:
        began = time.perf_counter()
        seen, copied, glimpsing = [], [], 0.0
        for number in range(size):
            picture = scene(number, (96, 96))
            forms = [picture, _copy(picture, number)] if number % 10 == 0 else [picture]
            began = time.perf_counter()
            seen += [glimpse(form) for form in forms]
            glimpsing += time.perf_counter() - began
            copied += [[len(seen) - 2, len(seen) - 1]] if len(forms) == 2 else []
        began = time.perf_counter()
        found = near_copies(seen)
        took = time.perf_counter() - began
        right = sum(together in copied for together in found)
        each = 1000 * glimpsing / len(seen)
        print(f"{len(seen):8,}  {len(copied):6,}  {right:5,}  {len(found) - right:23,}  {each:16.2f}  {took:10.1f}")


def _copy(picture: Image.Image, number: int) -> Image.Image:
    buffer = io.BytesIO()
    half = picture.resize((48, 48), Image.Resampling.LANCZOS)
    half.transpose(Image.Transpose(number // 10 % 7)).save(buffer, "JPEG", quality=75)
    return Image.open(buffer).convert("RGB")


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
