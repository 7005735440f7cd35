"""Descriptions as a table: select some (or all of the view) and judge them in one go, by key or button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from app.components.review.already_judged import already_judged, said_of_unseen
from app.kit.guard import guard, plain
from app.kit.palette import VERDICT_WORDS
from app.state import notices, selection, studio, widgets
from avion_core.errors import EditedMeanwhileError
from avion_core.usecases.curation import Decision, ReviewerView, record_verdict, record_verdicts, undo
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted

PAGE_SIZE = 100
ROW_HEIGHT = 66  # the least at which a table breaks long texts into lines, and room for three
_VERDICTS: dict[Decision, tuple[str, str, str]] = {
    "accept": ("Accept", "Accepted", "A"),
    "reject": ("Reject", "Rejected", "X"),
    "skip": ("Skip", "Skipped", "S"),
    "undecide": ("Clear verdict", "Cleared your verdicts on", "T"),
}
_LEGEND = "table_legend"
_SELECTED, _ALL = "selected", "all"


def verdict_table(
    project: ProjectSummary, seen: ReviewerView, whole: Sequence[str], names: Mapping[str, str], *, columns: list[str]
) -> str | None:
    """Draw one page of descriptions with the buttons that judge the selected ones.

    Args:
        whole: the ids of the whole list, of which a page is shown.
        names: class -> the words it is shown by.
        columns: which figures to show, besides the text and its verdict.

    Returns:
        The description that alone is selected, for its evidence; None for none or several.
    """
    rows = seen.rows(_page_of(whole))
    name = selection.name()
    key = f"descriptions_{name}"
    chosen = tuple(rows["description_id"].iloc[[row for row in widgets.selected_rows(key) if row < len(rows)]])
    bar = st.container()
    shown = pd.DataFrame(
        {
            "verdict": rows["verdict"].map(VERDICT_WORDS),
            "text": rows["text"],
            "class": rows["class_key"].map(names),
            "flag": rows["flag"],
            "similarity": rows["similarity"],
            "z": rows["z"],
            "weight": 100 * rows["weight"],
            "influence": rows["influence"],
            "kept or cut": rows["why"],
            "mine": rows["mine"],
            "writer": rows["writer"],
        }
    )
    st.dataframe(
        shown,
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        row_height=ROW_HEIGHT,
        height=min(640, 40 + ROW_HEIGHT * max(1, len(rows))),
        column_order=["verdict", "text", *columns],
        column_config=_COLUMNS,
        alt="Descriptions with their verdicts and figures",
    )
    with bar:
        _bar(project, seen, chosen, whole, name, rows)
    return chosen[0] if len(chosen) == 1 else None


def _page_of(ids: Sequence[str]) -> list[str]:
    """One page of a long list, with the control that turns the pages; the address keeps the page's number."""
    pages = -(-len(ids) // PAGE_SIZE)
    if pages <= 1:
        return list(ids)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        page = st.number_input(
            "Page", 1, pages, 1, key="page", bind="query-params", width=130, on_change=selection.forget
        )
        first = (page - 1) * PAGE_SIZE
        st.caption(f"Descriptions {first + 1:,} to {min(first + PAGE_SIZE, len(ids)):,} of {len(ids):,}")
    return list(ids[first : first + PAGE_SIZE])


def _bar(
    project: ProjectSummary,
    seen: ReviewerView,
    chosen: tuple[str, ...],
    whole: Sequence[str],
    name: str,
    rows: pd.DataFrame,
) -> None:
    asked = selection.asked_verdict()
    if asked is not None:
        _confirm(project, seen, asked, rows)
        return
    shown = _shown(rows)
    with st.container(horizontal=True, vertical_alignment="center"):
        # Buttons, for a checkbox would keep the focus, and keys stay quiet while an input has it.
        scope = st.segmented_control(
            "Apply to",
            [_SELECTED, _ALL],
            default=_SELECTED,
            required=True,
            format_func=lambda option: option if option == _SELECTED else f"all {len(whole):,}",
            key="verdict_scope",
            label_visibility="collapsed",
            width="content",
        )
        ids = tuple(whole) if scope == _ALL else chosen
        for verdict, (label, _, shortcut) in _VERDICTS.items():
            st.button(
                f"{label} {len(ids):,}" if ids else label,
                shortcut=shortcut,
                key=f"bulk_{verdict}",
                type="primary" if verdict == "accept" else "secondary",
                disabled=not ids,
                on_click=_ask,
                args=(project.id, seen, verdict, ids, f"{name}-{verdict}", shown),
            )
        st.button(
            "Edit",
            shortcut="E",
            key="bulk_edit",
            disabled=len(ids) != 1,
            on_click=selection.ask_verdict,
            args=(selection.Asked("edit", ids, name, shown[ids[0]] if len(ids) == 1 else ""),),
        )
        undo_button(project)
        st.button("Keys", shortcut="H", on_click=widgets.toggle, args=(_LEGEND,))
    if widgets.shown(_LEGEND):
        st.caption(
            "Select rows at their left edge (Shift for a range), or take the whole view. **A** accepts, **X** rejects, "
            "**S** skips, **T** clears your verdicts (skips too), **E** edits the one selected, **U** undoes your "
            "last decision, a bulk one as a whole. A verdict on several, or on one judged otherwise, asks once and "
            "says what it changes; Enter confirms, Esc cancels."
        )


def _confirm(project: ProjectSummary, seen: ReviewerView, asked: selection.Asked, rows: pd.DataFrame) -> None:
    shown, key = _shown(rows), "bulk_confirm"
    read_up_to = seen.curation.read_up_to.newest
    before = already_judged(seen.table, asked.ids, asked.verdict)
    others = tuple(item for item in asked.ids if item not in before.ids)
    with st.container(border=True):
        if asked.verdict == "edit":
            label = "Save"
            st.text_area("New wording", value=asked.text, key=_words(asked))
            if (now := shown.get(asked.ids[0], asked.text)) != asked.text:
                # Another button: a press of the one before shall not reach past these words.
                label, key = "Overwrite", f"save_over_{hash(now)}"
                st.warning(f"It was edited in the meantime and now reads: “{plain(now)}”", icon=":material/edit:")
        else:
            word = _VERDICTS[asked.verdict][0]
            label = f"{word} {len(asked.ids):,}"
            st.markdown(f"**{word}: {counted(len(asked.ids), 'description')}?** One undo reverts all of it.")
            if before.sentence:
                st.warning(plain(before.sentence), icon=":material/gavel:")
            st.text_input("Why (optional)", key=_words(asked), max_chars=300)
        with st.container(horizontal=True):
            st.button(
                label,
                type="primary",
                shortcut="Enter",
                key=key,
                on_click=_decide,
                args=(project.id, asked, shown, read_up_to),
            )
            if before.ids and others:
                st.button(
                    f"Only the {len(others):,} others",
                    key="bulk_others",
                    on_click=_decide,
                    args=(project.id, replace(asked, ids=others), shown, read_up_to),
                )
            st.button("Cancel", shortcut="Esc", key="bulk_cancel", on_click=selection.ask_verdict, args=(None,))


def _shown(rows: pd.DataFrame) -> dict[str, str]:
    """Description -> its words on this page: a colleague may edit it before a button is pressed."""
    return dict(zip(rows["description_id"], rows["text"], strict=True))


def _words(asked: selection.Asked) -> str:
    return f"words_{asked.batch}"


def _ask(
    project: str, seen: ReviewerView, verdict: Decision, ids: tuple[str, ...], batch: str, shown: dict[str, str]
) -> None:
    """One description is judged at once; several, or one that was judged otherwise, after a question."""
    asked = selection.Asked(verdict, ids, batch)
    if len(ids) == 1 and not already_judged(seen.table, ids, verdict).changed:
        _decide(project, asked, shown, seen.curation.read_up_to.newest)
    else:
        selection.ask_verdict(asked)


def _decide(project: str, asked: selection.Asked, shown: dict[str, str], read_up_to: int) -> None:
    home, words = studio.home(), widgets.typed(_words(asked))
    with guard():
        if asked.verdict == "edit":
            item, token = asked.ids[0], f"{asked.batch}-edit"
            try:
                record_verdict(home, project, item, "edit", text=words, shown=shown.get(item), token=token)
            except EditedMeanwhileError:
                return  # the question stays, with the words typed so far and what the text reads now
            did, unseen = "Edited", {}
        else:
            unseen = record_verdicts(
                home,
                project,
                asked.ids,
                asked.verdict,
                shown=shown,
                reason=words,
                batch=asked.batch,
                read_up_to=read_up_to,
            )
            did = _VERDICTS[asked.verdict][1]
        meanwhile = said_of_unseen(unseen) if asked.verdict in ("accept", "reject") else ""
        said = f"{did} {counted(len(asked.ids), 'description')}"
        notices.say_after_rerun(f"{said}. {meanwhile}" if meanwhile else f"{said} · U undoes it")
    selection.forget()


def undo_button(project: ProjectSummary) -> None:
    """Undo one's newest decision that still holds, a bulk one as a whole."""
    st.button("Undo", shortcut="U", on_click=_undo, args=(project.id,))


def _undo(project: str) -> None:
    with guard():
        undone = undo(studio.home(), project)
        notices.say_after_rerun(taken_back(len(undone)), ":material/undo:")


def taken_back(number: int) -> str:
    """What an undo did, to so many descriptions."""
    return f"Undid your decision on {counted(number, 'description')}" if number else "Nothing left to undo"


_COLUMNS = {
    "verdict": st.column_config.TextColumn("verdict", width=95),
    "text": st.column_config.TextColumn("description", width=300),
    "class": st.column_config.TextColumn("class", width=120),
    "flag": st.column_config.CheckboxColumn("RS-Flag", width=70, help="Reads like an overhead view, in 6 to 20 words."),
    "similarity": st.column_config.NumberColumn(
        "similarity", format="%.3f", width=80, help="Cosine to the mean of the class's training images."
    ),
    "z": st.column_config.NumberColumn("robust z", format="%.1f", width=70, help="Distance from the class's median."),
    "weight": st.column_config.NumberColumn("weight", format="%.1f %%", width=70, help="Share of the prototype."),
    "influence": st.column_config.NumberColumn(
        "influence", format="%.2f°", width=80, help="How far the prototype would turn without this text."
    ),
    "kept or cut": st.column_config.TextColumn(width=200),
    "mine": st.column_config.TextColumn("my verdict", width=90),
    "writer": st.column_config.TextColumn("writer", width=100),
}
