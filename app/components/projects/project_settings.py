"""A project's own name, models and end: renamed, worked on with other models, copied, put aside, deleted."""

from __future__ import annotations

import streamlit as st

from app.components.models.model_fixes import model_buttons
from app.components.projects.captions_form import captions_form
from app.kit.both_texts import both_texts, save_label
from app.kit.guard import plain
from app.state import address, notices, studio, visitor
from app.state.forms import open_form
from avion_core.errors import EditedMeanwhileError
from avion_core.usecases.models.catalog import Model, list_models
from avion_core.usecases.policies import CHANGE_PROJECTS
from avion_core.usecases.projects.models import models_change, set_models
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.transfer.whole_projects import (
    archive_project,
    delete_project,
    duplicate_project,
    rename_project,
)
from avion_core.wording import counted, size


def project_settings(project: ProjectSummary) -> None:
    """Everything about the project as a whole, for whoever may change projects."""
    if not visitor.may(CHANGE_PROJECTS):
        return
    with st.expander("Name, models, archive", icon=":material/tune:"):
        models, captions, name, end = st.tabs(["Models", "Captions", "Name and copy", "Archive and delete"])
        with models:
            _models_form(project)
        with captions:
            captions_form(project)
        with name:
            _name_form(project)
            _copy_form(project)
        with end:
            _end_forms(project)


def model_words(model: Model) -> str:
    """A model in a list: what it is, whether it is installed, how large it is."""
    here = "comes with AVION" if model.bundled else "installed" if model.installed else "not installed"
    return f"{model.title} · {here} · {size(model.size_bytes)}"


def _models_form(project: ProjectSummary) -> None:
    models = {model.name: model for model in list_models(studio.home())}
    students = [name for name, model in models.items() if model.takes_prompts]
    chosen = {}
    with st.container(horizontal=True):
        for role, names in (("teacher", list(models)), ("student", students)):
            now = getattr(project, role)
            chosen[role] = st.selectbox(
                role.capitalize(),
                names,
                index=names.index(now) if now in names else None,
                format_func=lambda name: model_words(models[name]),
                key=f"{role}_of_{project.id}_{now}",
                width=420,
            )
    for role, name in chosen.items():
        if name:
            st.caption(f"{role.capitalize()}: licence {plain(models[name].licence)} · {plain(models[name].source)}")
    lacking = [name for name in dict.fromkeys(chosen.values()) if name and not models[name].installed]
    for name in lacking:
        st.warning(
            f"{plain(models[name].title)} is not installed: what needs it waits until it is.",
            icon=":material/deployed_code_alert:",
        )
        model_buttons(name, key="choice")
    if not all(chosen.values()):
        return
    changes = models_change(studio.home(), project.id, chosen["teacher"], chosen["student"])
    for sentence in changes:
        st.markdown(f":material/update: {plain(sentence)}")
    if st.button("Use these models", type="primary", icon=":material/swap_horiz:", disabled=not changes):
        set_models(studio.home(), project.id, chosen["teacher"], chosen["student"])
        notices.say_after_rerun("The project works with these models now")
        st.rerun()


def _name_form(project: ProjectSummary) -> None:
    form = open_form(f"name_{project.id}", project.name)
    both_texts(form, {"name": "Name"})
    with st.form(f"rename_{form.key}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of the project", form.begun, max_chars=200, key=f"{form.key}_name", width=380)
        if not st.form_submit_button(save_label(form, "Rename"), icon=":material/edit:", key=form.save_key):
            return
    try:
        rename_project(studio.home(), project.id, name, opened=form.opened)
    except EditedMeanwhileError as error:
        form.refuse(error, error.now["name"])
    else:
        form.start_again()
        notices.say_after_rerun(f"The project is called {name.strip()} now")
    st.rerun()


def _copy_form(project: ProjectSummary) -> None:
    with (
        st.form(f"copy_{project.id}", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        name = st.text_input(
            "Name of the copy", placeholder=f"{project.name}, copy", key=f"copy_name_{project.id}", width=380
        )
        asked = st.form_submit_button(
            "Duplicate", icon=":material/content_copy:", help="With descriptions, verdicts, labels, rules and runs."
        )
    if asked:
        with st.spinner("Copying the project"):
            made = duplicate_project(studio.home(), project.id, name or f"{project.name}, copy")
        address.choose(address.PROJECT, made.id)
        notices.say_after_rerun(f"{made.name} is open")
        st.rerun()


def _end_forms(project: ProjectSummary) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("Archived, it stays whole and leaves the list in the sidebar.", width="stretch")
        label, icon = ("Restore", "unarchive") if project.archived else ("Archive", "archive")
        if st.button(label, icon=f":material/{icon}:", key="archive_project"):
            archive_project(studio.home(), project.id, not project.archived)
            notices.say_after_rerun(f"{project.name} is {'restored' if project.archived else 'archived'}")
            st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        held = f"{counted(project.descriptions, 'description')}, {project.judged:,} judged"
        st.markdown(
            f"Deleted, it is gone: {held}, its labels, rules and runs. Your image files stay. **Pack it first** "
            "(“Move, pack and re-link”, below) and all of it can come back.",
            width="stretch",
        )
        with st.popover("Delete", icon=":material/delete:"):
            typed = st.text_input(f"Type the project's name, {plain(project.name)}, to delete it", key="delete_name")
            sure = typed.strip() == project.name
            if st.button("Delete for good", type="primary", key="delete_project", disabled=not sure):
                delete_project(studio.home(), project.id)
                address.choose(address.PROJECT, "")
                notices.say_after_rerun(f"{project.name} is deleted", ":material/delete:")
                st.rerun()
