"""What a TIFF says of itself and GDAL does not pass on: its pages, orientation, depth and kind of colours."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from PIL.TiffImagePlugin import ImageFileDirectory_v2

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COLOURS, _ORIENTATION = 254, 256, 257, 258, 262, 274
_REDUCED, _MASK = 1, 4  # flags of _SUBFILE: an overview or thumbnail, a transparency mask
_WHITE_IS_ZERO, _CMYK, _LAB = 0, 5, 8  # values of _COLOURS
_MOST_PAGES = 1000  # a damaged chain of pages may have no end


@dataclass(frozen=True)
class TiffPage:
    """One page of a TIFF."""

    number: int
    """From 1."""
    width: int
    height: int
    """`width`, `height`: as stored."""
    bits: int
    """Of each band, as stored."""
    orientation: int
    """1 to 8 as in EXIF."""
    white_is_zero: bool
    """Grey values count from white to black."""
    other_colours: bool
    """CMYK or LAB, not grey or RGB."""


def tiff_pages(path: Path) -> list[TiffPage]:
    """The pages that are pictures of their own: no overviews, thumbnails or masks, unless there is nothing else.

    Empty where the file's directory cannot be read; whoever decodes the file says why.
    """
    pages: list[tuple[int, TiffPage]] = []
    try:
        with path.open("rb") as file:
            header = file.read(8)
            header += file.read(8) if 43 in header[2:4] else b""  # BigTIFF
            directory = ImageFileDirectory_v2(header)
            place, seen = directory.next, set[int]()
            while place and place not in seen and len(seen) < _MOST_PAGES:
                seen.add(place)
                file.seek(place)
                directory = ImageFileDirectory_v2(header)
                directory.load(file)
                pages.append((directory.get(_SUBFILE, 0), _page(len(seen), directory)))
                place = directory.next
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return []
    whole = [page for kind, page in pages if not kind & (_REDUCED | _MASK)]
    return whole or [page for _, page in pages[:1]]


def _page(number: int, directory: ImageFileDirectory_v2) -> TiffPage:
    colours = directory.get(_COLOURS, 1)
    orientation = directory.get(_ORIENTATION, 1)
    return TiffPage(
        number,
        int(directory[_WIDTH]),
        int(directory[_HEIGHT]),
        int(min(directory.get(_BITS, (1,)))),
        orientation if orientation in range(1, 9) else 1,
        colours == _WHITE_IS_ZERO,
        colours in (_CMYK, _LAB),
    )
