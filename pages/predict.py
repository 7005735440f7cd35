"""Predict: classes of new images with the evidence for them, and pictures by words or by a picture."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.evaluation.prediction_panels import chosen_files, classified, image_search, model_selector
from app.kit.guard import empty_state
from app.state import address
from avion_core.usecases.runs.choices import trains_student

_TASKS = {"classify": "Classify images", "search": "Search the project"}


def page() -> None:
    project = shell.need_project()
    if not project.pictures:
        empty_state(
            "hide_image", "Nothing to read pictures with", "Make a project from a folder of images to classify."
        )
        return
    students = [run for run in shell.trained_runs(project) if trains_student(run)]
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
        image_search(project, students)
        return
    shell.need_classes(project)
    run = model_selector(students, address.MODEL)
    images, names = chosen_files()
    if names:
        classified(project, run, images, names)


page()
