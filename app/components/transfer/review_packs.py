"""Review packs: out to a colleague, open at the colleague's, and verdicts back in."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.components.transfer.exchange_forms import import_report, upload_key
from app.kit.background import computed
from app.kit.guard import plain
from app.state import address, notices, project_requests, studio
from avion_core.progress import Progress
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.projects.uploads import MOST_MB, as_file
from avion_core.usecases.transfer.exchange import Holdings, file_name
from avion_core.usecases.transfer.review_packs import (
    PackedReview,
    ReviewReport,
    merge_review,
    open_review_pack,
    opened_packs,
    packed_review,
    returned_verdicts,
)
from avion_core.wording import counted

_KINDS = ["jsonl", "csv", "parquet"]


def opened_pack(project: ProjectSummary) -> None:
    """Of a project that was made of a review pack: for whom it is judged, and the file to send back."""
    home = studio.home()
    about = opened_packs(home).get(project.id)
    if about is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/move_to_inbox: You judge these descriptions of **{plain(about.project.name)}** as "
            f"**{plain(about.reviewer)}**. Send your verdicts back as a file.",
            width="stretch",
        )
        st.download_button(
            "Verdicts to send back",
            lambda: returned_verdicts(home, project.id),
            file_name(f"{about.project.name}-{about.reviewer}", ".jsonl"),
            "application/jsonl",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
            key="send_back",
        )


def pack_form(project: ProjectSummary) -> None:
    """Who judges what, and the pack as a download once it is made."""
    names = {entry.key: entry.prompt_name for entry in project.classes}
    with st.form("review_pack", border=False):
        with st.container(horizontal=True):
            reviewer = st.text_input("Who will judge", key="pack_reviewer", placeholder="their name", width=260)
            classes = st.multiselect(
                "Classes", list(names), format_func=names.__getitem__, placeholder="All classes", key="pack_classes"
            )
        if st.form_submit_button("Make the pack", icon=":material/folder_zip:", type="primary"):
            project_requests.ask_move("review", project.id, reviewer.strip(), tuple(classes))
    asked = project_requests.asked_move()
    if asked is None or asked[:2] != ("review", project.id):
        st.caption(
            "It opens in AVION Studio; without the studio, unpack it and open review.html in a browser. It includes "
            "thumbnails of training and validation images; the test set stays here."
        )
        return
    home = studio.home()
    _, _, reviewer, classes, _ = asked

    def make(progress: Progress) -> PackedReview:
        return packed_review(
            home, project.id, reviewer=reviewer, classes=classes or None, progress=progress
        )  # fmt: skip

    made = computed(f"pack:{hash(asked)}", "Making the pack", make)
    st.markdown(f":material/check_circle: {plain(made.sentence)}")
    st.download_button(
        "Save the pack",
        made.content,
        made.name,
        "application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="save_pack",
    )


def merge_form(project: ProjectSummary, held: Holdings) -> None:
    """A file that came back, what it would change, and the button that merges it."""
    file = st.file_uploader(
        "File of verdicts",
        type=_KINDS,
        key="merge_file",
        max_upload_size=MOST_MB,
        help="What the colleague's studio or review.html saved, or any export of the same descriptions.",
    )
    if file is None:
        return

    def merge(*, preview: bool) -> ReviewReport:
        with as_file(file.name, file.getvalue()) as path:
            return merge_review(studio.home(), project.id, path, preview=preview)

    key = upload_key(project, held, file.file_id, "merge")
    report = computed(key, f"Reading {file.name}", lambda _: merge(preview=True))
    import_report(report.brought)
    if report.effects:
        st.dataframe(pd.DataFrame({"what it does": report.effects}), hide_index=True, alt="What each decision does")
    if report.conflicts:
        st.caption(f":material/rule: {counted(len(report.conflicts), 'description')} would then be in conflict.")
    if report.elsewhere:
        st.caption(f"{counted(report.elsewhere, 'description')} of another project would be left out.")
    label = f"Merge {counted(report.brought.decisions.added, 'decision')}"
    if st.button(label, icon=":material/merge:", type="primary", disabled=not report.brought.changes, key="merge"):
        notices.say_after_rerun(merge(preview=False).sentence)
        st.rerun()


def open_form() -> None:
    """A pack from a colleague, made into a project to judge in."""
    with st.form("open_pack", border=False):
        file = st.file_uploader("Review pack", type=["zip", "review"], key="open_pack_file", max_upload_size=MOST_MB)
        reviewer = st.text_input("Your name", key="open_pack_reviewer", placeholder="where the pack does not say")
        if st.form_submit_button("Open the pack", icon=":material/folder_open:") and file is not None:
            with as_file(file.name, file.getvalue()) as path, st.spinner("Opening the pack"):
                project = open_review_pack(studio.home(), path, reviewer=reviewer.strip() or None)
            address.choose(address.PROJECT, project.id)
            notices.say_after_rerun(f"{project.name} is open")
            st.rerun()
