"""Two classifiers on the same images: does the difference exceed what chance would do?"""

from __future__ import annotations

from math import comb


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided p-value of McNemar's exact test (McNemar, 1947): are gains and losses equally likely?

    Only images on which the two disagree count: under the null hypothesis the gains are binomial (gained + lost, 1/2).

    Args:
        gained, lost: images that only the second, or only the first, got right.
    """
    disagreed = gained + lost
    tail = sum(comb(disagreed, k) for k in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / 2**disagreed)
