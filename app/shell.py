"""What pages need before they can begin: a project, descriptions, a run; where one lacks, the button that helps."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, Literal, NoReturn

import streamlit as st

from app.kit.guard import empty_state, end_page, plain
from app.kit.job_panel import how_far
from app.state import address, notices, sent_lists, studio, visitor, widgets
from avion_core.errors import NotFoundError
from avion_core.usecases import policies
from avion_core.usecases.jobs import active_jobs
from avion_core.usecases.projects.creating import Demo, open_demo
from avion_core.usecases.projects.summaries import ProjectSummary, get_project
from avion_core.usecases.runs.choices import trains_student
from avion_core.usecases.runs.views import RunView, list_runs
from avion_core.usecases.transfer.relink import root_is_there


def go(page: str) -> NoReturn:
    """Open another page, and end this one.

    The address is emptied by name: what Streamlit does by default refuses while a filter is bound to it.
    """
    st.switch_page(f"../pages/{page}.py", query_params={})


def go_button(label: str, page: str, icon: str, *, primary: bool = True) -> None:
    """A button that leads to another page."""
    kind = "primary" if primary else "secondary"
    if st.button(label, icon=f":material/{icon}:", type=kind, key=f"go_{page}_{label}"):
        go(page)


EXCHANGE_TAB, IMPORT_TAB = "exchange_tab", "Import"


def import_button(kind: Literal["primary", "secondary", "tertiary"] = "primary") -> None:
    """A button that leads to the one form by which descriptions are imported."""
    # Before the run: on the page itself the tabs are drawn already.
    show = {"on_click": widgets.fill, "args": (EXCHANGE_TAB, IMPORT_TAB)}
    if st.button("Import descriptions", icon=":material/upload_file:", type=kind, key="go_import", **show):
        go("exchange")


def sheet_button(class_key: str, name: str) -> None:
    """A button that opens the class sheet at this class."""
    if st.button(f"All texts of {plain(name)}", icon=":material/view_list:", type="tertiary", key="go_sheet"):
        address.choose(address.SHEET_CLASS, class_key)
        go("sheet")


def need_project() -> ProjectSummary:
    """The current project; without one, an empty state that opens the demo, and the page ends."""
    chosen = address.project_id()
    if chosen is None:
        actions = empty_state(
            "satellite_alt",
            "No project yet",
            "A project is a folder of images with a few labels per class. The bundled demo has 21 classes of real "
            "aerial images with descriptions, and works offline.",
        )
        with actions:
            demo_button("Open the demo")
            go_button("Use my own images", "projects", "create_new_folder", primary=False)
        end_page()
    project = get_project(studio.home(), chosen)
    say_without_pictures(project)
    if not root_is_there(project):
        with st.container(border=True, horizontal=True, vertical_alignment="center", key="moved_images"):
            st.markdown(f":material/folder_off: **The images are not in {plain(str(project.image_root))} any more.**")
            go_button("Re-link the images", "projects", "drive_file_move", primary=False)
    return project


def say_without_pictures(project: ProjectSummary) -> None:
    """What a project made from embeddings lacks; nothing of others."""
    if not project.pictures:
        st.caption(
            ":material/hide_image: This project was made from embeddings: there are no pictures to show, texts stay "
            "as they are in its file, and only methods that train on embeddings can be run."
        )


def need_labels(project: ProjectSummary) -> None:
    """Two classes with training images; without them, an empty state that leads to them, and the page ends.

    Descriptions are judged by their class's images, so those of a class that has none yet wait; the page says so.
    """
    waiting = [entry.prompt_name for entry in project.classes if not entry.train]
    if len(project.classes) - len(waiting) > 1:
        if waiting:
            named = ", ".join(map(plain, waiting[:5])) + (f" and {len(waiting) - 5} more" if len(waiting) > 5 else "")
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(f":material/label_off: Left out until an image is labelled: {named}.", width="content")
                go_button("Label images", "label", "label", primary=False)
        return
    text = "Two classes with a few labelled images each are needed before texts can be compared with pictures."
    with empty_state("label", "Labels are missing", text):
        if len(project.classes) < 2:
            go_button("Add classes", "classes", "category")
        else:
            go_button("Label images", "label", "label")
    end_page()


def need_classes(project: ProjectSummary) -> None:
    """Two classes; without them, an empty state that leads to them, and the page ends."""
    if len(project.classes) < 2:
        text = "A picture is compared with the project's classes: two are needed, by their names alone."
        with empty_state("category", "Classes are missing", text):
            go_button("Add classes", "classes", "category")
        end_page()


def demo_button(label: str, which: Demo = "ucmerced", *, primary: bool = True) -> None:
    """Open a bundled demo project (made at the first press) and go to it."""
    kind = "primary" if primary else "secondary"
    may = visitor.may(policies.CHANGE_PROJECTS)
    if st.button(label, icon=":material/play_circle:", type=kind, key=f"open_demo_{which}", disabled=not may):
        with st.spinner("Opening the demo: reading images and descriptions"):
            project = open_demo(studio.home(), which)
        address.choose(address.PROJECT, project.id)
        notices.say_after_rerun(f"{project.name} is open")
        st.rerun()


def need_sent(to: str, known: Container[str]) -> list[str]:
    """What was sent to REVIEW_CARD or LABEL_GRID of the project's known ids, empty for everything.

    Where the list that the address names is not there, an empty state says so, and the page ends.
    """
    try:
        listed = sent_lists.sent(to)
        found = [item for item in listed if item in known]
        if listed and not found:
            raise NotFoundError(
                "the list was sent from another page, and none of it is in this project any more", "Show all."
            )
        return found
    except NotFoundError as error:
        with empty_state("link_off", "This list no longer exists", plain(str(error))):
            st.button("Show all", key="show_all", type="primary", on_click=sent_lists.forget, args=(to,))
        end_page()


def trained_runs(project: ProjectSummary) -> list[RunView]:
    """The project's runs that have something to show, the newest first."""
    return [run for run in list_runs(studio.home(), project.id) if run.state in ("finished", "stopped")]


def need_run(project: ProjectSummary, purpose: str, *, students: bool = True) -> RunView:
    """The run chosen above the page (kept in the address); without one, an empty state that leads to the launch.

    Args:
        students: only runs that leave a student; else those of methods that train none, too.
    """
    runs = [run for run in trained_runs(project) if not students or trains_student(run)]
    if not runs:
        title = "No finished training yet"
        of_project = (job for job in active_jobs(studio.home()) if job.project_id == project.id)
        if training := next((job for job in of_project if job.kind == "training"), None):
            title = f"No finished training yet: one is {how_far(training)}"
        with empty_state("rocket_launch", title, purpose):
            go_button("Train a student", "launch", "rocket_launch")
            go_button("Look at the runs", "runs", "monitoring", primary=False)
        end_page()
    return run_selector(runs)


def run_selector(runs: Sequence[RunView]) -> RunView:
    """Choose one of the runs; the address keeps the choice."""
    by_id = {run.id: run for run in runs}
    return by_id[choose_run("Run", address.RUN, run_names(runs))]


def run_names(runs: Sequence[RunView]) -> dict[str, str]:
    """Run id -> what a selector calls it."""
    return {run.id: f"{run.name} · {run.id[:8]}" for run in runs}


def choose_run(label: str, name: str, known: Mapping[str, str]) -> str:
    """A selector of runs, or of a run or the teacher; the address keeps the choice.

    Args:
        name: the choice's name in the address.
        known: id, or address.TEACHER -> what to call it; the first is shown where nothing is chosen.
    """
    return st.selectbox(
        label,
        list(known),
        format_func=known.__getitem__,
        key=address.selector(name, list(known)),
        on_change=address.take_selected,
        args=(name,),
        width=420,
    )


def page_asked(key: str) -> int:
    """Which page of a long list its `page_picker` shows; the first before it was drawn."""
    return int(widgets.typed(key) or 1)


def page_picker(key: str, page: int, pages: int) -> None:
    """Choose a page of a long list; nothing where there is one."""
    if pages > 1:
        if page != page_asked(key):
            widgets.fill(key, page)
        st.number_input(f"Page, of {pages:,}", 1, pages, key=key, width=160)


def nothing_passes(text: str, every: Mapping[str, Any]) -> None:
    """Say that filters let nothing pass, with the button that lets all pass.

    Args:
        every: filter -> the value at which it lets all pass.
    """

    def clear() -> None:
        for widget, value in every.items():
            widgets.fill(widget, value)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/filter_alt_off: {text}", width="content")
        st.button("Clear the filters", key="clear_nothing_passes", on_click=clear)
