"""Where a project's images come from.

Everything that looks at pictures (training, evaluation, maps, prediction, curation) asks an `ImageSource` for them by
id, an image's content hash. Today's is a folder. Another kind is one more class with these two methods: tiles of a
raster open a window of it. Embeddings that were given come with no pictures at all (`NoPictures`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL.Image import Image

from avion_core.data.images import open_image
from avion_core.data.recipe import RenderingRecipe
from avion_core.errors import AvionError, DataError


class ImageSource(Protocol):
    """Gives images by id."""

    @property
    def embeddings(self) -> Path | None:
        """A feature store that came with the images from elsewhere, None for most: it is believed for them alone."""
        ...

    def open(self, image_id: str, recipe: RenderingRecipe) -> Image:
        """The picture as 8-bit RGB, rendered by the recipe.

        Raises:
            DataError: there is no such image, or it cannot be decoded; names the file.
        """
        ...

    def file(self, image_id: str) -> Path:
        """A file to show of an image.

        Raises:
            DataError: there is no such image.
        """
        ...


@dataclass(frozen=True)
class Images:
    """Some images of a source, in a fixed order."""

    ids: list[str]
    source: ImageSource

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, places: slice) -> Images:
        return Images(self.ids[places], self.source)

    @property
    def files(self) -> list[Path]:
        """A file to show of each."""
        return [self.source.file(image_id) for image_id in self.ids]


@dataclass(frozen=True)
class ImageFolder:
    """Images as files in a folder."""

    root: Path
    paths: Mapping[str, str]
    """Image id -> path relative to root."""
    embeddings: Path | None = None
    """See `ImageSource`."""

    def file(self, image_id: str) -> Path:
        """See `ImageSource`; the file itself."""
        if image_id not in self.paths:
            raise DataError("an image is no longer in the project", "Scan the folder again.", value=image_id)
        return self.root / self.paths[image_id]

    def open(self, image_id: str, recipe: RenderingRecipe) -> Image:
        """See `ImageSource`."""
        path = self.file(image_id)
        try:
            return open_image(path, recipe)
        except AvionError as error:
            raise DataError(error.what, error.hint, value=str(path)) from error
        except Exception as error:  # a decoder may trip over damage in any way
            hint = "Replace the file or take it out of the folder."
            raise DataError(f"the image cannot be decoded ({error})", hint, value=str(path)) from error


@dataclass(frozen=True)
class NoPictures:
    """Images of which embeddings alone are known; each is called as its file of features called it."""

    names: Mapping[str, str]
    """Image id -> name."""
    embeddings: Path | None = None
    """None: they are looked up in the place of a model (`backbones.given`)."""

    def file(self, image_id: str) -> Path:
        """See `ImageSource`; no such file exists, and galleries say so."""
        if image_id not in self.names:
            raise DataError("an image is no longer in the project", "Make the project again.", value=image_id)
        return Path(self.names[image_id])

    def open(self, image_id: str, recipe: RenderingRecipe) -> Image:
        """Refuses: there is nothing to open."""
        hint = "Choose a method that trains on embeddings, or make a project from images."
        what = "this project was made from embeddings and has no pictures"
        raise DataError(what, hint, value=str(self.file(image_id)))


def loose_files(paths: Sequence[Path]) -> Images:
    """Files from anywhere; each goes by its path."""
    names = [str(path) for path in paths]
    return Images(names, ImageFolder(Path(), {name: name for name in names}))
