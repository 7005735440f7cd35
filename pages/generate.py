"""Generate: have a language model write descriptions of the classes, and watch them come."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import shell
from app.components.projects.class_strip import class_mosaic
from app.components.writing.writing_form import show_key, show_plan, show_prompt, writing_form
from app.components.writing.writing_monitor import generation_monitor
from app.kit.background import computed
from app.kit.guard import empty_state, plain
from app.state import notices, studio, visitor
from avion_core.errors import AvionError
from avion_core.usecases import policies
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.writing.command_line import cli_command
from avion_core.usecases.writing.generations import list_generations
from avion_core.usecases.writing.ordering import order_descriptions, plan_writing, start


def page() -> None:
    project = shell.need_project()
    if not project.classes:
        with empty_state("category", "No classes yet", "Descriptions are generated per class: add classes first."):
            shell.go_button("Add classes", "classes", "category")
        return
    home = studio.home()
    generations = list_generations(home, project.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("No key for a writer? Any chat assistant will do: its reply can be imported.", width="content")
        shell.import_button("tertiary")
    if generations:
        with st.container(border=True):
            generation_monitor(project, generations[0])
    settings = writing_form(project)
    show_classes(project, settings.classes)
    show_key(settings)
    show_prompt(project, settings)
    orderable = True
    try:
        key = f"plan:{project.id}:{project.revision}:{project.descriptions}:{settings.model_dump_json()}"
        plan = computed(
            key,
            "Checking which descriptions exist",
            lambda progress: plan_writing(home, project.id, settings, progress),
        )
        show_plan(plan)
        orderable = bool(plan.estimate.descriptions)
    except AvionError as error:
        st.caption(f":material/block: {plain(error)}")
        orderable = False
    st.code(cli_command(project.name, settings), language="bash", wrap_lines=True)
    busy = bool(generations) and generations[0].active
    disabled = not orderable or busy or not visitor.may(policies.CHANGE_PROJECTS)
    if st.button("Generate descriptions", icon=":material/edit:", type="primary", disabled=disabled):
        start(home, order_descriptions(home, project.id, settings))
        notices.say_after_rerun("Generation started", ":material/edit:")
        st.rerun()


def show_classes(project: ProjectSummary, keys: Sequence[str]) -> None:
    """What the classes look like that texts are ordered for, so that a prompt can be held against pictures."""
    asked = [entry for entry in project.classes if not keys or entry.key in keys]
    if project.pictures:
        with st.expander("What the classes look like", icon=":material/photo_library:"):
            class_mosaic(project, asked, pictures=3, most=21)


page()
