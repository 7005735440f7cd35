"""The one deterministic view that a tower has of an image."""

from __future__ import annotations

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from avion_core.backbones.preprocessing import Preprocessing
from avion_core.errors import DataError

_FILTERS = {"bicubic": PIL.Image.Resampling.BICUBIC, "bilinear": PIL.Image.Resampling.BILINEAR}


def view_of(image: PIL.Image.Image, size: int, preprocessing: Preprocessing) -> Tensor:
    """RGB image -> uint8 (3, size, size).

    Raises:
        DataError: it is not RGB.
    """
    if preprocessing.resize_mode == "shortest":
        return shortest_side_view(image, size, preprocessing.interpolation)
    _refuse_other_than_rgb(image)
    return _pixels(image.resize((size, size), _FILTERS[preprocessing.interpolation]))


def shortest_side_view(image: PIL.Image.Image, size: int, interpolation: str = "bicubic") -> Tensor:
    """RGB image -> uint8 (3, size, size): shortest side to `size`, centre crop, in one pass.

    Only the part that the crop keeps is resampled, so a very long image costs no more than a square one.
    """
    _refuse_other_than_rgb(image)
    # torchvision rounds the resized side down and the crop's corner to the nearest pixel; so does this.
    resized = [size * side // min(image.size) for side in image.size]
    corner = [round((side - size) / 2) for side in resized]
    left, top = (c * side / new for c, side, new in zip(corner, image.size, resized, strict=True))
    right, bottom = ((c + size) * side / new for c, side, new in zip(corner, image.size, resized, strict=True))
    return _pixels(image.resize((size, size), _FILTERS[interpolation], box=(left, top, right, bottom)))


def _pixels(view: PIL.Image.Image) -> Tensor:
    return torch.from_numpy(np.array(view)).permute(2, 0, 1).contiguous()


def _refuse_other_than_rgb(image: PIL.Image.Image) -> None:
    if image.mode != "RGB":
        raise DataError("the image is not RGB", "Open it with open_image and a rendering recipe.", value=image.mode)
