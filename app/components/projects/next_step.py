"""The one thing to do next in a project."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.state import studio
from avion_core.usecases.projects.captions import caption_counts
from avion_core.usecases.projects.demo_results import WHO as BY_THE_DEMO
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.runs.views import list_runs
from avion_core.wording import counted


def next_step(project: ProjectSummary) -> None:
    """The one thing to do next, with its button. The run that the demo comes with is nobody's work yet."""
    runs = [run for run in list_runs(studio.home(), project.id) if run.who != BY_THE_DEMO]
    if len(project.classes) < 2 and caption_counts(studio.home(), project.id):
        text = "Its images have captions: a student can be trained on them, with the protocol Retrieval."
        button = ("Train a student", "launch", "rocket_launch")
    elif len(project.classes) < 2:
        text, button = "Name the classes that your images can show.", ("Add classes", "classes", "category")
    elif not all(entry.train for entry in project.classes):
        lacking = sum(not entry.train for entry in project.classes)
        text = f"{lacking:,} of {len(project.classes):,} classes have no training image: label some."
        button = ("Label images", "label", "label")
    elif not project.descriptions:
        text, button = "No descriptions yet: import some, or generate them, then review them.", None
    elif any(run.state == "finished" for run in runs):
        text, button = "A student is trained.", ("See what it gained", "evaluation", "fact_check")
    elif any(run.state in ("queued", "running") for run in runs):
        text, button = "A student is being trained.", ("Watch it", "runs", "monitoring")
    elif project.judged == 0:
        text = f"{counted(project.descriptions, 'description is', 'descriptions are')} ready to review."
        button = ("Review descriptions", "review", "rate_review")
    else:
        text = f"{counted(project.judged, 'description is', 'descriptions are')} judged. Train a student or go on."
        button = ("Train a student", "launch", "rocket_launch")
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/arrow_forward: **Next:** {text}", width="stretch")
        if button:
            shell.go_button(*button)
        if button and button[1] == "evaluation" and project.pictures:
            shell.go_button("Classify new images", "predict", "image_search", primary=False)
        if not project.descriptions:
            shell.import_button("secondary" if button else "primary")
