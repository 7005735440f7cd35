"""Predict: classes of new images with the evidence for them, pictures by words, and the student to take along."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.evaluation.prediction_panels import chosen_files, classified, export, text_search

_TASKS = {"classify": "Classify images", "search": "Search by words", "export": "Export the student"}


def page() -> None:
    project = shell.need_project()
    run = shell.need_run(project, ("finished", "stopped"), "Predictions need a trained student.")
    task = st.segmented_control(
        "Task",
        list(_TASKS),
        default="classify",
        required=True,
        format_func=_TASKS.__getitem__,
        key="predict_task",
        bind="query-params",
        label_visibility="collapsed",
    )
    if task == "search":
        text_search(project, run)
    elif task == "export":
        export(project, run)
    else:
        images, names = chosen_files()
        if names:
            classified(project, run, images, names)


page()
