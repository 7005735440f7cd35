"""Images: a gallery by class and part, and the recipe by which rasters become pictures."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pandas as pd
import streamlit as st

from app import shell
from app.components.projects.project_forms import draw_panel
from app.components.projects.recipe_form import recipe_panel
from app.kit.gallery import paged_gallery
from app.kit.guard import guard
from app.state import sent_lists, studio, visitor, widgets
from avion_core.usecases.policies import REVIEW, UNSEAL
from avion_core.usecases.projects.images import image_table, look_at_test_images
from avion_core.usecases.projects.summaries import ProjectSummary, read_splits
from avion_core.wording import counted

_PARTS = {
    "train": ("Training shots", "Runs may train on them: a K-shot run takes the first K of each class."),
    "validation": ("Validation", "Settings are chosen on them; at most four per class. No run trains on them."),
    "test": ("Test (sealed)", "Used only by the final evaluation; their pictures are hidden unless you ask."),
    "pool": ("Unused labelled images", "Beyond the largest number of shots, or too close to held-out images."),
    "unlabelled": ("Unlabelled", "Images without a label."),
}


def page() -> None:
    project = shell.need_project()
    draw_panel(project)
    gallery, recipe = st.tabs(["Gallery", "Rendering recipe"])
    with gallery:
        show_gallery(project)
    with recipe:
        recipe_panel(project)


def show_gallery(project: ProjectSummary) -> None:
    """The pictures of one class and part; only those of the shown page are decoded."""
    names = {entry.key: entry.prompt_name for entry in project.classes}
    figures = st.container(horizontal=True)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        widgets.forget_unknown("image_class", [widgets.ALL, *names])
        chosen = st.selectbox(
            "Class", [widgets.ALL, *names], format_func=lambda key: names.get(key, str(key)), key="image_class",
            bind="query-params", width=240,
        )  # fmt: skip
        part = st.selectbox(
            "Part", [widgets.ALL, *_PARTS], format_func=lambda key: _PARTS[key][0] if key in _PARTS else key,
            key="image_part", bind="query-params", width=200,
        )  # fmt: skip
        draws = sorted(read_splits(studio.home(), project.id).train)
        seed = st.selectbox(
            "Seed", draws, help="Each seed draws other training and validation images.", key="image_seed", width=90
        )
        words = st.text_input("File name or group contains", key="image_words", bind="query-params", width=210)
    table = image_table(studio.home(), project.id, seed)
    of_class = table if chosen == widgets.ALL else table[table["class_key"] == chosen]
    if words:
        either = of_class["name"] + "\n" + of_class["group"]
        of_class = of_class[either.str.contains(words, case=False, regex=False)]
    counts = of_class["part"].value_counts()
    with figures:
        for key, (title, meaning) in _PARTS.items():
            st.metric(title, f"{counts.get(key, 0):,}", border=True, help=meaning)
    view = of_class if part == widgets.ALL else of_class[of_class["part"] == part]
    view = view[unsealed(project.id, view)].sort_values(
        ["class_key", "part", "place"], kind="stable", key=lambda column: column.replace(list(_PARTS), range(5))
    )
    if view.empty:
        every = {"image_class": widgets.ALL, "image_part": widgets.ALL, "image_words": ""}
        shell.nothing_passes("No picture of this class and part.", every)
        return
    told = view[["name", "class_key", "part", "place", "by_hand", "group"]].to_dict("records")
    captions = [caption(row, names) for row in told]
    paged_gallery(view["path"].tolist(), captions, project.recipe, key=f"images_{chosen}_{part}_{seed}_{words}")
    send_to_label(view["image_id"].tolist())


def unsealed(project: str, view: pd.DataFrame) -> pd.Series:
    """Which rows may be shown: all, once somebody asks for the test set's pictures, and all but those until then."""
    tested = view["part"] == "test"
    if not tested.any() or not visitor.may(UNSEAL):
        return ~tested
    asked = st.toggle(
        f"Show the {tested.sum():,} sealed test images too",
        key=f"unsealed_{project}",
        help="For example to fix a label. Once texts or settings are chosen on them, the test set measures nothing. "
        "The journal records that you looked.",
        on_change=note_look,
        args=(project,),
    )
    return ~tested | asked


def note_look(project: str) -> None:
    """Callback: write down that the sealed pictures are shown, each time they begin to be."""
    if widgets.shown(f"unsealed_{project}"):
        with guard():
            look_at_test_images(studio.home(), project, "in the gallery")


def caption(row: Mapping[Hashable, object], names: dict[str, str]) -> str:
    shot = f"shot {row['place']}" if row["place"] else _PARTS[str(row["part"])][0].split()[0].lower()
    name = names.get(str(row["class_key"]))
    said = f"{name} · {shot}" if name else shot
    said = f"{said} · {row['group']}" if row["group"] else said
    return f"{said} · by hand" if row["by_hand"] and name else said


def send_to_label(images: list[str]) -> None:
    """Take what is shown to the label page."""
    if visitor.may(REVIEW) and st.button(
        f"Relabel {counted(len(images), 'image')}", icon=":material/label:", help="They stay in their part."
    ):
        sent_lists.send_to_label(images)
        shell.go("label")


page()
