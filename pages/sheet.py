"""Class sheet: all descriptions of one class at once, those that pull its prototype most first.

In a blind review that would tell what others decided: there the best matches come first.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import shell
from app.components.projects.class_strip import class_strip
from app.components.review.evidence import evidence_of
from app.components.review.shared_curation import FIGURES_HIDDEN, need_curation
from app.components.review.verdict_table import verdict_table
from app.kit.guard import plain
from app.kit.score_strip import score_strip
from app.state import address, work_lists
from avion_core.usecases.curation import ReviewerView
from avion_core.usecases.projects.summaries import ClassInfo


def page() -> None:
    project = shell.need_project()
    seen = need_curation(project)
    described = set(seen.table["class_key"].unique())
    classes = {entry.key: entry for entry in project.classes if entry.key in described}
    chosen = class_selector({key: entry.prompt_name for key, entry in classes.items()})
    signature = (len(seen.table), chosen)
    # Influence as it is when the sheet is laid out: verdicts change it, and rows must not jump under the hand.
    work_list = work_lists.filtered(work_lists.SHEET, project.id, signature, lambda: (in_order(seen, chosen), ""))
    card(classes[chosen])
    class_strip(project, classes[chosen])
    columns = ["flag", "similarity", "z", "weight", "influence", "kept or cut", "mine"]
    focus = verdict_table(project, seen, work_list.order, {chosen: classes[chosen].prompt_name}, columns=columns)
    if focus is None:
        class_figures(seen, chosen)
    else:
        evidence_of(project, seen, focus)


def in_order(seen: ReviewerView, class_key: str) -> list[str]:
    by = "similarity" if seen.hides_figures else "influence"
    return seen.of_class(class_key).sort_values(by, ascending=False, kind="stable")["description_id"].tolist()


def class_selector(names: dict[str, str]) -> str:
    """Choose the class; the arrow keys go to the one before and after."""
    keys = list(names)
    widget = address.selector(address.SHEET_CLASS, keys)
    place = keys.index(address.chosen(address.SHEET_CLASS))
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        step(keys, place - 1, "Previous class", "arrow_back", "Left")
        chosen = st.selectbox(
            "Class",
            keys,
            format_func=names.__getitem__,
            key=widget,
            on_change=address.take_selected,
            args=(address.SHEET_CLASS,),
            width=300,
        )
        step(keys, place + 1, "Next class", "arrow_forward", "Right")
        st.caption(f"Class {place + 1:,} of {len(keys):,}")
    return chosen


def step(keys: Sequence[str], place: int, label: str, icon: str, shortcut: str) -> None:
    there = 0 <= place < len(keys)
    st.button(
        label,
        icon=f":material/{icon}:",
        shortcut=shortcut,
        disabled=not there,
        on_click=address.choose,
        args=(address.SHEET_CLASS, keys[place] if there else ""),
    )


def card(entry: ClassInfo) -> None:
    """What people say the class means, for whoever judges texts about it."""
    says = {"Means": entry.definition, "Includes": entry.includes, "Excludes": entry.excludes}
    st.markdown("  \n".join(f"**{word}:** {plain(text)}" for word, text in says.items() if text))


def class_figures(seen: ReviewerView, class_key: str) -> None:
    """The class as a whole: how many texts speak for it, and where they stand."""
    table = seen.of_class(class_key)
    judged = int((table["verdict"] != "undecided").sum())
    with st.grid(3):
        st.metric("Judged", f"{judged} of {len(table)}", border=True)
        if not seen.hides_figures:
            st.metric("In use", int(table["kept"].sum()), border=True)
            voice = "Effective number of texts: as if that many counted equally."
            st.metric("n_eff", f"{seen.curation.n_eff[class_key]:.1f}", border=True, help=voice)
    if seen.hides_figures:
        st.caption(FIGURES_HIDDEN)
    score_strip(table, "", alt="Similarities of the class's descriptions to its training images")
    st.caption("Select one description to see its evidence, or several to judge them together.")


page()
