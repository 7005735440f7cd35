"""Pictures of the project, one page of thumbnails at a time.

Thumbnails go through st.image, never through a static folder: that one is served without a login, and imagery may be
private.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from app.kit.guard import plain
from avion_core.data.images import open_image
from avion_core.data.recipe import RenderingRecipe
from avion_core.errors import DataError

_SIDE = 224
_IN_A_CELL = 40


@st.cache_data(max_entries=2000, show_spinner=False)
def thumbnail(path: str, recipe: RenderingRecipe, side: int = _SIDE) -> bytes | None:
    """A JPEG of the image as the models see it, at most `side` pixels wide and high; None when it cannot be read."""
    try:
        picture = open_image(Path(path), recipe)
    except (DataError, OSError):
        return None
    picture.thumbnail((side, side))
    # Small scenes (64 px) are enlarged without smoothing, so that their pixels stay honest.
    if max(picture.size) < side // 2:
        scale = side // 2 // max(picture.size) + 1
        picture = picture.resize((picture.width * scale, picture.height * scale), 0)
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=88)
    return stream.getvalue()


def tiny_picture(path: str, recipe: RenderingRecipe) -> str | None:
    """A picture for a cell of a table, as the address that holds it; None when it cannot be read."""
    picture = thumbnail(path, recipe, _IN_A_CELL)
    return None if picture is None else f"data:image/jpeg;base64,{b64encode(picture).decode()}"


def gallery(
    paths: Sequence[Path | str], captions: Sequence[str], recipe: RenderingRecipe, *, columns: int = 6, side: int = 120
) -> None:
    """Thumbnails with captions in a responsive grid; an unreadable picture, or one that was never
    there (a path that is no place on this machine), shows a sign instead."""
    with st.grid(columns, min_column_width=side, gap="small") as grid:
        for path, caption in zip(paths, captions, strict=True):
            with grid.cell():
                picture = thumbnail(str(path), recipe)
                if picture is None and not Path(path).is_absolute():  # of a project made from embeddings
                    st.markdown(":material/hide_image:")
                    st.caption(f"{plain(caption)} (no picture)")
                elif picture is None:
                    st.markdown(":material/broken_image:")
                    st.caption(f"{plain(caption)} (cannot be read)")
                else:
                    st.image(picture, width="stretch", alt=caption)
                    st.caption(plain(caption))


def picture_row(
    paths: Sequence[Path | str], captions: Sequence[str], recipe: RenderingRecipe, *, side: int = 76
) -> None:
    """A few small pictures beside each other, sent as one element: for what is drawn anew at each key."""
    pictures = [thumbnail(str(path), recipe, side) for path in paths]
    whole = [picture for picture in pictures if picture is not None]
    if len(whole) < len(pictures):
        gallery(paths, captions, recipe, columns=4, side=64)  # it says which picture is missing, and why
    elif whole:
        st.image(whole, caption=list(captions), alt=list(captions))  # no width: Streamlit would scale them at each draw


def paged_gallery(
    paths: Sequence[Path | str], captions: Sequence[str], recipe: RenderingRecipe, *, key: str, page_size: int = 24
) -> None:
    """A gallery that sends one page of pictures at a time and says which part of the whole it shows."""
    pages = max(1, -(-len(paths) // page_size))
    page = 1
    if pages > 1:
        page = st.number_input("Page of pictures", 1, pages, 1, key=key, width=160)
    first = (page - 1) * page_size
    part = slice(first, first + page_size)
    gallery(paths[part], captions[part], recipe, columns=8)
    st.caption(f"Pictures {first + 1:,} to {min(first + page_size, len(paths)):,} of {len(paths):,}")
