"""A generation as it stands: how far it is, class by class, and what can be done with it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import shell
from app.kit.guard import plain
from app.kit.job_panel import whole_job
from app.state import confusion_cell, sent_lists, studio, visitor, widgets
from avion_core.usecases import policies
from avion_core.usecases.jobs import JobView
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.writing.generations import GenerationView, descriptions_written, exchanges, get_generation
from avion_core.usecases.writing.ordering import order_descriptions, start
from avion_core.wording import counted

_HELPS = {
    "Stop": "Requests already sent are still answered, and their replies kept.",
    "Kill": "Ends it at once; replies that are on their way are lost.",
    "Resume": "Asks for what is still wanted; what came is kept.",
}


def generation_monitor(project: ProjectSummary, drawn: GenerationView) -> None:
    """The panel of its job, with what came so far, class by class."""

    def body(_: JobView) -> None:
        view = get_generation(studio.home(), project.id, drawn.id)
        _figures(view)
        _actions(project, view)
        _replies(project, view)
        _exchanges(project, view)

    served = ", ".join(model for model in drawn.served if model != drawn.settings.model)
    answered = f" (answered: {plain(served)})" if served else ""
    asked = f"{plain(drawn.prompt_version)} · {plain(drawn.who)} · {drawn.created_at:%Y-%m-%d %H:%M} UTC"
    whole_job(studio.home(), drawn.id, drawn.settings.model, f"{answered} · {asked}", body=body, helps=_HELPS)


def _figures(view: GenerationView) -> None:
    """Progress and what it took so far."""
    if view.waiting:
        st.caption(f":material/hourglass_top: {plain(view.waiting)}")
    st.progress(
        min(view.classes_done / view.classes, 1.0) if view.classes else 1.0,
        text=f"{view.classes_done:,} of {view.classes:,} classes · {counted(view.written, 'description')}",
    )
    with st.grid(4, min_column_width=150):
        st.metric("Requests", f"{int(view.table['asked'].sum()):,}", border=True)
        st.metric("Tokens sent", f"{int(view.table['tokens_in'].sum()):,}", border=True)
        st.metric("Tokens written", f"{int(view.table['tokens_out'].sum()):,}", border=True)
        st.metric(
            "Cost", "–" if view.cost is None else f"{view.cost:.4f}", border=True, help="Shown when prices are set."
        )


def _replies(project: ProjectSummary, view: GenerationView) -> None:
    """A row per class that was asked about; what was left out, and why."""
    names = {entry.key: entry.prompt_name for entry in project.classes}
    replies = view.table.to_dict("records")
    shown = pd.DataFrame(
        {
            "class": [names.get(row["class_key"], row["class_key"]) for row in replies],
            "new": [row["got"] for row in replies],
            "requests": [row["asked"] for row in replies],
            "left out": [", ".join(f"{count} {reason}" for reason, count in row["dropped"].items()) for row in replies],
            "problem": [row["problem"] for row in replies],
            "seconds": [round(row["seconds"], 1) for row in replies],
        }
    )
    st.dataframe(shown, hide_index=True, height=min(420, 38 + 35 * max(1, len(shown))), alt="Replies class by class")


def _exchanges(project: ProjectSummary, view: GenerationView) -> None:
    """What was sent about a class and what came, word for word: an expander a request, of the class that is chosen."""
    names = {entry.key: entry.prompt_name for entry in project.classes}
    asked = list(view.table["class_key"])
    widgets.forget_unknown("writing_exchange", asked)
    key = st.selectbox(
        "Requests and replies",
        asked,
        index=None,
        format_func=lambda key: names.get(str(key), str(key)),
        placeholder="Choose a class",
        key="writing_exchange",
        width=260,
    )
    for number, one in enumerate(exchanges(studio.home(), project.id, view.id, key) if key else (), 1):
        told = f"{one.model}: {one.tokens_in:,} tokens sent, {one.tokens_out:,} written" if one.model else "no reply"
        with st.expander(f"Request {number} · {plain(told)}", icon=":material/forum:"):
            st.markdown("**Reply**")
            st.code(one.raw or one.problem, language=None, wrap_lines=True, height=300)
            st.markdown(f"**Prompt** ({plain(view.prompt_version)})")
            st.code(one.instructions, language=None, wrap_lines=True, height=200)
            along = f", and {counted(one.pictures, 'training image')}" if one.pictures else ""
            st.markdown(f"**Data**{along}")
            st.code(one.data, language="json", height=300)


def _actions(project: ProjectSummary, view: GenerationView) -> None:
    """Ask again for what lacks, and on to the review."""
    home = studio.home()
    allowed = visitor.may(policies.CHANGE_PROJECTS)
    with st.container(horizontal=True):
        if (
            not view.active
            and view.lacking
            and st.button(
                f"Retry {counted(len(view.lacking), 'class', 'classes')}",
                icon=":material/replay:",
                disabled=not allowed or (bool(view.settings.base_url) and not visitor.may(policies.ADMINISTER)),
            )
        ):
            again = view.settings.model_copy(update={"classes": view.lacking})
            start(home, order_descriptions(home, project.id, again))
            st.rerun(scope="app")
        if len(pair := view.settings.distinguish_from) == 2 and st.button(
            "See what they change",
            icon=":material/compare_arrows:",
            help="Opens the two classes on the confusion page.",
        ):
            confusion_cell.pick(confusion_cell.texts_matrix(project.id), (pair[0], pair[1]))
            shell.go("confusion")
        if view.written and st.button(f"Review these {view.written:,}", icon=":material/rate_review:"):
            sent_lists.send_to_review(descriptions_written(home, project.id, view.id))
            shell.go("review")
