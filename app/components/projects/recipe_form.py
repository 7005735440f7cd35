"""The rendering recipe as a form: bands, stretch and holes, with the pictures they make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app.kit.both_texts import both_texts, save_label
from app.kit.gallery import gallery
from app.kit.guard import show_error
from app.state import notices, studio
from app.state.forms import open_form
from avion_core.data.recipe import RenderingRecipe
from avion_core.errors import AvionError, DataError, EditedMeanwhileError
from avion_core.usecases.projects.images import image_table, set_recipe
from avion_core.usecases.projects.summaries import ProjectSummary, get_project


def recipe_form(key: str, recipe: RenderingRecipe, samples: Sequence[Path]) -> RenderingRecipe:
    """Edit a recipe and see it on a few pictures.

    Raises:
        DataError: numbers that are none, or a recipe that cannot be meant.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        bands = _numbers("Bands", key, recipe.bands, "4, 3, 2", "For red, green and blue, or one for grey; from 1.")
        low = _numbers("Stretch min", key, recipe.low, "0", "Value shown black; one for all bands, or one each.")
        high = _numbers("Stretch max", key, recipe.high, "3000", "Value shown white; one for all bands, or one each.")
        nodata = _numbers("NoData value", key, recipe.nodata, "-9999", "Value that marks missing data.")
        grey = st.number_input(
            "NoData fill",
            0,
            255,
            recipe.nodata_colour,
            key=f"{key}_grey",
            width=130,
            help="Grey of missing data, 0 to 255",
        )
    chosen = RenderingRecipe(
        bands=tuple(map(int, bands)) if bands else None,
        low=low,
        high=high,
        nodata=nodata[0] if nodata else None,
        nodata_colour=grey,
        depth=recipe.depth if low else None,
    )
    gallery(samples, [sample.name for sample in samples], chosen, columns=4, side=140)
    return chosen


def _numbers(label: str, key: str, value: Any, example: str, help_text: str) -> tuple[float, ...] | None:
    values = value if isinstance(value, tuple) or value is None else (value,)
    shown = ", ".join(f"{number:g}" for number in values or ())
    text = st.text_input(label, shown, key=f"{key}_{label}", placeholder=example, help=help_text, width=170)
    try:
        return tuple(float(part) for part in text.split(",")) if text.strip() else None
    except ValueError:
        raise DataError(f"{label} needs numbers separated by commas", f"For example {example}.", value=text) from None


def recipe_panel(project: ProjectSummary) -> None:
    """How rasters of more than 8 bits or three bands become pictures, on pictures of the project."""
    table = image_table(studio.home(), project.id)
    shown = table[table["part"] != "test"]
    st.markdown(
        "The models see every picture through one recipe. 8-bit grey and RGB files need none; others need bands "
        f"and a fixed stretch. The files here have {', '.join(map(str, sorted(table['bands'].unique())))} bands."
    )
    samples = [Path(path) for path in shown["path"].iloc[:: max(1, len(shown) // 8)][:8]]
    form = open_form(f"recipe_{project.id}", project.recipe)
    try:
        recipe = recipe_form(form.key, form.begun, samples)
    except AvionError as error:
        show_error(error)
        return
    form.follow(project.recipe, typed=recipe != form.begun)
    both_texts(form)
    if recipe == project.recipe:
        st.caption("This is the current recipe.")
        return
    st.caption(
        "A new recipe changes the pictures: the teacher's features are computed again; finished runs keep theirs."
    )
    label = save_label(form, "Use this recipe")
    if st.button(label, icon=":material/check:", type="primary", key=form.save_key):
        try:
            set_recipe(studio.home(), project.id, recipe, opened=form.opened)
        except EditedMeanwhileError as error:
            form.refuse(error, get_project(studio.home(), project.id).recipe)
        else:
            form.start_again()
            notices.say_after_rerun("The recipe is in use")
        st.rerun()
