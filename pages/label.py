"""Label: a grid of unlabelled images with the teacher's guesses, and keys that say what they show."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import shell
from app.components.labelling.label_grid import LabelDesk, label_grid
from app.components.projects.project_forms import draw_panel
from app.kit.gallery import thumbnail
from app.kit.guard import empty_state
from app.outbox.labels import give, need_desk, sure_guesses, tiles
from app.state import session
from avion_core.usecases.policies import REVIEW
from avion_core.usecases.projects.images import image_table
from avion_core.usecases.projects.labels import unlabelled
from avion_core.usecases.projects.projects import ProjectSummary
from avion_core.wording import counted


def page() -> None:
    project = shell.need_project()
    session.demand(REVIEW)
    if not project.classes:
        with empty_state(
            "category", "No class yet", "A label is one of the project's classes. Name the first two or three."
        ):
            shell.go_button("Add classes", "classes", "add")
        return
    table = image_table(session.home(), project.id).set_index("image_id", drop=False)
    sent = shell.need_sent(session.LABEL_GRID, table.index)
    waiting = unlabelled(session.home(), project.id)
    if not sent and not waiting and session.desk_of(session.LABEL_GRID, project.id) is None:
        nothing_left(project)
        return
    head = st.container(horizontal=True, vertical_alignment="center")
    with head:
        guessing = st.toggle(
            "Teacher's guesses",
            value=True,
            help="The teacher looks at each image once; with a large one on a processor this takes a while.",
        )
    desk = need_desk(project, sent or waiting, sent=bool(sent), guessing=guessing)
    if not desk.order:
        nothing_left(project)
        return
    if not sent:
        desk.done = set(desk.order) - set(waiting)
    with head:
        progress(project, desk, bool(sent))
    order = " First come those that it doubts and that differ from the ones before: their labels teach most."
    st.caption(desk.sentence + (order if desk.guesses and not sent else ""))
    grid, focus = st.columns([3, 1], gap="medium")
    with grid:
        label_grid(desk, tiles(project, desk, table), project.classes)
    with focus:
        if desk.cursor:
            focused(project, desk, table.loc[[desk.cursor]].iloc[0])
        many(project, desk)
        st.button(
            "Guess and order anew",
            icon=":material/refresh:",
            on_click=session.order_labels_anew,
            help="Skipped images come back, and the teacher takes the new labels into account.",
        )
    draw_panel(project)


def nothing_left(project: ProjectSummary) -> None:
    with empty_state(
        "task_alt",
        "Every image has a label",
        f"{project.labelled:,} images in {len(project.classes):,} classes. To change some, lasso them on a map or "
        "choose them among the images, and send them here.",
    ):
        shell.go_button("Look at the images", "images", "photo_library")
        shell.go_button("Review descriptions", "review", "rate_review", primary=False)


def progress(project: ProjectSummary, desk: LabelDesk, sent: bool) -> None:
    """How much is labelled."""
    if sent:
        st.markdown(f"**{len(desk.done):,} of {len(desk.order):,}** that were sent here are labelled anew")
        back = {"on_click": session.forget_sent, "args": (session.LABEL_GRID,)}
        st.button("Back to the unlabelled images", icon=":material/close:", type="tertiary", **back)
    else:
        share = project.labelled / project.images
        st.progress(share, text=f"{project.labelled:,} of {project.images:,} images labelled", width=360)


def focused(project: ProjectSummary, desk: LabelDesk, row: pd.Series) -> None:
    """The framed image larger, and why it is asked about."""
    picture = thumbnail(row["path"], project.recipe, 448)
    if picture is not None:
        st.image(picture, width="stretch", alt=f"{row['name']}, larger")
    st.caption(f"{row['name']} · {row['width']} × {row['height']} px")
    if why := desk.guesses.get(desk.cursor, {}).get("why"):
        st.markdown(why)


def many(project: ProjectSummary, desk: LabelDesk) -> None:
    """Confirm all guesses of at least some probability, with their number in the button."""
    with st.popover("Confirm sure guesses", icon=":material/done_all:", disabled=not desk.guesses):
        least = st.slider("At least this probability", 0.5, 1.0, 0.95, 0.01, key="label_sure")
        chosen = sure_guesses(desk, least)
        st.caption("Look at a few pages first: a probability is the teacher's own opinion. U takes all back at once.")
        if st.button(f"Give {counted(len(chosen), 'image')} the teacher's guess", type="primary", disabled=not chosen):
            give(project.id, desk, chosen, guesses=chosen)
            desk.again += 1
            desk.cursor = desk.cursor if desk.cursor not in desk.done else desk.next_open("")
            session.say_after_rerun(f"{counted(len(chosen), 'image')} labelled; U takes that back")
            st.rerun()


page()
