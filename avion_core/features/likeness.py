"""Neighbours told by a teacher's features, where neither names nor places tell them (docs/method.md section 7)."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering
from sklearn.neighbors import NearestNeighbors, kneighbors_graph

IN_A_SET = 8
"""Images of a set, on the mean: a class of 25 then has three sets, one of which can be held out."""
_EXACT = 4000  # images up to which all are compared with all: 64 MB of distances
_LINKED = 15  # beyond, only sets that a nearest neighbour links are joined


def alike(
    features: NDArray[np.float32], labels: Sequence[str], sides: Sequence[str], names: Sequence[str]
) -> list[str]:
    """The set of neighbours that each image is in, by name.

    The labelled images of a class (on one side of a given split) are joined by Ward's criterion, nearest first, until
    there are as many sets as one of eight images each makes. An image without a label goes with the labelled image that
    it is nearest to; where none has a label, all are taken as one class. The order of images changes nothing but the
    last bits of sums.

    Args:
        features: (N, D), of unit norm. labels: "" for none. sides: of a given split, "" for none.
        names: of each image; a set is named by the least of its own.
    """
    order = sorted(range(len(names)), key=lambda place: names[place])
    found = [""] * len(names)
    labelled = [place for place in order if labels[place]]
    for key in sorted({(labels[place], sides[place]) for place in labelled or order}):
        of_class = [place for place in labelled or order if (labels[place], sides[place]) == key]
        for place, number in zip(of_class, _sets(features[of_class]), strict=True):
            found[place] = str(number)
        first: dict[str, str] = {}
        for place in of_class:
            found[place] = first.setdefault(found[place], f"like {names[place]}")
    rest = [place for place in order if not found[place]]
    if rest:
        nearest = NearestNeighbors(n_neighbors=1).fit(features[labelled])
        for place, (near,) in zip(rest, nearest.kneighbors(features[rest], return_distance=False), strict=True):
            found[place] = found[labelled[near]]
    return found


def _sets(features: NDArray[np.float32]) -> NDArray[np.intp]:
    """The number of the set of each of N features (N, D)."""
    count = max(2, round(len(features) / IN_A_SET))
    if len(features) <= count:
        return np.arange(len(features))
    linked = kneighbors_graph(features, _LINKED) if len(features) > _EXACT else None
    return AgglomerativeClustering(count, linkage="ward", connectivity=linked).fit_predict(features)
