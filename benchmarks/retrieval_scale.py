"""R@K of 5,000 images against 25,000 captions, both ways, from embeddings: seconds and memory.

    python benchmarks/retrieval_scale.py [--quick]

The claim: under 10 s and 1 GB on two cores, libraries included.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch

from avion_core.metrics.retrieval import embedding_recalls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of it, to see that it runs")
    parser.add_argument("--dim", type=int, default=512)
    args = parser.parse_args()
    images, captions = (50, 250) if args.quick else (5_000, 25_000)
    generator = torch.Generator().manual_seed(0)
    owner = torch.arange(captions) // 5
    f = torch.randn(images, args.dim, generator=generator)
    g = f[owner] + 4 * torch.randn(captions, args.dim, generator=generator)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, worked = time.perf_counter(), time.process_time()
    found = embedding_recalls(f, g, owner)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    heads = ["images", "captions", "dimensions", "seconds", "processor seconds", "peak MiB", "of it before", "mR"]
    row = [f"{images:,}", f"{captions:,}", str(args.dim), f"{seconds:.1f}", f"{worked:.1f}"]
    row += [f"{peak:,.0f}", f"{before:,.0f}", f"{found['mr']:.1f}"]
    for cells in (heads, ["---"] * len(heads), row):
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
