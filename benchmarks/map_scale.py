"""A map of 100,000 points: what its views weigh and how long the server works on them.

    python -m benchmarks.map_scale [--layout] [--quick]

For 1,000, 20,000 and 100,000 points, of one view: its figure in megabytes as the app sends it, the same with every
point's text in customdata, and the seconds to build and write it, without a selection and with all points picked.
With --layout also the seconds of UMAP and of trustworthiness on 512 dimensions (one process, the first includes
compiling). --quick takes 1,000 points alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.components.maps.map_charts import Legend, map_view
from app.kit.palette import CATEGORICAL, SYMBOLS
from avion_core.maps.layout import project, unit_rows
from avion_core.maps.neighbours import trust
from avion_core.maps.settings import map_settings

COUNTS, LAYOUT_COUNTS = (1_000, 20_000, 100_000), (1_000, 10_000, 30_000)
TEXT = "Aerial view of a dense residential area with rows of houses along curved streets and small gardens."
LEGEND = Legend([f"class {k}" for k in range(64)], list(CATEGORICAL) * 8, [s for s in SYMBOLS for _ in CATEGORICAL])


def view(count: int) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    kinds = np.where(np.arange(count) < 0.9 * count, "image", "description")
    return pd.DataFrame(
        {
            "row": np.arange(count),
            "kind": kinds,
            "kept": pd.array([None] * count, dtype="boolean"),
            "x": draw.normal(size=count),
            "y": draw.normal(size=count),
            "code": draw.integers(0, 64, count),
            "name": [f"class {number % 64}" for number in range(count)],
        }
    )


def chart_sizes(counts: Sequence[int]) -> None:
    print(f"{'points':>8} {'MB':>6} {'s':>6} {'all picked MB':>14} {'s':>6} {'texts in customdata MB':>23}")
    everything = ([-4, 4], [-4, 4])
    for count in counts:
        points = view(count)
        row = [f"{count:>8,}"]
        for picked, width in ((np.array([], int), 6), (np.arange(count), 14)):
            began = time.perf_counter()
            size = len(map_view(points, LEGEND, picked, everything).to_json()) / 1e6
            row.append(f"{size:>{width}.2f} {time.perf_counter() - began:>6.2f}")
        heavy = map_view(points, LEGEND, np.array([], int), everything)
        for trace in heavy.data:
            trace["customdata"] = [[int(number), TEXT] for number in trace["customdata"]]
        row.append(f"{len(heavy.to_json()) / 1e6:>23.2f}")
        print(" ".join(row), flush=True)


def layout_seconds(counts: Sequence[int]) -> None:
    print(f"\n{'points':>8} {'UMAP s':>8} {'trust s':>8} {'trust':>6} {'of':>6}")
    draw = np.random.default_rng(0)
    for count in counts:
        points = unit_rows(draw.normal(size=(45, 512))[np.arange(count) % 45] + 0.7 * draw.normal(size=(count, 512)))
        began = time.perf_counter()
        places = project(points, map_settings())
        laid_out = time.perf_counter()
        figure, of = trust(points, places)
        done = time.perf_counter()
        print(f"{count:>8,} {laid_out - began:>8.1f} {done - laid_out:>8.1f} {figure:>6.3f} {of:>6,}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", action="store_true", help="time the layouts as well: minutes")
    parser.add_argument("--quick", action="store_true", help="1,000 points alone")
    arguments = parser.parse_args()
    chart_sizes(COUNTS[:1] if arguments.quick else COUNTS)
    if arguments.layout:
        layout_seconds(LAYOUT_COUNTS[:1] if arguments.quick else LAYOUT_COUNTS)
