"""Embeddings computed once: decoding runs beside the towers, and what is known already is not computed again."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import torch
from torch import Tensor

from avion_core.backbones.given import GivenTowers
from avion_core.backbones.towers import ImageTower, Towers, resolve_precision
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.sources import Images
from avion_core.errors import CheckpointError
from avion_core.features.shards import FeatureStore, Space, content_key
from avion_core.progress import Progress

__all__ = ["FeatureStore", "image_features", "prepare_images", "text_features"]

_SHARD_SECONDS = 20.0
_TEXTS_A_STEP = 256
_SAMPLED, _ALIKE, _UNIT = 4, 0.8, 1e-3
"""How many rows from elsewhere are computed again, their least cosine (a review pack's pictures are thumbnails of
those that its rows are of), and how near to 1 every norm must be."""
_AHEAD = 2  # batches decoded ahead of the towers


def image_features(
    towers: ImageTower,
    images: Images,
    store: FeatureStore,
    *,
    recipe: RenderingRecipe,
    batch_size: int = 64,
    precision: str = "auto",
    progress: Progress | None = None,
) -> Tensor:
    """Embeddings of images: float32 (N, D) of unit norm, in the order given.

    Only what the store lacks is computed. It is written every 20 seconds and on the way out, whatever the
    reason, so that a run that was stopped goes on where it was. What the images' own source brought along is taken
    for them where a sample of it agrees with the towers, and never becomes part of the store: other projects may have
    the same images.

    Raises:
        DataError: an image that cannot be decoded; names the file.
        CheckpointError: the model gives numbers that are not finite.
    """
    if isinstance(towers, GivenTowers):
        return towers.images(images.ids)
    precision = resolve_precision(precision, towers.device)
    facts = {
        "kind": "image",
        "weights": towers.weights_hash,
        "view": towers.view,
        "recipe": recipe.model_dump_json(),
        "precision": precision,
    }
    space = store.space(towers.dim, **facts)
    different = list(dict.fromkeys(images.ids))
    missing = space.missing(different)
    brought = _brought_along(towers, Images(missing, images.source), facts, recipe)
    missing = [key for key in missing if key not in brought]
    with _Writer(space, len(different), len(different) - len(missing), "image embeddings", progress) as writer:
        views = _decoded(towers, Images(missing, images.source), recipe, ahead=_AHEAD * batch_size)
        for keys in _batches(missing, batch_size):
            pixels = torch.stack(list(islice(views, len(keys))))  # (B, 3, S, S)
            writer.add(keys, towers.encode_image(pixels, precision))
    if not brought:
        return space.read(images.ids)
    kept = [key for key in different if key not in brought]
    rows = brought | dict(zip(kept, space.read(kept), strict=True))
    return torch.stack([rows[key] for key in images.ids])


def _brought_along(
    towers: ImageTower, images: Images, facts: dict[str, str], recipe: RenderingRecipe
) -> dict[str, Tensor]:
    """Rows (D,) of unit norm that the images' source holds of them, by id; none where a sample is of something else."""
    if images.source.embeddings is None or not len(images):
        return {}
    own = FeatureStore(images.source.embeddings).space(towers.dim, **facts)
    lacking = set(own.missing(images.ids))
    keys = [key for key in images.ids if key not in lacking]
    if not keys:
        return {}
    rows = own.read(keys)
    sample = sorted(range(len(keys)), key=lambda place: content_key(keys[place]))[:_SAMPLED]
    views = _decoded(towers, Images([keys[place] for place in sample], images.source), recipe, ahead=_SAMPLED)
    seen = towers.encode_image(torch.stack(list(views)), facts["precision"]).cpu().float()
    alike = (seen * rows[sample]).sum(dim=1)
    sound = bool(((rows.norm(dim=1) - 1).abs() < _UNIT).all() and (alike > _ALIKE).all())  # no NaN passes
    return dict(zip(keys, rows, strict=True)) if sound else {}


def text_features(
    towers: Towers, texts: Sequence[str], store: FeatureStore, progress: Progress | None = None
) -> Tensor:
    """Embeddings of texts: float32 (N, D) of unit norm, in the order given; computed in float32, kept by content.

    A text longer than the towers' context is embedded by its beginning; progress says how many are.

    Raises:
        CheckpointError: the model gives numbers that are not finite.
    """
    if isinstance(towers, GivenTowers):
        return towers.encode_text(texts)
    space = store.space(towers.dim, kind="text", weights=towers.weights_hash)
    keys_of_texts = [content_key(text) for text in texts]
    by_key = dict(zip(keys_of_texts, texts, strict=True))
    missing = space.missing(by_key)
    cut = len(towers.too_long([by_key[key] for key in missing]))
    what = f"text embeddings ({cut} too long for the model, truncated)" if cut else "text embeddings"
    with _Writer(space, len(by_key), len(by_key) - len(missing), what, progress) as writer:
        for keys in _batches(missing, _TEXTS_A_STEP):
            writer.add(keys, towers.encode_text([by_key[key] for key in keys]))
    return space.read(keys_of_texts)


def prepare_images(
    towers: ImageTower,
    images: Images,
    *,
    recipe: RenderingRecipe,
    progress: Progress | None = None,
) -> Tensor:
    """The towers' views of images, for training on them again and again: uint8 (N, 3, S, S), in the order given.

    Raises:
        DataError: an image that cannot be decoded; names the file.
    """
    pixels = torch.empty(len(images), 3, towers.image_size, towers.image_size, dtype=torch.uint8)
    views = _decoded(towers, images, recipe, ahead=64)
    for place, view in enumerate(views):
        pixels[place] = view
        if progress is not None:
            progress(place + 1, len(images), "decoded images")
    return pixels


class _Writer:
    """Gathers rows, writes a shard every 20 seconds and at the end, and tells how far it is."""

    def __init__(self, space: Space, total: int, done: int, what: str, progress: Progress | None) -> None:
        self.space, self.total, self.done, self.what, self.progress = space, total, done, what, progress
        self.keys: list[str] = []
        self.rows: list[Tensor] = []
        self.since = time.monotonic()

    def __enter__(self) -> _Writer:
        self._tell()
        return self

    def __exit__(self, *exception: object) -> None:
        self._write()

    def add(self, keys: Sequence[str], rows: Tensor) -> None:
        if not rows.isfinite().all():
            raise CheckpointError(
                "the model gives numbers that are not finite",
                "Compute in float32, or check the weights.",
                value=self.space.facts["weights"],
            )
        self.keys += keys
        self.rows.append(rows.cpu())
        self.done += len(keys)
        if time.monotonic() - self.since > _SHARD_SECONDS:
            self._write()
        self._tell()

    def _write(self) -> None:
        if self.keys:
            self.space.write(self.keys, torch.cat(self.rows))
        self.keys, self.rows, self.since = [], [], time.monotonic()

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total, self.what)


def _decoded(towers: ImageTower, images: Images, recipe: RenderingRecipe, *, ahead: int) -> Iterator[Tensor]:
    """Views in order, decoded by threads up to `ahead` images before they are asked for."""
    workers = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="decode")
    waiting: deque[Future[Tensor]] = deque()
    coming = iter(images.ids)

    def view_of(image_id: str) -> Tensor:
        return towers.prepare(images.source.open(image_id, recipe))

    try:
        for image_id in islice(coming, ahead):
            waiting.append(workers.submit(view_of, image_id))
        while waiting:
            view = waiting.popleft().result()
            for image_id in islice(coming, 1):
                waiting.append(workers.submit(view_of, image_id))
            yield view
    finally:
        workers.shutdown(cancel_futures=True)


def _batches(keys: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
