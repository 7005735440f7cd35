"""Classes: a card for each, and renaming, adding, merging and dividing them, all of which can be undone."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.projects.class_card import card_form, class_list, merge_form, split_form
from app.components.projects.class_strip import class_strip
from app.kit.guard import empty_state, plain
from app.state import address, notices, studio
from avion_core.usecases.projects.class_aliases import class_aliases, forget_alias
from avion_core.usecases.projects.classes import add_class, class_changes, undo_change
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted


def page() -> None:
    project = shell.need_project()
    if not project.classes:
        with empty_state(
            "category", "No class yet", "Name what your images can show: two classes or more. Labels come next."
        ):
            add_form(project)
        return
    listed, card = st.columns([6, 7], gap="medium")
    with listed:
        entry = class_list(project)
        add_form(project)
    with card:
        class_strip(project, entry)
        card_form(project, entry)
        merge, split = st.columns(2)
        with merge:
            merge_form(project, entry)
        with split:
            split_form(project, entry)
    other_names(project)
    history(project)


def add_form(project: ProjectSummary) -> None:
    with st.form("add_class", border=False, clear_on_submit=True), st.container(horizontal=True):
        name = st.text_input(
            "New class", placeholder="solar farm", key="class_new", label_visibility="collapsed", width="stretch"
        )
        if st.form_submit_button("Add the class", icon=":material/add:"):
            key = add_class(studio.home(), project.id, name)
            address.choose(address.CLASS, key)
            notices.say_after_rerun(f"{key} is added")
            st.rerun()


def other_names(project: ProjectSummary) -> None:
    """By which other names imports find the classes, each with the button that takes it back."""
    aliases = class_aliases(studio.home(), project.id)
    if not aliases:
        return
    names = {entry.key: entry.prompt_name for entry in project.classes}
    with st.expander(f"Other names in files ({len(aliases)})", icon=":material/rule:"):
        st.caption(
            "Said when descriptions were imported; later files are read alike. Forgetting a name removes the "
            "descriptions that came in under it, but for those that people decided on."
        )
        for number, entry in enumerate(aliases):
            with st.container(horizontal=True, vertical_alignment="center"):
                name = plain(names.get(entry.class_key, entry.class_key))
                texts = counted(entry.descriptions, "description")
                st.markdown(f"“{plain(entry.alias)}” means **{name}** · {texts} · {plain(entry.who)}", width="stretch")
                if st.button("Forget", icon=":material/undo:", key=f"forget_alias_{number}"):
                    notices.say_after_rerun(forget_alias(studio.home(), project.id, entry.alias))
                    st.rerun()


def history(project: ProjectSummary) -> None:
    """What was changed, and the button that takes the newest change back."""
    changes = class_changes(studio.home(), project.id)
    if not changes:
        return
    with st.expander(f"Changes ({len(changes)})", icon=":material/history:", expanded=not changes[0].undone):
        for number, change in enumerate(changes):
            with st.container(horizontal=True, vertical_alignment="center"):
                said = plain(change.sentence)
                said = f"~~{said}~~ undone" if change.undone else said
                st.markdown(f"{said} · {plain(change.who)} · {change.created_at:%Y-%m-%d %H:%M} UTC", width="stretch")
                if change.undoable and st.button("Undo", icon=":material/undo:", key=f"undo_{number}"):
                    notices.say_after_rerun(undo_change(studio.home(), project.id))
                    st.rerun()


page()
