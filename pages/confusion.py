"""Confusion to text: classes that are taken for each other, the texts behind it, and texts that tell them apart."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.evaluation.evaluation_panels import cell_choice
from app.components.writing.contrast import ask_button, contrast_form, contrasts_panel, pulling_panel
from app.kit.background import Progress, computed
from app.kit.gallery import paged_gallery
from app.kit.guard import empty_state, end_page, plain
from app.state import address, confusion_cell, studio
from avion_core.usecases.curation.rules import current_rules
from avion_core.usecases.insight.confusion import Confusions, Judge, confusions, refreshed
from avion_core.usecases.insight.figure_words import right_of
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.runs.choices import trains_student
from avion_core.usecases.runs.views import RunView, list_runs
from avion_core.wording import counted

_JUDGES: dict[Judge, str] = {"student": "A trained student", "teacher": "The teacher's text prototypes"}


def page() -> None:
    project = shell.need_project()
    need_texts(project)
    judge, run = whose()
    found = refreshed(studio.home(), looked_at(project, run))
    names = {entry.key: entry.prompt_name for entry in project.classes}
    keys = list(found.curation.class_keys)
    matrix = found.matrix(judge)
    hits = sum(row[place] for place, row in enumerate(matrix))
    whom = "Teacher's text prototypes" if judge == "teacher" else "This student"
    said = right_of(hits, len(found.images))
    st.caption(f"{whom}: {said} on the validation images. The sealed test set is not used.")
    left, right = st.columns([3, 2], gap="large")
    with left:
        cell = cell_choice(confusion_cell.texts_matrix(project.id), keys, matrix, names)
    with right:
        cell_pictures(project, found, judge, cell, names)
        if cell[0] != cell[1]:
            ask_button(cell)
    if cell[0] == cell[1]:
        st.info("Choose a cell off the diagonal to see the texts of its two classes.", icon=":material/info:")
        return
    pulling_panel(found, cell, judge, names, blind=found.blind)
    contrasts_panel(found, cell, names, blind=found.blind)
    contrast_form(project, found, cell, names)


def need_texts(project: ProjectSummary) -> None:
    """Labels, held-out images and some descriptions; else an empty state, and the page ends."""
    shell.need_labels(project)
    if not any(entry.validation for entry in project.classes):
        text = "Confusions are counted on validation images: label two images or more of each class, then draw them."
        with empty_state("rule", "No validation image yet", text):
            shell.go_button("Label and draw images", "label", "label")
        end_page()
    if not project.descriptions:
        text = "This page shows which texts pull two classes together: it needs descriptions."
        with empty_state("description", "No descriptions yet", text):
            shell.import_button()
        end_page()


def whose() -> tuple[Judge, RunView | None]:
    """Whose mistakes: a trained student's where there is one, or the teacher's."""
    finished = [run for run in list_runs(studio.home(), address.project_id()) if run.state == "finished"]
    runs = [run for run in finished if trains_student(run)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        judges = list(_JUDGES) if runs else ["teacher"]
        chosen = st.segmented_control(
            "Mistakes of",
            judges,
            default=judges[0],
            required=True,
            format_func=_JUDGES.__getitem__,
            key="confusion_judge",
        )
        run = shell.run_selector(runs) if runs else None
    return ("student" if chosen == "student" else "teacher"), run


def looked_at(project: ProjectSummary, run: RunView | None) -> Confusions:
    """The validation images as everybody sees them, computed beside the page at the first look."""
    home, run_id = studio.home(), run.id if run else None
    state = (
        project.descriptions,
        project.revision,
        current_rules(home, project.id)[2],
        [(entry.key, entry.prompt_name) for entry in project.classes],
    )

    def look(progress: Progress) -> Confusions:
        return confusions(home, project.id, run_id, progress=progress)

    return computed(f"confusion:{project.id}:{run_id}:{state}", "Classifying the validation images", look)


def cell_pictures(
    project: ProjectSummary, found: Confusions, judge: Judge, cell: tuple[str, str], names: dict[str, str]
) -> None:
    """The validation images of a cell."""
    paths = found.pictures(judge, *cell)
    st.markdown(f"**{plain(names[cell[0]])}** taken for **{plain(names[cell[1]])}**: {counted(len(paths), 'image')}")
    if not paths:
        st.caption("No image. Click another cell, or choose one from the list.")
    else:
        paged_gallery(paths, [path.name for path in paths], project.recipe, key=f"pair_page_{'_'.join(cell)}")


page()
