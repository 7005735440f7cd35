"""A project at a glance: what has been reached so far, and what its classes look like."""

from __future__ import annotations

import io
from collections.abc import Sequence

import streamlit as st
from PIL import Image

from app import shell
from app.kit.gallery import thumbnail
from app.kit.guard import plain
from app.state import run_choice, studio
from avion_core.data.recipe import RenderingRecipe
from avion_core.usecases.insight.ladder import ladder
from avion_core.usecases.projects.images import class_pictures
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted

_PICTURES, _SIDE, _MOST_CLASSES = 3, 112, 48


def ladder_panel(project: ProjectSummary) -> None:
    """From class names alone to the trained student, on the same images; nothing before a run was measured."""
    found = ladder(studio.home(), project.id)
    if found is None:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**What has been reached**", width="stretch")
            if st.button("See the evaluation", type="tertiary", icon=":material/fact_check:", key="see_ladder"):
                run_choice.show([found.run])
                shell.go("evaluation")
        for column, rung in zip(st.columns(len(found.rungs)), found.rungs, strict=True):
            with column:
                st.metric(plain(rung.title), f"{rung.value:.1f} %")
                st.caption(f"{rung.low:.0f} to {rung.high:.0f}")
        which = f" of {plain(found.part.lower())}" if found.part else ""
        st.caption(
            f"Accuracy on the {counted(found.images, 'validation image')}{which} of {plain(found.name)}, with 95 % "
            "intervals; figures whose intervals overlap may not differ."
        )


def mosaic(project: ProjectSummary) -> None:
    """A few labelled images of each class, side by side; none of the sealed test set."""
    if not project.pictures:
        return
    shown = project.classes[:_MOST_CLASSES]
    files = class_pictures(studio.home(), project.id, _PICTURES)
    if not any(files.values()):
        return
    with st.grid(7, min_column_width=150, gap="small") as grid:
        for entry in shown:
            with grid.cell():
                strip = _strip(tuple(map(str, files.get(entry.key, ()))), project.recipe)
                if strip:
                    st.image(strip, width="stretch", alt=f"Images of {entry.prompt_name}")
                else:
                    st.markdown(":material/image_not_supported:")
                st.caption(f"{plain(entry.prompt_name)} · {entry.count:,}")
    if len(project.classes) > len(shown):
        st.caption(f"and {counted(len(project.classes) - len(shown), 'class', 'classes')} more, on the page Images")


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
