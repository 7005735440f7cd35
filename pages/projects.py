"""Projects: open the demo or a folder, see what is in it, mend class names, and what to do next."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import session, shell
from app.components.guard import empty_state
from app.components.project_forms import import_form, project_form
from app.components.project_life import moved_images, project_life
from avion_core.studio.classes import rename_class
from avion_core.studio.projects import ProjectSummary, get_project, list_projects
from avion_core.studio.training import list_runs


def page() -> None:
    home = session.home()
    projects = list_projects(home)
    if not projects:
        welcome()
        project_form()
        return
    chosen = session.project_id()
    project = get_project(home, chosen or projects[0].id)
    figures(project)
    moved_images(project)
    next_step(project)
    classes, problems, other = st.tabs(["Classes", f"Problems found ({len(project.problems)})", "All projects"])
    with classes:
        class_table(project)
    with problems:
        problem_table(project)
    with other:
        all_projects(projects)
    import_form(project)
    project_form()
    project_life(project)


def welcome() -> None:
    actions = empty_state(
        "satellite_alt",
        "See the whole job in a few minutes",
        "The bundled demo has real aerial images, descriptions by two writers and a small pair of models. Review "
        "descriptions, train a student, and look at its map. Nothing leaves this computer, and no network is needed.",
    )
    with actions:
        shell.demo_button("Open the demo")
        shell.demo_button("EuroSAT demo", "eurosat", primary=False)


def figures(project: ProjectSummary) -> None:
    judged = sum(project.verdicts.values())
    with st.container(horizontal=True):
        st.metric("Images", f"{project.images:,}", border=True)
        st.metric("Labelled", f"{project.labelled:,}", border=True)
        st.metric("Classes", f"{len(project.classes):,}", border=True)
        st.metric("Descriptions", f"{project.descriptions:,}", border=True)
        st.metric("Judged by people", f"{judged:,}", border=True)
    st.caption(
        f":material/folder: {project.image_root} · teacher **{project.teacher}** · student **{project.student}**"
    )


def next_step(project: ProjectSummary) -> None:
    """The one thing to do next, with its button."""
    runs = list_runs(session.home(), project.id)
    judged = sum(project.verdicts.values())
    if not project.descriptions:
        text, button = "Descriptions are missing: import a file below, then review them.", None
    elif any(run.state == "finished" for run in runs):
        text, button = "A student is trained. See what it gained.", ("Look at its map", "alignment", "scatter_plot")
    elif any(run.state in ("queued", "running") for run in runs):
        text, button = "A student is being trained.", ("Watch it", "runs", "monitoring")
    elif judged == 0:
        text, button = "Descriptions wait for your eyes.", ("Review descriptions", "review", "rate_review")
    else:
        text = f"{judged:,} descriptions are judged. Train a student, or go on reviewing."
        button = ("Train a student", "launch", "rocket_launch")
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/arrow_forward: **Next:** {text}", width="stretch")
        if button:
            shell.go_button(*button)


def class_table(project: ProjectSummary) -> None:
    """Class keys with counts; the prompt name is edited in place."""
    table = pd.DataFrame(
        {"class": entry.key, "prompt name": entry.prompt_name, "images": entry.count} for entry in project.classes
    ).set_index("class")
    edited = st.data_editor(
        table,
        disabled=["images"],
        key=f"classes_{project.id}",
        column_config={
            "prompt name": st.column_config.TextColumn(
                help="The words that stand for the class in every prompt.", required=True, max_chars=80
            ),
            "images": st.column_config.ProgressColumn(
                "labelled images", format="%d", min_value=0, max_value=int(table["images"].max())
            ),
        },
        alt="Classes with their prompt names and numbers of labelled images",
    )
    changed = edited["prompt name"][edited["prompt name"] != table["prompt name"]]
    for class_key, name in changed.items():
        rename_class(session.home(), project.id, str(class_key), name, who=session.reviewer())
    if len(changed):
        session.say_after_rerun("Prompt name saved")
        st.rerun()


def problem_table(project: ProjectSummary) -> None:
    if not project.problems:
        st.markdown(":material/check_circle: Every file could be read, and no class names collide.")
        return
    st.dataframe(
        pd.DataFrame({"kind": p.kind, "file": p.path, "what to do": p.message} for p in project.problems),
        hide_index=True,
        alt="Problems found in the image folder",
    )


def all_projects(projects: list[ProjectSummary]) -> None:
    for project in projects:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{project.name}** · {project.images:,} images · {len(project.classes):,} classes · "
                f"{project.descriptions:,} descriptions",
                width="stretch",
            )
            if st.button("Open", key=f"open_{project.id}"):
                session.choose(session.PROJECT, project.id)
                st.rerun()
    with st.container(horizontal=True):
        shell.demo_button("Open the demo", primary=False)
        shell.demo_button("EuroSAT demo", "eurosat", primary=False)


page()
