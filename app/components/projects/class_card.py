"""A class's card as a form, the list of classes, and what merges and divides them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import shell
from app.kit import palette
from app.kit.both_texts import both_texts, save_label
from app.kit.guard import plain
from app.state import address, notices, sent_lists, studio, visitor, widgets
from app.state.forms import Form, open_form
from avion_core.errors import EditedMeanwhileError
from avion_core.usecases.policies import UNSEAL
from avion_core.usecases.projects.classes import CARD_FIELDS, edit_card, merge_classes, split_class
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.images import image_table, look_at_test_images
from avion_core.usecases.projects.summaries import ClassInfo, ProjectSummary
from avion_core.wording import counted

_TITLES = {
    "prompt_name": "Name in prompts",
    "local_name": "Local name",
    "code": "Code",
    "parent": "Part of",
    "colour": "Colour",
    "definition": "Definition",
    "includes": "Includes",
    "excludes": "Excludes",
}
_HELP = {
    "prompt_name": "Names the class in prompts and tables.",
    "colour": "On maps and charts, the same on every page.",
    "local_name": "In the language of the people who work with it.",
    "code": "In a nomenclature, for example 1.1.2.",
    "parent": "The broader class it belongs to.",
    "definition": "One or two sentences that decide a doubtful image.",
    "includes": "What also counts as this class.",
    "excludes": "What does not count, and which class it belongs to.",
}


def class_list(project: ProjectSummary) -> ClassInfo:
    """All classes as a table to choose from; returns the chosen one."""
    by_key = {entry.key: entry for entry in project.classes}
    chosen = st.selectbox(
        "Class",
        list(by_key),
        format_func=lambda key: by_key[key].prompt_name,
        key=address.selector(address.CLASS, list(by_key)),
        on_change=address.take_selected,
        args=(address.CLASS,),
    )
    table = pd.DataFrame(
        {
            "class": [entry.prompt_name for entry in project.classes],
            "code": [entry.code for entry in project.classes],
            "part of": [entry.parent for entry in project.classes],
            "images": [entry.count for entry in project.classes],
            "shots": [entry.train for entry in project.classes],
        }
    )
    colours = palette.class_colours(project.classes)
    painted = [f"background-color: {colours[entry.key]}33" for entry in project.classes]
    st.dataframe(
        table.style.apply(lambda column: painted, subset=["class"]) if len(table) <= 300 else table,
        hide_index=True,
        height=min(38 + 35 * len(table), 420),
        key=f"class_list_{project.id}",
        selection_mode="single-row",
        on_select=lambda: _take_row(f"class_list_{project.id}", list(by_key)),
        alt="Classes with code, broader class and numbers of images",
    )
    return by_key[chosen]


def _take_row(table: str, keys: list[str]) -> None:
    for row in widgets.selected_rows(table):
        address.choose(address.CLASS, keys[row])


def card_form(project: ProjectSummary, entry: ClassInfo) -> None:
    """Everything people say about the class."""
    now = {name: getattr(entry, name) for name in ("prompt_name", *CARD_FIELDS)}
    shown = palette.class_colours(project.classes)[entry.key]  # its own, or one that follows from its name
    form = open_form(f"card_{project.id}_{entry.key}", {**now, "shown": shown})
    both_texts(form, _TITLES)
    with st.form(f"form_{form.key}"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            fields = {name: _field(name, form) for name in ("prompt_name", "local_name")}
        with st.container(horizontal=True, vertical_alignment="bottom"):
            fields |= {name: _field(name, form) for name in ("code", "parent")}
            picked = st.color_picker("Colour", form.begun["shown"], key=f"{form.key}_colour", help=_HELP["colour"])
            unchanged = picked.lower() == form.begun["shown"].lower()
            fields["colour"] = form.begun["colour"] if unchanged else picked
        for name in ("definition", "includes", "excludes"):
            fields[name] = str(
                st.text_area(_TITLES[name], form.begun[name], height=68, key=f"{form.key}_{name}", help=_HELP[name])
            )
        with st.container(horizontal=True, vertical_alignment="center"):
            label = save_label(form, "Save the card")
            saved = st.form_submit_button(label, icon=":material/save:", type="primary", key=form.save_key)
            st.caption(
                f"Label as given: {plain(entry.key)} · {counted(entry.count, 'image')} · "
                f"{counted(entry.train, 'training shot')} · {entry.validation} validation · {entry.test} test"
            )
    if not saved:
        return
    try:
        edit_card(studio.home(), project.id, entry.key, fields, opened=form.opened)
    except EditedMeanwhileError as error:
        form.refuse(error, {**form.opened, **error.now})
    else:
        form.start_again()
        notices.say_after_rerun(f"The card of {fields['prompt_name']} is saved")
    st.rerun()


def _field(name: str, form: Form[dict[str, str]]) -> str:
    longest = 80 if name == "prompt_name" else 120
    return str(
        st.text_input(_TITLES[name], form.begun[name], max_chars=longest, key=f"{form.key}_{name}", help=_HELP[name])
    )


def merge_form(project: ProjectSummary, entry: ClassInfo) -> None:
    """Let the class become part of another one."""
    others = {other.key: other.prompt_name for other in project.classes if other.key != entry.key}
    with st.popover("Merge into another", icon=":material/merge:", disabled=not others, width="stretch"):
        into = st.selectbox("Into", list(others), format_func=others.__getitem__, key=f"merge_{entry.key}")
        st.caption(
            f"{counted(entry.count, 'image keeps its part', 'images keep their parts')}, and descriptions and verdicts "
            "move with it. Finished runs stay as they are. You can undo it."
        )
        if st.button(f"Merge {plain(entry.prompt_name)} into {plain(others.get(into, ''))}", type="primary"):
            merge_classes(studio.home(), project.id, entry.key, into)
            address.choose(address.CLASS, into)
            notices.say_after_rerun(f"{entry.prompt_name} is merged into {others[into]}")
            st.rerun()


def split_form(project: ProjectSummary, entry: ClassInfo) -> None:
    """Make a class of a part of this one: descriptions are chosen here, images sorted by key on the label page."""
    with st.popover("Split", icon=":material/call_split:", width="stretch"):
        name = st.text_input("New class", key=f"split_{entry.key}", placeholder=f"part of {entry.prompt_name}")
        texts = current_descriptions(studio.home(), project.id).query("class_key == @entry.key")
        rows: list[int] = []
        if len(texts):
            st.caption("Descriptions to move to the new class, with their verdicts:")
            event = st.dataframe(
                texts[["text"]], hide_index=True, height=220, on_select="rerun", selection_mode="multi-row",
                key=f"split_texts_{entry.key}", alt="Descriptions of the class",
            )  # fmt: skip
            rows = event["selection"]["rows"]
        tested = visitor.may(UNSEAL) and st.toggle(
            f"Sort its {entry.test:,} sealed test images too",
            key=f"split_sealed_{entry.key}",
            help="Otherwise they all keep the old label. The journal records it.",
        )
        if st.button("Split, then sort its images", type="primary", disabled=not name.strip()):
            chosen = [str(item) for item in texts["description_id"].iloc[rows]]
            home = studio.home()
            key = split_class(home, project.id, entry.key, name, description_ids=chosen)
            if tested and entry.test:
                look_at_test_images(home, project.id, f"to divide the class {entry.prompt_name}")
            images = image_table(home, project.id)
            own = images[(images["class_key"] == entry.key) & (tested | (images["part"] != "test"))]
            sent_lists.send_to_label(own["image_id"].tolist())
            notices.say_after_rerun(f"{key} is split off; now label its images")
            shell.go("label")
