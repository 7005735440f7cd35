"""Label: a grid of unlabelled images with the teacher's guesses, and keys that say what they show."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import shell
from app.components.labelling.label_grid import LabelList, label_grid
from app.components.projects.project_forms import draw_panel
from app.kit.gallery import thumbnail
from app.kit.guard import empty_state, plain
from app.outbox.labels import give, need_label_list, sure_suggestions, tiles
from app.state import notices, sent_lists, studio, work_lists
from avion_core.usecases.projects.images import image_table
from avion_core.usecases.projects.labels import unlabelled
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted


def page() -> None:
    project = shell.need_project()
    if not project.classes:
        with empty_state(
            "category", "No class yet", "A label is one of the project's classes. Add the first two or three."
        ):
            shell.go_button("Add classes", "classes", "add")
        return
    table = image_table(studio.home(), project.id).set_index("image_id", drop=False)
    sent = shell.need_sent(work_lists.LABEL_GRID, table.index)
    waiting = unlabelled(studio.home(), project.id)
    if not sent and not waiting and work_lists.current(work_lists.LABEL_GRID, project.id) is None:
        nothing_left(project)
        return
    head = st.container(horizontal=True, vertical_alignment="center")
    with head:
        guessing = st.toggle(
            "Teacher's guesses",
            value=True,
            key="label_guesses",
            help="The teacher embeds each image once; a large teacher on a CPU takes a while.",
        )
    labels = {str(image): str(key) for image, key in table["class_key"].items()}
    work_list = need_label_list(project, sent or waiting, labels, sent=bool(sent), guessing=guessing)
    if not work_list.order:
        nothing_left(project)
        return
    if not sent:
        work_list.done = set(work_list.order) - set(waiting)
    with head:
        progress(project, work_list, bool(sent))
    order = " Images come first that it is unsure of and that differ from those before: their labels help most."
    st.caption(work_list.sentence + (order if work_list.guesses and not sent else ""))
    grid, focus = st.columns([3, 1], gap="medium")
    with grid:
        label_grid(work_list, tiles(project, work_list, table), project.classes)
    with focus:
        if work_list.cursor:
            focused(project, work_list, table.loc[[work_list.cursor]].iloc[0])
        many(project, work_list)
        st.button(
            "Re-rank",
            icon=":material/refresh:",
            on_click=work_lists.refresh_label_list,
            help="Ranks the images again with the new labels; skipped images come back.",
        )
    draw_panel(project)


def nothing_left(project: ProjectSummary) -> None:
    with empty_state(
        "task_alt",
        "Every image has a label",
        f"{project.labelled:,} images in {len(project.classes):,} classes. To change labels, select images on a "
        "map or on the Images page and send them here.",
    ):
        shell.go_button("Look at the images", "images", "photo_library")
        shell.go_button("Review descriptions", "review", "rate_review", primary=False)


def progress(project: ProjectSummary, work_list: LabelList, sent: bool) -> None:
    """How much is labelled."""
    if sent:
        st.markdown(f"**{len(work_list.done):,} of {len(work_list.order):,}** sent images relabelled")
        back = {"on_click": sent_lists.forget, "args": (work_lists.LABEL_GRID,)}
        st.button("Back to the unlabelled images", icon=":material/close:", type="tertiary", **back)
    else:
        share = project.labelled / project.images
        st.progress(share, text=f"{project.labelled:,} of {project.images:,} images labelled", width=360)


def focused(project: ProjectSummary, work_list: LabelList, row: pd.Series) -> None:
    """The framed image larger, and why it is asked about."""
    picture = thumbnail(row["path"], project.recipe, 448)
    if picture is not None:
        st.image(picture, width="stretch", alt=f"{row['name']}, larger")
    st.caption(f"{plain(row['name'])} · {row['width']} × {row['height']} px")
    if why := work_list.guesses.get(work_list.cursor, {}).get("why"):
        st.markdown(plain(why))


def many(project: ProjectSummary, work_list: LabelList) -> None:
    """Confirm all guesses of at least some probability, with their number in the button."""
    with st.popover("Confirm confident guesses", icon=":material/done_all:", disabled=not work_list.guesses):
        least = st.slider("Minimum probability", 0.5, 1.0, 0.95, 0.01, key="label_sure")
        chosen = sure_suggestions(work_list, least)
        st.caption("Look at a few pages first: the teacher can be confident and wrong. One undo (U) reverts them all.")
        if st.button(
            f"Label {counted(len(chosen), 'image')} with the teacher's guess",
            type="primary",
            key="label_confident",  # a colleague's label changes the number, and shall not lose the press
            disabled=not chosen,
        ):
            kept = give(
                project.id, work_list, chosen, guesses=chosen, shown={image: work_list.seen[image] for image in chosen}
            )
            work_list.again += 1
            work_list.cursor = work_list.cursor if work_list.cursor not in work_list.done else work_list.next_open("")
            notices.say_after_rerun(f"{counted(len(chosen) - len(kept), 'image')} labelled; U undoes it")
            st.rerun()


page()
