"""Towers that compute nothing: embeddings of images and texts that were given, looked up by what they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import PIL.Image
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from avion_core.backbones.catalog import CatalogEntry
from avion_core.errors import CheckpointError, NotFoundError
from avion_core.reading import Subject, fitted, parse_json

FILE = "features.safetensors"
SCALE = 100.0
"""The factor on cosines; a file of embeddings does not say it, and it is 100 for most CLIP models."""
_LISTS = Subject("the list in the given features", CheckpointError, "Make the project again from its file.")
_NO_MODEL = "Only the texts of the file can be used, as they are. Make a project from images to add others."


class GivenTowers:
    """Embeddings by image id and by text (a class's template sentence counts as a text).

    Args:
        images: (N, D). texts: (M, D). image_ids, sentences: what their rows are of. All float32 of unit norm.
    """

    def __init__(
        self, name: str, images: Tensor, image_ids: Sequence[str], texts: Tensor, sentences: Sequence[str]
    ) -> None:
        self.name, self.dim, self.image_size = name, images.shape[1], 0
        self.device, self.weights_hash, self.view = torch.device("cpu"), name.rpartition("-")[2], "given"
        self.logit_scale = SCALE
        self._images, self._texts = images, texts
        self._image_at = {image: place for place, image in enumerate(image_ids)}
        self._text_at: dict[str, int] = {}
        for place, text in enumerate(sentences):
            self._text_at.setdefault(_spaced(text), place)

    def images(self, image_ids: Sequence[str]) -> Tensor:
        """(B, D) of these images.

        Raises:
            NotFoundError: one that the file did not have.
        """
        if lacking := [image for image in image_ids if image not in self._image_at]:
            hint = "Make a project from images for a model to look at them."
            raise NotFoundError("the given features hold no such image", hint, value=lacking[0])
        return self._images[[self._image_at[image] for image in image_ids]]

    def knows(self, texts: Sequence[str]) -> bool:
        """Whether all of these texts have an embedding."""
        return all(_spaced(text) in self._text_at for text in texts)

    def encode_text(self, texts: Sequence[str], precision: str = "float32") -> Tensor:
        """(B, D) of these texts.

        Raises:
            NotFoundError: one that the file did not have: there is no model to read it with.
        """
        if lacking := [text for text in texts if _spaced(text) not in self._text_at]:
            raise NotFoundError("there is no model here to read a new text with", _NO_MODEL, value=lacking[0])
        return self._texts[[self._text_at[_spaced(text)] for text in texts]]

    def too_long(self, texts: Sequence[str]) -> list[int]:
        return []

    def prepare(self, image: PIL.Image.Image) -> Tensor:
        raise _no_pictures()

    def encode_image(self, pixels: Tensor, precision: str = "float32") -> Tensor:
        raise _no_pictures()


def given_name(images: Tensor, texts: Tensor, image_ids: Sequence[str], sentences: Sequence[str]) -> str:
    """The name in settings of these features, by their content."""
    digest = hashlib.sha256(json.dumps([list(image_ids), list(sentences)]).encode())
    for rows in (images, texts):
        digest.update(rows.contiguous().numpy().tobytes())
    return f"given-{digest.hexdigest()[:16]}"


def save_given(path: Path, images: Tensor, image_ids: Sequence[str], texts: Tensor, sentences: Sequence[str]) -> None:
    """Write what `open_given` reads."""
    said = {"image_ids": json.dumps(list(image_ids)), "texts": json.dumps(list(sentences))}
    save_file({"images": images.contiguous(), "texts": texts.contiguous()}, path, said)


def open_given(entry: CatalogEntry, path: Path) -> GivenTowers:
    """The towers of a file of `save_given`.

    Raises:
        CheckpointError: it is not what it should be.
    """
    try:
        with safe_open(path, "pt") as file:
            said: Mapping[str, str] = file.metadata() or {}
            images, texts = file.get_tensor("images"), file.get_tensor("texts")
        image_ids, sentences = _list_of_texts(said["image_ids"]), _list_of_texts(said["texts"])
        assert len(images) == len(image_ids)
        assert len(texts) == len(sentences)
    except (SafetensorError, OSError, KeyError, ValueError, AssertionError) as error:
        raise CheckpointError("the given features cannot be read", _LISTS.hint, value=str(path)) from error
    return GivenTowers(entry.name, images, image_ids, texts, sentences)


def _list_of_texts(said: str) -> list[str]:
    return fitted(list[str], parse_json(said, _LISTS), _LISTS)


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _no_pictures() -> NotFoundError:
    hint = "Choose a method that trains on embeddings, or make a project from images."
    return NotFoundError("this project was made from embeddings and has no pictures", hint)
