"""Retrieval with ties judged fairly: R@K is the expected hit under random tie breaking (docs/method.md section 7)."""

from __future__ import annotations

import torch
from torch import Tensor

from avion_core.errors import DataError

RANKS = (1, 5, 10)


def recall_at(similarity: Tensor, relevant: Tensor, k: int) -> float:
    """Mean over queries, in percent, of the chance that a relevant item is among the top k.

    Let the best relevant item have `above` items strictly above it and tie with `tied` items, itself included, of
    which `good` are relevant. The k places leave m = k - above for the tied group, so

        P(hit) = 0 if m <= 0;  1 - C(tied - good, m) / C(tied, m) otherwise (1 when m >= tied)

    Args:
        similarity: (Q, G) scores of Q queries against G items. relevant: (Q, G) bool.

    Raises:
        DataError: scores that are not numbers, shapes that differ, or a query without a relevant item.
    """
    relevant = torch.as_tensor(relevant, dtype=torch.bool)
    _check(similarity, relevant, k)
    best = similarity.masked_fill(~relevant, float("-inf")).amax(1, keepdim=True)  # (Q, 1)
    above = (similarity > best).sum(1)  # (Q,)
    tie = similarity == best
    tied, good = tie.sum(1).double(), (tie & relevant).sum(1).double()
    places = k - above
    miss = torch.ones_like(tied)
    for place in range(k):  # C(tied - good, m) / C(tied, m), one factor a place
        factor = ((tied - good - place) / (tied - place).clamp(min=1)).clamp(min=0)
        miss = torch.where(place < places, miss * factor, miss)
    return 100.0 * (1 - miss).mean().item()


def retrieval_recalls(similarity: Tensor, image_of_text: Tensor) -> dict[str, float]:
    """R@1, R@5, R@10 both ways and their mean mR, in percent.

    An image counts as found when any of its captions is in the top K; a caption when its image is.

    Args:
        similarity: (I, T) scores of I images against T captions.
        image_of_text: (T,) the image, as a row of `similarity`, that each caption belongs to.

    Returns:
        i2t_r1, i2t_r5, i2t_r10, t2i_r1, t2i_r5, t2i_r10, mr.
    """
    owner = torch.as_tensor(image_of_text, dtype=torch.long, device=similarity.device)
    relevant = owner[None, :] == torch.arange(len(similarity), device=similarity.device)[:, None]  # (I, T)
    recalls = {f"i2t_r{k}": recall_at(similarity, relevant, k) for k in RANKS}
    recalls |= {f"t2i_r{k}": recall_at(similarity.T, relevant.T, k) for k in RANKS}
    return recalls | {"mr": sum(recalls.values()) / len(recalls)}


def _check(similarity: Tensor, relevant: Tensor, k: int) -> None:
    if similarity.shape != relevant.shape or similarity.ndim != 2 or 0 in similarity.shape:
        raise DataError(
            "similarities and relevance do not fit together",
            "Give two (queries, items) tables of the same size.",
            value=f"{tuple(similarity.shape)} and {tuple(relevant.shape)}",
        )
    if k < 1:
        raise DataError("K is too small", "R@K needs a K of 1 or more.", value=k)
    if not torch.isfinite(similarity).all():
        raise DataError("a similarity is not a number", "Compute the embeddings again.")
    lonely = (~relevant.any(1)).nonzero()
    if len(lonely):
        raise DataError(
            "a query has no relevant item", "Leave it out, or give it a match.", value=f"query {int(lonely[0])}"
        )
