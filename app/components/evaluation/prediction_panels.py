"""Parts of the predict page: what a student, or the teacher, says of new images, and what it finds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from app.components.evaluation import evaluation_charts
from app.kit import charts
from app.kit.background import computed
from app.kit.gallery import gallery, paged_gallery, thumbnail, tiny_picture
from app.kit.guard import plain
from app.shell import choose_run, run_names
from app.state import address, studio, visitor, widgets
from avion_core.data.scan import SUFFIXES
from avion_core.data.tables import table_csv
from avion_core.progress import Progress
from avion_core.usecases import policies
from avion_core.usecases.insight.image_search import Search, search
from avion_core.usecases.insight.prediction import (
    Predictions,
    Uploads,
    fingerprint,
    image_files,
    predict,
    predict_with_teacher,
)
from avion_core.usecases.insight.teacher_state import teacher_state
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.projects.uploads import MOST_MB
from avion_core.usecases.runs.views import RunView
from avion_core.wording import counted

Names = Mapping[str, str]

_TOP = 5
_MOST_PICTURES = 500
"""In the cells of a table: it is sent to the browser as a whole."""
_TYPES = [suffix.removeprefix(".") for suffix in SUFFIXES]
_HASH = 32  # characters of the hash that names uploaded pictures in the address: nobody guesses another's
_NOT_SURE, _ODD = "not sure", "odd"


def chosen_files() -> tuple[Uploads | list[Path], list[str]]:
    """The images to classify, and their names as a person knows them; none yet: an invitation."""
    files = st.file_uploader(
        "Images",
        type=_TYPES,
        accept_multiple_files=True,
        max_upload_size=MOST_MB,
        key="predict_images",
        help="Read with this project's rendering recipe: a GeoTIFF's bands and stretch are those of the project.",
    )
    folder = ""
    if visitor.may(policies.CHANGE_PROJECTS):
        folder = st.text_input(
            "Or a folder on this computer",
            key="predict_folder",
            bind="query-params",
            placeholder="/data/new-scenes",
            help="With the folders in it. Of a shared studio: on the computer that serves it.",
        )
    if files:
        contents = [(file.name, file.getvalue()) for file in files]
        key = hashlib.sha256(b"".join(hashlib.sha256(name.encode() + content).digest() for name, content in contents))
        address.choose(address.PICTURES, key.hexdigest()[:_HASH])
        uploads = _uploads(key.hexdigest()[:_HASH], contents)
        return uploads, uploads.names
    if folder.strip():
        paths, left_out = image_files(studio.home(), [Path(folder.strip())])
        if left_out:
            st.warning(plain("\n\n".join(left_out)), title="Left out")
        top = os.path.commonpath([path.parent for path in paths]) if paths else ""
        return paths, [os.path.relpath(path, top) for path in paths]
    if before := address.asked(address.PICTURES):
        try:
            uploads = _uploads(before, None)
        except LookupError:
            address.choose(address.PICTURES, "")
            st.caption(":material/hourglass_disabled: The pictures of before are not kept any more: choose them again.")
            return [], []
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{counted(len(uploads.names), 'picture')} chosen before.", width="content")
            forget = {"on_click": address.choose, "args": (address.PICTURES, "")}
            st.button("Clear them", key="forget_pictures", icon=":material/close:", type="tertiary", **forget)
        return uploads, uploads.names
    st.caption("Drop some images above. They stay on this computer, and are removed once others have come.")
    return [], []


@st.cache_resource(max_entries=8, show_spinner=False)
def _uploads(key: str, _contents: list[tuple[str, bytes]] | None) -> Uploads:
    """`key` is a hash of the contents: the same files are written once, and removed when others have come.

    Raises:
        LookupError: no contents, and none of this key are kept.
    """
    if _contents is None:
        raise LookupError(key)
    return Uploads(_contents)


def model_selector(runs: Sequence[RunView], name: str, *, teacher_first: bool = False) -> RunView | None:
    """Choose whose eyes: the student of one of the runs, or, needing none, the teacher's, which is None.

    Args:
        name: the choice's name in the address.
    """
    by_id = {run.id: run for run in runs}
    students = {key: f"Student of {name}" for key, name in run_names(runs).items()}
    teacher = {address.TEACHER: "Teacher, untrained"}
    return by_id.get(choose_run("Model", name, teacher | students if teacher_first else students | teacher))


def classified(project: ProjectSummary, run: RunView | None, images: Uploads | list[Path], names: list[str]) -> None:
    """Classes of the images: a table, and for the chosen row its probabilities and nearest training images.

    Args:
        run: whose student classifies; None for the teacher.
    """
    home, paths = studio.home(), images.paths if isinstance(images, Uploads) else images

    def classify(progress: Progress) -> Predictions:
        if run is None:
            return predict_with_teacher(home, project.id, images, progress=progress)
        return predict(home, run.id, images, progress=progress)

    seen_by = f"{run.id}:{run.step}" if run else f"teacher:{project.id}:{teacher_state(home, project.id)}"
    found = computed(f"predict:{seen_by}:{fingerprint(paths)}", f"Classifying {counted(len(paths), 'image')}", classify)
    st.caption(plain(found.says))
    if found.problems:
        st.warning(
            "\n\n".join(map(plain, found.problems)), title=f"Cannot be read: {counted(len(found.problems), 'file')}"
        )
    least = st.slider(
        "Minimum probability",
        0,
        100,
        0,
        format="%d %%",
        width=360,
        key="predict_least",
        help="Below it, the class shows as “not sure”; the export keeps the prediction.",
    )
    by_path = dict(zip(map(str, paths), names, strict=True))
    table = found.table.assign(file=found.table["path"].map(by_path))
    plausible = table["odd"] == ""
    sure = (table["probability"] >= least / 100) & plausible
    shown = pd.DataFrame(
        {
            "file": table["file"],
            "class": table["prompt_name"].where(sure, _NOT_SURE).where(plausible, _ODD),
            "probability": (100 * table["probability"]).where(plausible),
            "margin": (100 * table["margin"]).where(plausible),
            "runner-up": table["runner_up"].map(_names(project)).where(plausible, ""),
        }
    )
    if not plausible.all():
        shown["what is odd"] = table["odd"]
    if len(table) <= _MOST_PICTURES:
        shown.insert(0, "picture", [tiny_picture(path, project.recipe) for path in table["path"]])
    odd, unsure = int((~plausible).sum()), int((~sure & plausible).sum())
    with st.container(horizontal=True, vertical_alignment="center"):
        said = f"**{len(table):,}** images · **{unsure:,}** not sure" + (f" · **{odd:,}** odd" if odd else "")
        st.markdown(said, width="stretch")
        found_at = table["file"] if isinstance(images, Uploads) else table["path"]  # uploads lie where nobody looks
        export = table.assign(sure=sure, file=found_at).drop(columns=["path"])
        export.insert(0, "file", export.pop("file"))
        st.download_button(
            "Export as CSV",
            table_csv(export),
            "predictions.csv",
            "text/csv",
            icon=":material/download:",
        )
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        shown,
        hide_index=True,
        key="predicted",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "picture": st.column_config.ImageColumn(width=60),
            "probability": percent,
            "margin": percent,
            "what is odd": st.column_config.TextColumn(width="large"),
        },
        alt="Predictions: a row per image",
    )
    if odd:
        st.caption("Odd: unlike the project's images, so its class would say little. The export has it all the same.")
    if found.temperature is None:
        st.caption("Probabilities as the model gives them: too few validation images to calibrate them.")
    else:
        st.caption(f"Probabilities calibrated with temperature {found.temperature:.2f}, fitted on validation images.")
    st.caption(found.far_limit)
    row = (widgets.selected_rows("predicted") or [0])[0]
    if row < len(table):
        detail(project, found, row, str(table["file"].iloc[row]))
    if len(table) > 1:
        with st.expander("All pictures", icon=":material/grid_view:", expanded=len(table) <= 24):
            captions = [
                f"{Path(file).name} · {name}" + ("" if pd.isna(share) else f" · {share:.0f} %")
                for file, name, share in zip(shown["file"], shown["class"], shown["probability"], strict=True)
            ]
            paged_gallery(table["path"].tolist(), captions, project.recipe, key="predicted_page")


def detail(project: ProjectSummary, found: Predictions, row: int, name: str) -> None:
    """One image: the picture, its most probable classes, and the training images it looks like."""
    names = _names(project)
    record = found.table.iloc[row]
    probabilities = {
        names.get(column.removeprefix("p_"), column.removeprefix("p_")): 100 * float(record[column])
        for column in found.table.columns
        if column.startswith("p_")
    }
    top = pd.DataFrame(
        sorted(probabilities.items(), key=lambda pair: -pair[1])[:_TOP], columns=["class", "probability"]
    )
    left, middle, right = st.columns([1, 2, 2], gap="medium")
    with left:
        picture = thumbnail(str(record["path"]), project.recipe)
        if picture is not None:
            st.image(picture, width="stretch", alt=name)
        st.caption(plain(name))
    with middle:
        if record["odd"]:
            st.warning(plain(record["odd"]), title="Odd for this project", icon=":material/help:")
        st.markdown("**Most probable classes**" + (", if it were one of them" if record["odd"] else ""))
        st.plotly_chart(
            evaluation_charts.shares(top),
            config=charts.QUIET,
            key="top_classes",
            alt=f"Most probable classes of {name}",
        )
    with right:
        st.markdown("**Training images it looks like**")
        near = found.nearest[row]
        if not near:
            st.caption("There is none yet: label a few images of each class.")
            return
        captions = [f"{names.get(one.class_key, one.class_key)} · {one.similarity:.2f}" for one in near]
        gallery([one.path for one in near], captions, project.recipe, columns=4, side=64)
        st.caption("The nearest training images, by the model's cosine similarity.")
        if record["trained_on"]:
            st.caption(":material/info: This is one of the training images, so the confidence means little here.")


def image_search(project: ProjectSummary, runs: Sequence[RunView]) -> None:
    """Pictures of the project by words, or by another picture."""
    by = st.segmented_control(
        "Search by",
        ["words", "a picture"],
        default="words",
        required=True,
        key="search_by",
        bind="query-params",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = _words() if by == "words" else _picture()
        run = model_selector(runs, address.SEARCH_MODEL, teacher_first=True)
    if not wanted:
        hint = "Describe what the pictures should show." if by == "words" else "Drop a picture to find images like it."
        st.caption(f"{hint} The first search embeds all images of the project.")
        return
    home = studio.home()

    def find(progress: Progress) -> Search:
        return search(home, project.id, wanted, run.id if run else None, progress=progress)

    asked = wanted if isinstance(wanted, str) else f"picture:{fingerprint(wanted.paths[:1])}"
    seen_by = f"{run.id}:{run.step}" if run else f"{project.id}:teacher"
    found = computed(f"search:{seen_by}:{project.revision}:{asked}", "Embedding the project's images", find)
    st.markdown(f"The best {len(found.table):,} of {found.searched:,} images")
    names = _names(project)
    captions = [
        f"{score:.3f} · {names.get(label, label) or 'unlabelled'}"
        for score, label in zip(found.table["score"], found.table["class_key"], strict=True)
    ]
    paged_gallery(found.table["path"].tolist(), captions, project.recipe, key="search_page")
    model = "student" if run else "teacher"
    st.caption(
        f"The score is the cosine between what was asked for and the picture as the {model} sees them: it orders "
        f"pictures and is no probability. The {found.sealed:,} sealed test images are left out."
    )


def _words() -> str:
    return st.text_input(
        "Search the project's images",
        placeholder="a harbour with many small boats",
        key="search",
        bind="query-params",
    ).strip()


def _picture() -> Uploads | None:
    file = st.file_uploader(
        "Find images like this one",
        type=_TYPES,
        max_upload_size=MOST_MB,
        key="search_picture",
        width=420,
    )
    if file is None:
        return None
    content = file.getvalue()
    return _uploads(hashlib.sha256(content).hexdigest()[:_HASH], [(file.name, content)])


def _names(project: ProjectSummary) -> dict[str, str]:
    return {entry.key: entry.prompt_name for entry in project.classes}
