"""What classes look like: a few training images of each side by side, never one of the sealed test set."""

from __future__ import annotations

import io
from collections.abc import Sequence

import streamlit as st
from PIL import Image

from app.kit.gallery import thumbnail
from app.kit.guard import plain
from app.state import studio
from avion_core.data.recipe import RenderingRecipe
from avion_core.usecases.projects.images import class_pictures
from avion_core.usecases.projects.summaries import ClassInfo, ProjectSummary
from avion_core.wording import counted

_SIDE, _SMALL, _WIDTH = 112, 72, 150
_IN_A_ROW = 7


def class_strip(project: ProjectSummary, entry: ClassInfo) -> None:
    """Training images of one class in a row; nothing where there is none."""
    files = class_pictures(studio.home(), project.id, _IN_A_ROW).get(entry.key, ()) if project.pictures else ()
    strip = _strip(tuple(map(str, files)), project.recipe)
    if strip:
        st.image(strip, width=_SMALL * len(files), alt=f"Training images of {entry.prompt_name}")


def class_mosaic(project: ProjectSummary, classes: Sequence[ClassInfo], *, pictures: int, most: int) -> None:
    """Some training images of each class, with its name and size; nothing where no class has one.

    Args:
        pictures: of each class.
        most: classes are shown.
    """
    files = class_pictures(studio.home(), project.id, pictures) if project.pictures else {}
    if not any(files.get(entry.key) for entry in classes):
        return
    with st.grid(_IN_A_ROW, min_column_width=_WIDTH, gap="small") as grid:
        for entry in classes[:most]:
            with grid.cell():
                strip = _strip(tuple(map(str, files.get(entry.key, ()))), project.recipe)
                if strip:
                    st.image(strip, width="stretch", alt=f"Images of {entry.prompt_name}")
                else:
                    st.markdown(":material/image_not_supported:")
                st.caption(f"{plain(entry.prompt_name)} · {entry.count:,}")
    if len(classes) > most:
        st.caption(f"and {counted(len(classes) - most, 'class', 'classes')} more, on the page Images")


@st.cache_data(max_entries=500, show_spinner=False)
def _strip(paths: Sequence[str], recipe: RenderingRecipe) -> bytes | None:
    """Squares of some images in a row, as a JPEG; those that cannot be read are left out."""
    pictures = [Image.open(io.BytesIO(found)) for path in paths if (found := thumbnail(path, recipe))]
    if not pictures:
        return None
    strip = Image.new("RGB", (_SIDE * len(pictures), _SIDE))
    for place, picture in enumerate(pictures):
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, top, left + side, top + side)).resize((_SIDE, _SIDE))
        strip.paste(square, (_SIDE * place, 0))
    stream = io.BytesIO()
    strip.save(stream, format="JPEG", quality=85)
    return stream.getvalue()
