"""Placebo: whether the words of descriptions carry meaning to the teacher, or random words would do as well."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.evaluation.measuring import measuring_failed, measuring_panel
from app.components.evaluation.placebo_panels import class_sentences, class_texts_button, controls_table, placebo_form
from app.kit.guard import empty_state, end_page, plain
from app.state import studio
from avion_core.usecases.insight.placebo import placebo_job, read_placebo
from avion_core.usecases.projects.summaries import ProjectSummary

_JUDGES = {"teacher": "The teacher's prototypes", "student": "Trained students"}
_WHAT = (
    "Descriptions often help no more than random words or the class name alone. This test holds yours against the "
    "template, the descriptions of other classes, random words of the same lengths, and themselves without the class's "
    "name, on labelled images outside the training shots. The sealed test set is not used."
)


def page() -> None:
    project = shell.need_project()
    need_texts(project)
    home = studio.home()
    job = placebo_job(home, project.id)
    if job is not None and job.active:
        measuring_panel(job, "Placebo test")
        end_page()
    if job is not None and job.state != "finished":
        measuring_failed(job)
    found = read_placebo(home, project.id)
    if found is None:
        with empty_state("science", "No placebo test yet", _WHAT):
            placebo_form(project)
        return
    if found.outdated:
        st.warning("Descriptions, verdicts, rules or labels have changed since this test.", icon=":material/update:")
    judges = list(found.by_class)
    judge = judges[0]
    if len(judges) > 1:
        judge = st.segmented_control(
            "Judged by", judges, default=judges[0], required=True, format_func=_JUDGES.__getitem__, key="placebo_judge"
        )
    overall = next(one for one in found.overall if one.judge == judge)
    st.markdown(f"**{plain(overall.sentence)}**")
    st.caption(plain(found.statement))
    controls_table(found, judge)
    for what, why in found.left_out.items():
        st.caption(plain(f"Left out: {what}. {why}"))
    st.subheader("Class by class")
    class_sentences(found.by_class[judge])
    st.caption(
        "Of forty classes whose words carry no meaning, about one is called meaningful by chance: intervals are of "
        "95 % for each class alone."
    )
    class_texts_button(found.by_class[judge])
    placebo_form(project, primary=found.outdated)


def need_texts(project: ProjectSummary) -> None:
    """Labels and descriptions; else an empty state, and the page ends."""
    shell.need_labels(project)
    if not project.descriptions:
        with empty_state("description", "No descriptions yet", _WHAT):
            shell.import_button()
        end_page()


page()
