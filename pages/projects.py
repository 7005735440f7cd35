"""Projects: open the demo or a folder, see what is in it, correct class names, and what to do next."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.projects.moving_forms import moved_images, moving_forms
from app.components.projects.next_step import next_step
from app.components.projects.overview import ladder_panel, mosaic
from app.components.projects.project_forms import KEPT_TOGETHER, draw_panel, project_form
from app.components.projects.project_settings import project_settings
from app.components.projects.project_tables import class_table, problem_table
from app.kit.guard import plain
from app.state import address, studio, visitor
from avion_core.usecases.policies import CHANGE_PROJECTS
from avion_core.usecases.projects.summaries import ProjectSummary, get_project, read_projects
from avion_core.usecases.transfer.whole_projects import archive_project
from avion_core.wording import counted


def page() -> None:
    home = studio.home()
    projects, damaged = read_projects(home)
    for project in damaged:
        st.warning(plain(f"{project.name} cannot be read. {project.problem}"), icon=":material/heart_broken:")
    chosen = address.project_id()
    if chosen is None:
        welcome()
        project_form(opened=True)
        listed(projects)
        return
    project = get_project(home, chosen)
    figures(project)
    moved_images(project)
    next_step(project)
    ladder_panel(project)
    mosaic(project)
    draw_panel(project)
    classes, problems, other = st.tabs(["Classes", f"Problems found ({len(project.problems)})", "All projects"])
    with classes:
        class_table(project)
    with problems:
        problem_table(project)
    with other:
        all_projects(projects)
    project_settings(project)
    project_form()
    moving_forms(project)


def welcome() -> None:
    with st.container(border=True):
        st.markdown("#### :material/satellite_alt: Try the whole workflow in a few minutes")
        st.markdown(
            "The bundled demo has real aerial images, descriptions by two writers and a small pair of models. Review "
            "descriptions, train a student, and look at its map. Nothing leaves this computer, and no network is "
            "needed. Or begin with your own images, below."
        )
        with st.container(horizontal=True):
            demos(primary=True)


def demos(*, primary: bool) -> None:
    shell.demo_button("Open the demo", primary=primary)
    shell.demo_button("EuroSAT demo", "eurosat", primary=False)


def figures(project: ProjectSummary) -> None:
    counts = {"Images": project.images, "Labelled": project.labelled, "Classes": len(project.classes)}
    counts |= {"Descriptions": project.descriptions, "Judged by people": project.judged}
    with st.container(horizontal=True):
        for title, count in counts.items():
            st.metric(title, f"{count:,}", border=True)
    shell.say_without_pictures(project)
    st.caption(
        f":material/folder: {plain(project.image_root)} · teacher **{project.teacher}** · student **{project.student}**"
        + (f" · neighbours kept together: {KEPT_TOGETHER[project.together]}" if project.together else "")
    )


def all_projects(projects: list[ProjectSummary]) -> None:
    listed(projects)
    with st.container(horizontal=True):
        demos(primary=False)


def listed(projects: list[ProjectSummary]) -> None:
    """Every project, with the button that opens it, or restores it from the archive."""
    for project in projects:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            parts = (project.images, "image", ""), (len(project.classes), "class", "classes")
            size = " · ".join(counted(*part) for part in (*parts, (project.descriptions, "description", "")))
            archived = " · :gray-badge[:material/archive: archived]" if project.archived else ""
            st.markdown(f"**{plain(project.name)}** · {size}{archived}", width="stretch")
            if project.archived:
                if st.button("Restore", key=f"unarchive_{project.id}", disabled=not visitor.may(CHANGE_PROJECTS)):
                    archive_project(studio.home(), project.id, archived=False)
                    address.choose(address.PROJECT, project.id)
                    st.rerun()
            elif st.button("Open", key=f"open_{project.id}"):
                address.choose(address.PROJECT, project.id)
                st.rerun()


page()
