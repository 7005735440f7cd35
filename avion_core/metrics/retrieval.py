"""Retrieval with ties judged fairly: R@K is the expected hit under random tie breaking (docs/method.md section 7)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from avion_core.errors import DataError

RANKS = (1, 5, 10)
RECALLS = tuple(f"{way}_r{k}" for way in ("i2t", "t2i") for k in RANKS)
"""Names of the six recalls: image to text, then text to image."""
_CELLS = 2**23
"""Scores held at once: 32 MiB of them, and about as much again for comparing."""


@dataclass(frozen=True)
class Hits:
    """The chance of each query to find what belongs to it, under random tie breaking; columns by RANKS."""

    images: Tensor
    """(I, 3) float64: of each image to have one of its captions among the top K."""
    texts: Tensor
    """(T, 3) float64: of each caption to have its image there."""
    owners: Tensor
    """(T,) the image that each caption belongs to."""

    def recalls(self) -> dict[str, float]:
        """R@1, R@5, R@10 both ways and their mean mR, in percent: i2t_r1, ..., t2i_r10, mr."""
        values = 100.0 * torch.cat([self.images.mean(0), self.texts.mean(0)])
        recalls = dict(zip(RECALLS, values.tolist(), strict=True))
        return recalls | {"mr": sum(recalls.values()) / len(recalls)}


def recall_at(similarity: Tensor, relevant: Tensor, k: int) -> float:
    """Mean over queries, in percent, of the chance that a relevant item is among the top k.

    Args:
        similarity: (Q, G) scores of Q queries against G items. relevant: (Q, G) bool.

    Raises:
        DataError: scores that are not numbers, shapes that differ, or a query without a relevant item.
    """
    relevant = torch.as_tensor(relevant, dtype=torch.bool)
    _check(similarity, relevant, k)
    rows, items = relevant.nonzero(as_tuple=True)
    return 100.0 * _hits(similarity, None, rows, items, [k]).mean().item()


def retrieval_recalls(similarity: Tensor, image_of_text: Tensor) -> dict[str, float]:
    """R@1, R@5, R@10 both ways and their mean mR, in percent, of scores that are at hand.

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


def embedding_recalls(images: Tensor, texts: Tensor, image_of_text: Tensor) -> dict[str, float]:
    """As `retrieval_recalls`, from embeddings; see `embedding_hits`."""
    return embedding_hits(images, texts, image_of_text).recalls()


def embedding_hits(images: Tensor, texts: Tensor, image_of_text: Tensor) -> Hits:
    """What each image and each caption finds, from embeddings: the table of all scores is never held.

    An image counts as found when any of its captions is in the top K; a caption when its image is. Equal embeddings
    are scored once, so that rounding breaks no tie between them.

    Args:
        images: (I, D), texts: (T, D), scored by their dot product.
        image_of_text: (T,) the image that each caption belongs to.

    Raises:
        DataError: embeddings that are not numbers or do not fit together, or an image without a caption.
    """
    owner = torch.as_tensor(image_of_text, dtype=torch.long)
    _check_embeddings(images, texts, owner)
    images, texts = images.float().cpu(), texts.float().cpu()
    captions = torch.arange(len(texts))
    found = _found(images, texts, owner, captions), _found(texts, images, captions, owner)
    return Hits(*found, owner)


def _found(queries: Tensor, gallery: Tensor, query: Tensor, item: Tensor) -> Tensor:
    """(Q, 3) by RANKS: see `_hits`. query, item: (P,) pairs that belong together, a pair at least for each query."""
    same_queries, query_as = _distinct(queries)
    items, item_as = _distinct(gallery)
    copies = torch.bincount(item_as, minlength=len(items))
    order = query.argsort(stable=True)
    query, item = query[order], item_as[item[order]]
    found: list[Tensor] = []
    size = max(1, _CELLS // len(items))
    for start in range(0, len(queries), size):
        stop = min(start + size, len(queries))
        # Equal queries get equal scores, whatever block they are in: the block scores each distinct one once.
        wanted, places = query_as[start:stop].unique(return_inverse=True)
        scores = (
            (same_queries[wanted] @ items.T)[places]
            if len(wanted) < stop - start
            else (same_queries[query_as[start:stop]] @ items.T)
        )
        low, high = torch.searchsorted(query, torch.tensor([start, stop])).tolist()
        found.append(_hits(scores, copies, query[low:high] - start, item[low:high], RANKS))
    return torch.cat(found)


def _hits(scores: Tensor, copies: Tensor | None, rows: Tensor, items: Tensor, ks: Sequence[int]) -> Tensor:
    """The chance of each query to have a relevant item among its top k: (Q, len(ks)) float64.

    Let the best relevant item have `above` items strictly above it and tie with `tied` items, itself included, of
    which `good` are relevant. The k places leave m = k - above for the tied group, so

        P(hit) = 0 if m <= 0;  1 - C(tied - good, m) / C(tied, m) otherwise (1 when m >= tied)

    Args:
        scores: (Q, G). copies: (G,) how often each item is there; None for once.
        rows, items: (P,) relevant pairs; of an item that is there several times, as many as are relevant.
    """
    own = scores[rows, items]  # (P,)
    best = torch.full((len(scores),), -torch.inf, dtype=scores.dtype, device=scores.device)
    best.scatter_reduce_(0, rows, own, "amax")
    above, tied = (_count(compared, copies) for compared in (scores > best[:, None], scores == best[:, None]))
    good = torch.zeros(len(scores), dtype=torch.float64, device=scores.device)
    good.index_add_(0, rows, (own == best[rows]).double())
    found = []
    for k in ks:
        miss = torch.ones_like(tied)
        for place in range(k):  # C(tied - good, m) / C(tied, m), one factor a place
            factor = ((tied - good - place) / (tied - place).clamp(min=1)).clamp(min=0)
            miss = torch.where(place < k - above, miss * factor, miss)
        found.append(1 - miss)
    return torch.stack(found, dim=1)


def _count(holds: Tensor, copies: Tensor | None) -> Tensor:
    """(Q,) float64: of how many items something holds; holds (Q, G)."""
    if copies is None or bool((copies == 1).all()):
        return holds.sum(1).double()
    return (holds.double() @ copies.double()).double()


def _distinct(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The different rows, and for each row which of them it is."""
    whole = np.ascontiguousarray(rows.numpy() + 0.0)  # -0.0 is 0.0
    keys = whole.view(np.dtype((np.void, whole.dtype.itemsize * whole.shape[1]))).ravel()
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return rows[torch.from_numpy(first)], torch.from_numpy(place.ravel())


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


def _check_embeddings(images: Tensor, texts: Tensor, owner: Tensor) -> None:
    fits = images.ndim == texts.ndim == 2 and images.shape[1] == texts.shape[1] and owner.shape == texts.shape[:1]
    if not fits or 0 in images.shape or 0 in texts.shape:
        raise DataError(
            "images, captions and their pairs do not fit together",
            "Give (I, D) and (T, D) embeddings, and the image of each caption.",
            value=f"{tuple(images.shape)}, {tuple(texts.shape)} and {tuple(owner.shape)}",
        )
    if not (torch.isfinite(images).all() and torch.isfinite(texts).all()):
        raise DataError("an embedding is not a number", "Compute the embeddings again.")
    if int(owner.min()) < 0 or int(owner.max()) >= len(images):
        raise DataError(
            "a caption belongs to no image", f"Places go from 0 to {len(images) - 1}.", value=owner.tolist()[:9]
        )
    lonely = (torch.bincount(owner, minlength=len(images)) == 0).nonzero()
    if len(lonely):
        raise DataError("an image has no caption", "Leave it out, or give it one.", value=f"image {int(lonely[0])}")
