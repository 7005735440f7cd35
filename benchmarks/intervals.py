"""What the intervals of an evaluation cost: images drawn, as the bootstrap is told, and cells of the confusion matrix.

    python -m benchmarks.intervals [--images 525 5000] [--classes 21 45] [--repeats 5] [--quick]

Macro accuracy and macro F1 of made-up answers (70 % right), 1,000 draws each. "images" draws the images again and
counts them anew for each draw; "cells" is `metrics.bootstrap.macro_intervals`, of the same distribution. Processor
time of one thread, median of the repeats; an evaluation has such a pair of intervals for each of about 15 methods.
--quick takes 60 images of 3 classes and two repeats.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from avion_core.metrics.accuracy import confusion, macro_accuracy, macro_f1
from avion_core.metrics.bootstrap import DRAWS, macro_intervals


def by_images(said: torch.Tensor, labels: torch.Tensor, classes: int) -> list[np.ndarray]:
    """The tails of both figures, each draw counted anew."""
    draw = np.random.default_rng(0)
    drawn = [torch.from_numpy(draw.integers(len(said), size=len(said))) for _ in range(DRAWS)]
    matrices = [confusion(said[chosen], labels[chosen], classes) for chosen in drawn]
    return [
        np.percentile([figure(matrix) for matrix in matrices], [2.5, 97.5]) for figure in (macro_accuracy, macro_f1)
    ]


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """The median of so many calls, by the processor's clock."""
    taken: list[float] = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - began))
    return median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[525, 5000])
    parser.add_argument("--classes", type=int, nargs="+", default=[21, 45])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    sizes = [(60, 3)] if asked.quick else list(zip(asked.images, asked.classes, strict=True))
    repeats = 2 if asked.quick else asked.repeats
    torch.set_num_threads(1)
    print(f"{'images':>7} {'classes':>8} {'images drawn':>13} {'cells drawn':>12} {'ratio':>6}")
    for images, classes in sizes:
        draw = np.random.default_rng(1)
        labels = draw.integers(classes, size=images)
        answers = np.where(draw.random(images) < 0.7, labels, draw.integers(classes, size=images))
        said, true = torch.from_numpy(answers), torch.from_numpy(labels)
        matrix = confusion(said, true, classes)
        slow = milliseconds(lambda said=said, true=true, classes=classes: by_images(said, true, classes), repeats)
        fast = milliseconds(lambda matrix=matrix: macro_intervals(matrix), repeats)
        print(f"{images:>7,} {classes:>8} {slow:>10.0f} ms {fast:>9.1f} ms {slow / fast:>6.0f}")


if __name__ == "__main__":
    main()
