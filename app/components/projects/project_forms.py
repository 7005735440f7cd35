"""Forms that bring something in: images as a project, and its draw of test images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd
import streamlit as st

from app.components.models.model_fixes import model_buttons
from app.components.projects.recipe_form import recipe_form
from app.kit.background import computed
from app.kit.gallery import gallery
from app.kit.guard import plain, show_error
from app.state import address, drafts, notices, project_requests, studio, visitor
from avion_core.data.catalog import DATA_SETS
from avion_core.data.layout import FolderOrder, Layout
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.splits import KeepTogether
from avion_core.errors import AvionError
from avion_core.progress import Progress
from avion_core.usecases.installation.home import Home
from avion_core.usecases.models.catalog import PAIRS, Model, list_models, usable_pair
from avion_core.usecases.policies import CHANGE_PROJECTS
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.images import FolderLook, LabelLook, look_at_labels, look_into
from avion_core.usecases.projects.labels import draw_splits
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted, size

_FOLDER, _TABLE, _CATALOG, _CAPTIONS = "Folder", "Folder and label table", "Published data set", "Caption file"
_SOURCES = {
    _FOLDER: "One folder per class, or all pictures in one: labels can be given here. A label table in it is found.",
    _TABLE: "A CSV, Excel or Parquet file with path and label; group and split if there are any. Or a split file of "
    "CoOp (JSON), or the metadata of a Hugging Face image folder.",
    _CATALOG: "One of the data sets of the paper, as it was published.",
    _CAPTIONS: "A caption JSON as RSITMD and RSICD have it: it names pictures and their split, and gives no labels.",
}
_ORDERS: dict[FolderOrder, str] = {
    "class": "The classes",
    "split": "Given splits, to be kept; the pictures have no labels",
    "split/class": "Given splits that hold the classes; keep the splits",
    "class/split": "Classes that hold given splits; keep the splits",
    "group/class": "Places or dates that hold the classes; pictures of one stay together in a split",
    "other/class": "Of no meaning: what they hold are the classes",
}
KEPT_TOGETHER: dict[KeepTogether | None, str] = {
    None: "Not beyond groups and near-copies",
    "series": "By file name: tiles of one scene, ten numbers in a row",
    "place": "By place: blocks of ground (coordinates in files or table)",
    "features": "By likeness: what the teacher finds alike",
}
"""How neighbours are told, in a person's words."""
_SHOWN_PROBLEMS = 200
_PAIRS = dict(
    zip(
        PAIRS,
        ("GeoRSCLIP: ViT-H/14 teaches ViT-B/32", "Bundled demo pair: small"),
        strict=True,
    )
)


@dataclass(frozen=True)
class AskedProject:
    """What a person asked to create."""

    name: str
    root: Path
    labels: str
    class_folders: bool
    recipe: RenderingRecipe | None
    modality: str
    teacher: str
    student: str
    order: FolderOrder | None = None
    together: KeepTogether | None = None
    block_km: float | None = None


def project_form(*, opened: bool = False) -> None:
    """A project from images on this computer, for whoever may make one.

    What the folder holds is shown before anything is created. It can be any folder of the server's, with the sealed
    images of any project in it: so the right comes before the look.
    """
    if not visitor.may(CHANGE_PROJECTS):
        return
    asked: AskedProject | None = project_requests.asked_project()
    with st.expander("Create a project", icon=":material/create_new_folder:", expanded=opened or asked is not None):
        source = st.segmented_control(
            "What do you have?", list(_SOURCES), default=_FOLDER, required=True, key="new_source"
        )
        st.caption(_SOURCES[source])
        data_set = _catalog() if source == _CATALOG else ""
        with st.container(horizontal=True):
            folder = st.text_input("Image folder", key="new_folder", placeholder="/data/scenes", width="stretch")
            name = st.text_input("Name", key="new_name", placeholder="as the folder is called", width=260)
        labels = ""
        if source in (_TABLE, _CAPTIONS):
            example = "/data/labels.csv" if source == _TABLE else "/data/dataset_rsitmd.json"
            key = "new_table" if source == _TABLE else "new_captions"
            labels = st.text_input("Label table" if source == _TABLE else "Caption file", key=key, placeholder=example)
        seen = st.container()  # what the folder holds is shown right below its field
        with st.container(horizontal=True):
            usable, better = usable_pair(studio.home())
            models = {model.name: model for model in list_models(studio.home())}
            pair = st.selectbox(
                "Models",
                PAIRS,
                index=PAIRS.index(usable),
                format_func=lambda pair: _pair_words(pair, models),
                key="new_models",
                width=470,
            )
            modality: Literal["optical", "sar", "multispectral"] = st.selectbox(
                "Sensor", ["optical", "multispectral", "sar"], key="new_modality", width=180
            )
        st.caption(f"Licence: {plain('; '.join(dict.fromkeys(models[name].licence for name in pair)))}")
        for model in [models[name] for name in pair if not models[name].installed]:
            st.warning(f"{plain(model.title)} is not installed yet.", icon=":material/deployed_code_alert:")
            model_buttons(model.name, key="new")
        if better:
            st.caption(f":material/deployed_code: {better}")
        together, block_km = _neighbours()
        teacher, student = pair
        root = Path(folder.strip())
        wanted = AskedProject(name.strip() or root.name, root, labels.strip(), True, None, modality, teacher, student)
        wanted = replace(wanted, together=together, block_km=block_km)
        with seen:
            ready = _preview(wanted, source, data_set) if folder.strip() else None
        if st.button("Create the project", icon=":material/add:", type="primary", disabled=not ready):
            asked = ready
            project_requests.ask_project(asked)
        if asked is not None:
            _create(asked)


def _neighbours() -> tuple[KeepTogether | None, float | None]:
    """How neighbours are told, and how wide blocks of ground are where the place tells it; None chooses a width."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        together = st.selectbox(
            "Keep neighbours together",
            list(KEPT_TOGETHER),
            format_func=lambda told: KEPT_TOGETHER[told],
            key="new_together",
            help="Neighbouring images leak: what is learnt from one is known of the other, so figures on it promise "
            "too much. Neighbours then stay on one side of every split. Groups and near-copies always do.",
        )
        if together != "place":
            return together, None
        block_km = st.number_input(
            "Width of a block, km",
            min_value=0.01,
            max_value=1000.0,
            value=None,
            placeholder="chosen for you",
            key="new_block_km",
            width=220,
            help="Images in one block of ground stay on one side of every split. Left empty, a width is chosen at "
            "which a block holds about ten neighbouring images.",
        )
    return together, block_km


def _pair_words(pair: tuple[str, str], models: dict[str, Model]) -> str:
    """A pair in the list: what it is, whether it is installed, how much it takes."""
    both = [models[name] for name in pair]
    here = "installed" if all(model.installed for model in both) else "not installed"
    return f"{_PAIRS[pair]} · {here} · {size(sum(model.size_bytes for model in both))}"


def draw_panel(project: ProjectSummary) -> None:
    """Where no test images were drawn yet: how far the labels are, and the button that draws."""
    if project.drawn or not project.classes:
        return
    short = [entry.prompt_name for entry in project.classes if entry.count < 2]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if short:
            some = ", ".join(short[:4]) + (f" and {len(short) - 4:,} more" if len(short) > 4 else "")
            text = f"Each class needs at least two labelled images before the split can be drawn; missing: {some}."
        else:
            text = "Every class has enough labels. More give better figures: 10 to 20 per class are a good start."
        st.markdown(f":material/lock: **No validation and test images yet.** {text}", width="stretch")
        with st.popover("Draw the split", disabled=bool(short)):
            st.markdown(
                "Half of the labelled images become the sealed test set, the rest training and validation images. "
                "This happens **once**: later labels only add training images. Students trained before then have "
                "already seen some of the test set."
            )
            if st.button("Draw and seal", icon=":material/lock:", type="primary"):
                splits = draw_splits(studio.home(), project.id)
                notices.say_after_rerun(f"{len(splits.test):,} test images are sealed")
                st.rerun()


def _catalog() -> str:
    """Choose a data set of the paper, and read what it is; nothing is downloaded, a person brings the folder."""
    chosen = st.selectbox(
        "Data set",
        [name for name, entry in DATA_SETS.items() if entry.classes],
        format_func=lambda name: DATA_SETS[name].title,
        key="new_data_set",
        width=260,
    )
    entry = DATA_SETS[chosen]
    st.caption(
        f"{len(entry.classes)} classes, {entry.images:,} images of {entry.image_size} px ({entry.layout}) · "
        f"{entry.source} · {entry.licence}"
    )
    carried = f"`avion datasets get {chosen} FOLDER` fetches it" if entry.hub else "No hub is known to carry it"
    st.caption(
        f":material/download: [Publisher's page]({entry.page}). {carried}; `avion datasets verify FOLDER` says whether "
        "a copy is whole."
    )
    return chosen


def _preview(wanted: AskedProject, source: str, data_set: str) -> AskedProject | None:
    """What the folder holds, and the recipe its rasters need; None when it cannot become a project."""
    try:
        look = _look(studio.home(), str(wanted.root))
        if source == _FOLDER and look.label_table and _take_labels(look.label_table):
            wanted = replace(wanted, labels=str(look.label_table))
        by_folders = source == _FOLDER and not wanted.labels
        if wanted.labels:
            _say_labels(look, look_at_labels(studio.home(), wanted.root, Path(wanted.labels)))
        elif source in (_TABLE, _CAPTIONS):
            st.caption(f":material/arrow_upward: {look.pictures:,} pictures found. Now name the file above.")
            return None
        else:
            _say_what(look)
        if data_set and look.data_set != data_set:
            st.warning(
                f"The class folders do not match {DATA_SETS[data_set].title}. Choose the folder that its archive "
                "unpacks to; for another layout, choose a plain folder instead.",
                icon=":material/warning:",
            )
        class_folders, order = True, None
        if by_folders and look.layout.question:
            order = _ask_order(look.layout)
        elif by_folders and look.classes:
            class_folders = st.toggle("The folders are the classes", value=True, key="new_class_folders")
        recipe = None
        if look.recipe is not None:
            st.markdown(
                f"**These rasters hold {look.bands} bands or more than 8 bits.** One recipe renders them all, so "
                "that the same ground always looks the same. It is suggested from the first; check the pictures below."
            )
            recipe = recipe_form(f"new_recipe_{wanted.root}", look.recipe, look.samples)
        else:
            gallery(look.samples, [sample.name for sample in look.samples], RenderingRecipe(), columns=6, side=120)
    except AvionError as error:
        show_error(error)
        return None
    if by_folders and look.layout.question and order is None:
        return None
    root = wanted.root if wanted.labels else look.root  # a table's paths begin at the folder that was given
    return replace(wanted, root=root, class_folders=class_folders, order=order, recipe=recipe)


def _take_labels(table: Path) -> bool:
    """Whether a table that lies in the folder says the labels, rather than the folders."""
    return st.toggle(
        f"Take the labels from {plain(table.name)}",
        value=True,
        key="new_found_table",
        help="It lies in this folder and names its pictures; those that it does not name are unlabelled. Off: each "
        "folder is a class.",
    )


def _ask_order(layout: Layout) -> FolderOrder | None:
    """What the folders are, where they can be read in more than one way; None until somebody says it."""
    st.warning(plain(layout.question), icon=":material/account_tree:")
    return st.radio(
        "What are the folders?", layout.choices, index=None, format_func=lambda order: _ORDERS[order], key="new_order"
    )


def _say_what(look: FolderLook) -> None:
    known = f" These are the classes of **{DATA_SETS[look.data_set].title}**." if look.data_set else ""
    names = ", ".join(look.classes[:6]) + (" …" if len(look.classes) > 6 else "")
    folders = f" in {len(look.classes):,} folders ({names})" if look.classes else ", without class folders"
    st.markdown(f":material/search: **{look.pictures:,} pictures**{folders}.{known}")


def _say_labels(look: FolderLook, labels: LabelLook) -> None:
    """What the label table makes of the folder: its classes, what is labelled and what is not, what does not fit."""
    labelled = sum(labels.classes.values())
    splits = ", ".join(f"{count:,} {name}" for name, count in labels.splits.items())
    given = f" · given splits: {splits}" if splits else ""
    st.markdown(
        f":material/search: **{look.pictures:,} pictures: {labelled:,} labelled, {labels.unlabelled:,} unlabelled** · "
        f"{counted(len(labels.classes), 'class', 'classes')}{given}"
    )
    if labels.classes:
        st.dataframe(
            pd.DataFrame({"class": list(labels.classes), "labelled pictures": list(labels.classes.values())}),
            hide_index=True,
            height=min(38 + 35 * len(labels.classes), 250),
            width=420,
            alt="Classes of the label table with their numbers of pictures",
        )
    if labels.problems:
        with st.expander(f"{counted(len(labels.problems), 'row')} of the table do not fit", icon=":material/warning:"):
            st.dataframe(
                pd.DataFrame({"file": p.path, "what is wrong": p.message} for p in labels.problems[:_SHOWN_PROBLEMS]),
                hide_index=True,
                alt="Rows of the label table that do not fit",
            )


@st.cache_data(max_entries=16, ttl=60, show_spinner="Reading the folder")
def _look(_home: Home, folder: str) -> FolderLook:
    return look_into(_home, Path(folder))


def _create(asked: AskedProject) -> None:
    def create(progress: Progress) -> ProjectSummary:
        return create_project(
            studio.home(),
            asked.name,
            asked.root,
            labels=Path(asked.labels) if asked.labels else None,
            class_folders=asked.class_folders,
            order=asked.order,
            together=asked.together,
            block_km=asked.block_km,
            recipe=asked.recipe,
            teacher=asked.teacher,
            student=asked.student,
            modality=asked.modality,
            progress=progress,
        )

    try:
        project = computed(f"create:{hash(asked)}", f"Reading {asked.root}", create)
    except AvionError:
        project_requests.ask_project(None)
        raise
    project_requests.ask_project(None)
    drafts.forget("new_")
    address.choose(address.PROJECT, project.id)
    notices.say_after_rerun(f"{project.name} is open")
    st.rerun()
