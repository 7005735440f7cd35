"""What a project holds, as tables: its classes with their words in prompts, and what is wrong with its files."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import streamlit as st

from app.kit.background import computed
from app.kit.both_texts import OVERWRITE, both_texts
from app.state import notices, project_requests, studio, visitor
from app.state.forms import Form, open_form
from avion_core.errors import EditedMeanwhileError
from avion_core.progress import Progress
from avion_core.usecases.policies import CHANGE_PROJECTS
from avion_core.usecases.projects.classes import rename_class
from avion_core.usecases.projects.near_copies import seek_near_copies
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted


def class_table(project: ProjectSummary) -> None:
    """Class keys with counts; the prompt name is edited in place."""
    if not project.classes:
        st.markdown("No class yet: the images came without labels.")
        return
    names = {entry.key: entry.prompt_name for entry in project.classes}
    counts = {entry.key: entry.count for entry in project.classes}
    form = open_form(f"classes_{project.id}", names)
    table = pd.DataFrame(
        {"class": key, "prompt name": name, "images": counts.get(key, 0)} for key, name in form.begun.items()
    ).set_index("class")
    edited = st.data_editor(
        table,
        disabled=["images"],
        key=form.key,
        column_config={
            "prompt name": st.column_config.TextColumn(
                help="The words that stand for the class in every prompt.", required=True, max_chars=80
            ),
            "images": st.column_config.ProgressColumn(
                "labelled images", format="%d", min_value=0, max_value=max(1, *counts.values())
            ),
        },
        alt="Classes with their prompt names and numbers of labelled images",
    )
    changed = edited["prompt name"][edited["prompt name"] != table["prompt name"]]
    both_texts(form, {"prompt_name": "Prompt name"})
    if len(changed) and (form.refused is None or st.button(OVERWRITE, type="primary", key=form.save_key)):
        _rename(project.id, form, {str(key): str(name) for key, name in changed.items()})
        st.rerun()
    form.follow(names, typed=bool(len(changed)))
    more = f" … and {len(project.notes) - 3:,} classes more." if len(project.notes) > 3 else ""
    st.caption("  \n".join(project.notes[:3]) + more)


def _rename(project: str, form: Form[dict[str, str]], changed: dict[str, str]) -> None:
    for key, name in changed.items():
        try:
            rename_class(studio.home(), project, key, name, opened=form.opened[key])
        except EditedMeanwhileError as error:
            form.refuse(error, {**form.opened, key: error.now["prompt_name"]})
            return
    form.start_again()
    notices.say_after_rerun("Prompt name saved")


def near_copies_button(project: ProjectSummary) -> None:
    """Look for near-copies where a project was made before that was done, or again."""
    if not visitor.may(CHANGE_PROJECTS):
        return
    if not project.near_copies_sought:
        st.warning(
            "Near-copies (re-encoded, resized, turned or mirrored pictures) were not looked for yet. Some may be in "
            "training and test at once.",
            icon=":material/content_copy:",
        )
    if st.button(
        "Look for near-copies",
        icon=":material/content_copy:",
        help="Reads every image once. What is found is listed below with the parts that it lies in; no split changes.",
    ):
        project_requests.ask_copies(project.id)
    if (asked := project_requests.asked_copies()) and asked[0] == project.id:
        found = computed(
            f"copies:{':'.join(asked)}", "Looking for near-copies", lambda progress: _seek(project, progress)
        )
        project_requests.ask_copies(None)
        notices.say_after_rerun(f"{counted(found, 'set')} of near-copies found" if found else "No near-copies found")
        st.rerun()


def _seek(project: ProjectSummary, progress: Progress) -> int:
    return len(seek_near_copies(studio.home(), project.id, progress))


def problem_table(project: ProjectSummary) -> None:
    near_copies_button(project)
    if not project.problems:
        st.markdown(":material/check_circle: Every file could be read, and no class names collide.")
        return
    kinds = Counter(problem.kind.replace("_", " ") for problem in project.problems)
    st.markdown("Skipped or handled specially: " + ", ".join(f"**{n:,}** {kind}" for kind, n in kinds.most_common()))
    st.dataframe(
        pd.DataFrame({"kind": p.kind, "file": p.path, "what to do": p.message} for p in project.problems),
        hide_index=True,
        alt="Problems found in the image folder",
    )
