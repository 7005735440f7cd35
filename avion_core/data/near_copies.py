"""Near-copies: pictures that show the same, in another encoding or size, turned or mirrored (docs/method.md section 7).

Copies of the same bytes are found by their content hash. Here, each picture becomes 16 x 16 grey values without black
and white borders, and two of them are near-copies when both of these hold in one of the eight turns and mirrors:

- their detail agrees: what differs from its surroundings, bounded so that a mark cannot outweigh the ground, without
  what all pictures of the folder share (a collar, a logo);
- their structure agrees: the correlation of all but the finest frequencies, weighed as if all were equally strong, is
  at least 0.95, or 0.85 where the mean colours agree as well.

The limits come from the two demo sets, 725,190 pairs of different pictures: the likest reaches 0.94, and 0.82 with the
same mean colour. Neighbouring pictures, which overlap in part, are no near-copies.

A picture of 8 to 15 pixels a side says less: it is compared by 8 x 8 means of red, green and blue, and is a near-copy
of the one picture that it is like, where that leaves half as much unexplained as any other does. On the demo sets
copies of 8 to 15 pixels a side are found in 65 to 96 of 100 (UC Merced) and 47 to 81 (EuroSAT, 64 pixels), by filter
and encoding, and at most 3 in 1,000 are taken for a copy of another picture than their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avion_core.data.leftovers import one_picture_twice

Grey = NDArray[np.float32]

_SIDE = 16
_LEAST_SIDE = 16  # a picture with fewer pixels is compared by its colours, against the one that it is likest
_SMALL_SIDE = 8  # with fewer than that it says too little
_SMALL_CONTRAST, _SMALL_ALIKE, _SMALL_COLOUR, _SMALL_MARGIN = 4.0, 0.88, 6.0, 0.5
_LEAST_CONTRAST = 0.5  # grey levels (standard deviation) under which there is nothing but the noise of an encoder
_LEAST_FREQUENCIES = 3  # effective number; a mere slope of brightness has two, the plainest stripes of a field five
_BLACK, _WHITE = 1, 254
_LARGE = 512  # pixels a side; a larger picture is halved first, for it costs less
_BOUND = 1.5  # of the median detail, how much one place may weigh
_SHARED = 32  # pictures from which on their common part is a frame rather than a likeness
_ALIKE_DETAIL = 0.6
_ALIKE, _ALIKE_IN_COLOUR, _COLOUR = 0.95, 0.85, 2.0
_BLOCK = 2048  # pictures that are compared at once with all others: some 250 MB for 30,000

_U = np.arange(_SIDE)
_COSINES = np.cos(np.pi / _SIDE * _U[:, None] * (_U[None, :] + 0.5)).astype(np.float32)  # DCT-II
_COSINES[0] /= np.float32(np.sqrt(2))
# A picture's frequencies fade as 1 / f; times f, all of them tell. The finest half is the encoder's.
_FREQUENCIES = (np.hypot(_U[:, None], _U[None, :]) * (_U[:, None] + _U[None, :] < _SIDE)).astype(np.float32)


class Glimpse(NamedTuple):
    """What a picture is compared by."""

    grey: Grey | None
    """(16, 16) mean grey levels; None of a small picture."""
    colour: Grey
    """(3,) mean red, green and blue."""
    small: Grey
    """(8, 8, 3) mean red, green and blue, for the comparison with small pictures."""


def glimpse(picture: Image.Image) -> Glimpse | None:
    """A picture (RGB) as it is compared; None where it is too small or too plain to be told from others."""
    if min(picture.size) < _SMALL_SIDE:
        return None
    if min(picture.size) > _LARGE:
        picture = picture.reduce(min(picture.size) // (_LARGE // 2))
    area = Image.Resampling.BOX if min(picture.size) > _SMALL_SIDE else Image.Resampling.BILINEAR
    small = np.asarray(picture.resize((_SMALL_SIDE, _SMALL_SIDE), area), dtype=np.float32)
    colour = np.asarray(picture.resize((1, 1), Image.Resampling.BOX), dtype=np.float32).reshape(3)
    if min(picture.size) < _LEAST_SIDE:
        return Glimpse(None, colour, small)
    grey = picture.convert("L").convert("F").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    values = _without_frame(np.asarray(grey, dtype=np.float32))
    if values.std() < _LEAST_CONTRAST or 1 / (_structure(values[None]) ** 4).sum() < _LEAST_FREQUENCIES:
        return None
    return Glimpse(values, colour, small)


def near_copies(glimpses: Sequence[Glimpse | None]) -> list[list[int]]:
    """Places of pictures that show the same, two or more together, each set in order; time grows with the square.

    Args:
        glimpses: one for each picture, None where it cannot be compared.
    """
    places = [place for place, seen in enumerate(glimpses) if seen is not None and seen.grey is not None]
    greys = [seen.grey for seen in glimpses if seen is not None and seen.grey is not None]
    pairs: list[tuple[int, int]] = []
    if len(greys) > 1:
        colours = np.stack([seen.colour for seen in glimpses if seen is not None and seen.grey is not None])
        pairs = [(places[a], places[b]) for a, b in _pairs(np.stack(greys), colours)]
    return joined([*pairs, *_small_pairs(glimpses)])


def shown_twice(paths: Sequence[str], glimpses: Sequence[Glimpse | None]) -> list[list[int]]:
    """Places of pictures that show the same: near-copies, and one picture saved in two formats (see `leftovers`)."""
    place_of = {path: place for place, path in enumerate(paths)}
    twice = [[place_of[path] for path in together] for together in one_picture_twice(paths)]
    return joined(pair for places in (*twice, *near_copies(glimpses)) for pair in pairwise(places))


def joined(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Sets of numbers that pairs connect, each sorted, by their first."""
    root: dict[int, int] = {}

    def find(one: int) -> int:
        while root.setdefault(one, one) != one:
            root[one] = one = root[root[one]]
        return one

    for a, b in pairs:
        first, second = sorted((find(a), find(b)))
        root[second] = first
    sets: dict[int, list[int]] = {}
    for one in sorted(root):
        sets.setdefault(find(one), []).append(one)
    return list(sets.values())


def _pairs(greys: Grey, colours: Grey) -> Iterator[tuple[int, int]]:
    """Places a < b of near-copies among greys (N, 16, 16) and colours (N, 3)."""
    details = [_detail(turned) for turned in _turns(greys)]  # eight of (N, 256)
    if len(greys) >= _SHARED:
        shared = np.mean([turned.mean(axis=0) for turned in details], axis=0, dtype=np.float32)
        details = [turned - shared for turned in details]
    details = [_unit(turned) for turned in details]
    structure = _structure(greys)
    for start in range(0, len(greys), _BLOCK):
        block = details[0][start : start + _BLOCK]
        for turn, turned in enumerate(details):
            alike = block @ turned[start:].T  # (B, N - start)
            rows, columns = np.nonzero(alike >= _ALIKE_DETAIL)
            a, b = (places[rows < columns] + start for places in (rows, columns))
            other = _structure(_turn(greys[b], turn))
            agreement = (structure[a] * other).sum(axis=1)
            same_colour = (np.abs(colours[a] - colours[b]) <= _COLOUR).all(axis=1)
            found = agreement >= np.where(same_colour, _ALIKE_IN_COLOUR, _ALIKE)
            yield from zip(a[found].tolist(), b[found].tolist(), strict=True)


def _small_pairs(glimpses: Sequence[Glimpse | None]) -> Iterator[tuple[int, int]]:
    """Small pictures with the one that each is a copy of; pictures that are like that one too are no rivals of it."""
    seen = {place: found for place, found in enumerate(glimpses) if found is not None}
    places = list(seen)
    smalls = [number for number, place in enumerate(places) if seen[place].grey is None]
    if not smalls:
        return
    values = np.stack([found.small for found in seen.values()])
    details, colours, contrasts = _small_detail(values)

    def likeness(number: int) -> Grey:
        """(N,) of all pictures to one, in the turn that suits each best."""
        turns = np.concatenate(list(_turns_of_colours(values[number : number + 1])))
        return (details @ _small_detail(turns)[0].T).max(axis=1)

    for small in smalls:
        comparable = (np.abs(colours - colours[small]).max(axis=1) <= _SMALL_COLOUR) & (contrasts >= _SMALL_CONTRAST)
        comparable[small] &= False
        alike = np.where(comparable, likeness(small), np.float32(-1))
        best = int(alike.argmax())
        if contrasts[small] < _SMALL_CONTRAST or alike[best] < _SMALL_ALIKE:
            continue
        others = alike[likeness(best) < _SMALL_ALIKE]
        second = float(others.max()) if len(others) else -1.0
        if 1 - alike[best] <= _SMALL_MARGIN * (1 - second):
            yield places[best], places[small]


def _small_detail(values: Grey) -> tuple[Grey, Grey, Grey]:
    """Of values (N, 8, 8, 3): what differs from the mean, of unit norm (N, 192), the mean (N, 3), the contrast (N,)."""
    rows = values.reshape(len(values), -1, 3)
    mean = rows.mean(axis=1)
    detail = (rows - mean[:, None]).reshape(len(values), -1)
    return _unit(detail), mean, np.linalg.norm(detail, axis=1) / np.sqrt(detail.shape[1])


def _turns_of_colours(values: Grey) -> Iterator[Grey]:
    """The eight turns and mirrors of colours (N, 8, 8, 3)."""
    return (np.stack([_turn(values[..., band], turn) for band in range(3)], axis=-1) for turn in range(8))


def _without_frame(grey: Grey) -> Grey:
    """Grey (16, 16) with black and white borders, and what touches them, at the ground's mean: they show nothing."""
    even = np.pad((grey <= _BLACK) | (grey >= _WHITE), 1)
    frame = np.logical_or.reduce([even[i : i + _SIDE, j : j + _SIDE] for i in range(3) for j in range(3)])
    return np.where(frame, grey[~frame].mean() if not frame.all() else np.float32(0), grey)


def _turns(greys: Grey) -> Iterator[Grey]:
    """The eight turns and mirrors of pictures (N, 16, 16)."""
    return (_turn(greys, turn) for turn in range(8))


def _turn(greys: Grey, turn: int) -> Grey:
    turned = np.rot90(greys, turn // 2, axes=(1, 2))
    return turned[:, :, ::-1] if turn % 2 else turned


def _detail(greys: Grey) -> Grey:
    """(N, 256): how each place differs from its eight neighbours, bounded by what is usual in its picture."""
    around = np.pad(greys, ((0, 0), (1, 1), (1, 1)), mode="edge")
    blurred = sum(around[:, i : i + _SIDE, j : j + _SIDE] for i in range(3) for j in range(3)) / np.float32(9)
    detail = (greys - blurred).reshape(len(greys), _SIDE**2)
    bound = _BOUND * np.median(np.abs(detail), axis=1, keepdims=True)
    return _unit(detail.clip(-bound, bound))


def _structure(greys: Grey) -> Grey:
    """(N, 256): the frequencies of each picture, all of them weighing alike, without its mean."""
    return _unit((_COSINES @ greys @ _COSINES.T * _FREQUENCIES).astype(np.float32).reshape(len(greys), _SIDE**2))


def _unit(rows: Grey) -> Grey:
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)).astype(np.float32)
