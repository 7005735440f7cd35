"""What a project holds, as tables: its classes with their words in prompts, and what is wrong with its files."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import streamlit as st

from app.state import notices, studio
from avion_core.usecases.projects.classes import rename_class
from avion_core.usecases.projects.projects import ProjectSummary


def class_table(project: ProjectSummary) -> None:
    """Class keys with counts; the prompt name is edited in place."""
    if not project.classes:
        st.markdown("No class yet: the images came without labels.")
        return
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
                "labelled images", format="%d", min_value=0, max_value=max(1, int(table["images"].max()))
            ),
        },
        alt="Classes with their prompt names and numbers of labelled images",
    )
    changed = edited["prompt name"][edited["prompt name"] != table["prompt name"]]
    for class_key, name in changed.items():
        rename_class(studio.home(), project.id, str(class_key), name)
    if len(changed):
        notices.say_after_rerun("Prompt name saved")
        st.rerun()
    more = f" … and {len(project.notes) - 3:,} classes more." if len(project.notes) > 3 else ""
    st.caption("  \n".join(project.notes[:3]) + more)


def problem_table(project: ProjectSummary) -> None:
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
