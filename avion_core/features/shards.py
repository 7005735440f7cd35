"""Embeddings kept on disk by what made them and whose they are.

One folder per way of making features (its `space`), in it any number of safetensors shards, each naming its
own rows: there is no index file that could disagree. A shard appears whole (temporary file + rename) under a
name of its own, so that processes writing at once cannot meet; at worst they store a row twice.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from avion_core.errors import StoreError
from avion_core.files import replacing
from avion_core.reading import Subject, fitted, parse_json

T = TypeVar("T")

_ROWS = "features"
_OPEN_SPACES = 8
_SHARD = Subject("a file of embeddings", StoreError)
_DAMAGED = (SafetensorError, OSError, KeyError, TypeError, IndexError, ValueError, StoreError)


class FeatureStore:
    """A folder of spaces. The last few stay open: to open one is to read the keys of all its shards."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._open = lru_cache(_OPEN_SPACES)(Space)

    def space(self, dim: int, **facts: str) -> Space:
        """The rows of width `dim` that these facts decide (weights, view, recipe, precision), as they are now."""
        written = json.dumps(facts, sort_keys=True)
        space = self._open(self.folder / content_key(written), dim, written)
        space.look()
        return space

    def spaces(self) -> Iterator[Space]:
        """The spaces that hold rows, as their shards describe them."""
        for folder in sorted(path for path in self.folder.glob("*") if path.is_dir()):
            for shard in sorted(folder.glob("*.safetensors")):
                try:
                    with safe_open(shard, "pt") as file:
                        facts = _said(file.metadata(), "facts", dict[str, str])
                        dim = file.get_slice(_ROWS).get_shape()[1]
                except _DAMAGED:
                    continue  # cut short: the space leaves it out too
                yield Space(folder, dim, json.dumps(facts, sort_keys=True))
                break


class Space:
    """Rows (D,) of float32 by key, all made in one way: the facts, as JSON."""

    def __init__(self, folder: Path, dim: int, facts: str) -> None:
        self.folder, self.dim, self.facts = folder, dim, json.loads(facts)
        self._where: dict[str, tuple[Path, int]] = {}
        self._seen: set[Path] = set()
        self._lock = Lock()
        self.look()

    def look(self) -> None:
        """Note what other processes wrote, or took away, since the last look."""
        shards = set(self.folder.glob("*.safetensors"))
        with self._lock:
            if not self._seen <= shards:
                self._where, self._seen = {}, set()
            for shard in sorted(shards - self._seen):
                self._take(shard)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Keys without a row, each once, in the order given."""
        return [key for key in dict.fromkeys(keys) if key not in self._where]

    def write(self, keys: Sequence[str], rows: Tensor) -> None:
        """Add rows (N, D) as one shard.

        Raises:
            StoreError: the folder cannot be written.
        """
        shard = self.folder / f"{uuid.uuid4().hex}.safetensors"
        metadata = {"keys": json.dumps(list(keys)), "facts": json.dumps(self.facts)}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(shard) as unfinished:
                save_file({_ROWS: rows.float().contiguous().cpu()}, unfinished, metadata)
        except (OSError, SafetensorError) as error:
            raise StoreError(
                f"the embeddings cannot be saved ({error})",
                "Free space there, or check the folder's permissions.",
                value=str(self.folder),
            ) from error
        with self._lock:
            self._take(shard)

    def read(self, keys: Sequence[str]) -> Tensor:
        """Rows (N, D) in the order of the keys; KeyError for one that is missing."""
        rows = torch.empty(len(keys), self.dim)
        by_shard: dict[Path, list[tuple[int, int]]] = defaultdict(list)
        for place, key in enumerate(keys):
            shard, row = self._where[key]
            by_shard[shard].append((place, row))
        for shard, pairs in by_shard.items():
            places, picked = zip(*pairs, strict=True)
            with safe_open(shard, "pt") as file:
                found = file.get_tensor(_ROWS)[torch.tensor(picked)]
            if len(by_shard) == 1:
                return found  # in the order of the keys already; a large project's rows need no second copy
            rows[torch.tensor(places)] = found
        return rows

    def _take(self, shard: Path) -> None:
        """Note a shard's rows. One that is cut short or not of this form is removed: its rows are made again."""
        try:
            with safe_open(shard, "pt") as file:
                keys = _said(file.metadata(), "keys", list[str])
                whole = file.get_slice(_ROWS).get_shape() == [len(keys), self.dim]
        except _DAMAGED:
            keys, whole = [], False
        if not whole:
            shard.unlink(missing_ok=True)
            return
        for row, key in enumerate(keys):
            self._where.setdefault(key, (shard, row))
        self._seen.add(shard)


def _said(metadata: Any, name: str, form: type[T]) -> T:
    return fitted(form, parse_json(metadata[name], _SHARD), _SHARD)


def content_key(text: str) -> str:
    """32 hex characters of a text's sha256: the key of a text, or of the facts that make a space."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
