"""One run as it stands: the panel of its job, with figures, curves and what else can be done with a training."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.runs import run_charts
from app.kit import charts
from app.kit.background import duration
from app.kit.both_texts import both_texts, save_label
from app.kit.guard import plain
from app.kit.job_panel import age, job_progress, progress_line, whole_job
from app.state import address, notices, studio, visitor
from app.state.forms import open_form
from avion_core.errors import AvionError, EditedMeanwhileError
from avion_core.usecases import policies
from avion_core.usecases.insight.alignment import MapSettings, list_maps, start_map
from avion_core.usecases.insight.figure_words import right_of
from avion_core.usecases.insight.journal import changes_since, listed
from avion_core.usecases.jobs import JobView, log_tail
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.runs.choices import method_choice, on_captions, trains_student
from avion_core.usecases.runs.deleting import delete_run
from avion_core.usecases.runs.marking import pin_baseline, rename_run
from avion_core.usecases.runs.views import DRAWN_STEPS, RunView, computed_with, curves, get_run, right_on_validation
from avion_core.wording import counted

_EVERY = 2.0
_HELPS = {
    "Stop": "Saves, then stops. You can resume it: exactly there, on the same processor.",
    "Kill": "Ends it at once; work since the last save is lost.",
    "Resume": "Continues from its last save, exactly on the same processor; waits its turn while another run uses the "
    "device.",
}
_QUIET_SECONDS = 30
_CURVES = {
    "validation_accuracy": ("Validation accuracy", "Share of the validation images that the student gets right."),
}
_CAPTION_CURVES = {
    "validation_mr": ("Validation mR", "Mean recall of the validation images and their captions, both ways."),
}


def run_monitor(drawn: RunView, project: ProjectSummary) -> None:
    """The panel of its job, with the figures, actions and curves of a training in it."""

    def body(job: JobView) -> None:
        run = get_run(studio.home(), drawn.id)
        if run.error and not job.error:
            st.error(plain(run.error), title="Its settings cannot be read", icon=":material/error:")
        _figures(run)
        _actions(run, project)
        run_curves(run)

    baseline = " :violet-badge[:material/keep: baseline]" if drawn.id == project.baseline_run else ""
    begun = f" · based on {drawn.based_on}" if drawn.based_on else ""
    whole_job(
        studio.home(), drawn.id, drawn.name, f" · {drawn.id}{begun}{baseline}", body=body, helps=_HELPS, every=_EVERY
    )


def _figures(run: RunView) -> None:
    """Progress and figures; silence with what is known about it."""
    if run.origin and run.origin.labels and run.origin.labels.crossed:
        st.caption(f":material/label: {run.origin.labels.sentence}")
    computed = _computed(run)
    _say_silence(run)
    if run.active and run.stage != "training":
        job_progress(run)
    else:
        place = f"epoch {run.epoch} · step {run.step:,} of {run.steps:,}" if run.steps else "not started"
        doing = "training" if run.status == "running" else run.status
        progress_line(doing, place, run.step / run.steps if run.steps else 0.0, run.eta_seconds)
    with st.grid(5, min_column_width=140):
        watched, reached = "Validation accuracy", run.accuracy
        if on_captions(run):
            watched, reached = "Validation mR", run.summary.get("validation_mr")
        counts = right_on_validation(studio.home(), run)
        st.metric(
            watched,
            "–" if reached is None else f"{reached:.1f} %",
            f"{counts[0]:,} of {counts[1]:,} right" if counts else None,
            "off",
            delta_arrow="off",
            border=True,
            help=right_of(*counts) if counts else None,
        )
        st.metric("Device", run.device or "–", border=True, help=" · ".join(map(plain, computed)) or None)
        st.metric(
            "Last heartbeat",
            age(run.heartbeat_age) or "–",
            border=True,
            help="The process reports once a second that it is alive.",
        )
        process = {True: "alive", False: "gone", None: "–"}[run.alive]
        st.metric("Process", process, border=True, help=f"Number {run.pid} on {plain(run.host)}" if run.pid else None)
        held = f"{run.peak_bytes / 1e9:.1f} GB" if run.peak_bytes else "–"
        st.metric("Peak memory", held, border=True)


def _computed(run: RunView) -> list[str]:
    """What it was computed with; a change on the way is said."""
    try:
        found = computed_with(studio.home(), run.id)
    except AvionError as error:
        st.warning(plain(str(error)))
        return []
    if len(found) > 1:
        words = "  \n".join(map(plain, found))
        st.warning(f"Its steps were not all computed with the same; its last bits depend on that.  \n{words}")
    return found


def _say_silence(run: RunView) -> None:
    """A process that is there and does nothing to be seen: what it said last, and what can be done."""
    starting = run.state == "queued" and not run.waiting and (run.heartbeat_age or 0) > _QUIET_SECONDS
    slow = max(_QUIET_SECONDS, 20 * (run.seconds_per_step or 0))
    stuck = run.stage == "training" and (run.step_age or 0) > slow
    if starting or stuck:
        quiet = run.heartbeat_age if starting else run.step_age
        said = next(iter(log_tail(studio.home(), run.id, 1)), "nothing yet")
        st.warning(
            f"Its process ({run.pid}) is running, but {'has not started the training' if starting else 'made no step'} "
            f"for {duration(quiet or 0)}. Last line of its log: {plain(said)}  \n"
            "Wait if the machine is busy; otherwise kill it and resume it.",
            icon=":material/hourglass_disabled:",
        )


def _actions(run: RunView, project: ProjectSummary) -> None:
    """What else makes sense in this state; whatever destroys asks first."""
    home = studio.home()
    with st.container(horizontal=True):
        if run.state == "finished":
            if trains_student(run):
                _map_button(run)
            shell.go_button("Evaluate it", "evaluation", "fact_check", primary=False)
        if st.button(
            "New from this", icon=":material/content_copy:", help="Opens the launch page with these settings."
        ):
            address.choose(address.BASED_ON, run.id)
            shell.go("launch")
        pinned = run.id == project.baseline_run
        if st.button(
            "Unpin" if pinned else "Pin as baseline",
            icon=":material/keep:",
            help="Other runs are compared with the baseline.",
            disabled=not visitor.may(policies.TRAIN),
        ):
            pin_baseline(home, project.id, None if pinned else run.id)
            st.rerun(scope="app")
        _rename(run)
        if not run.active:
            _delete(run)


def _map_button(run: RunView) -> None:
    """To its map; where there is none yet, the button also has it computed."""
    if list_maps(studio.home(), run.id):
        shell.go_button("See its map", "alignment", "scatter_plot")
        return
    said = "Images, descriptions and prototypes before and after training. Takes seconds to minutes, and is kept."
    if st.button("Compute its map", icon=":material/scatter_plot:", type="primary", help=said, key="compute_map"):
        address.choose(address.RUN, run.id)
        address.choose(address.MAP, start_map(studio.home(), run.id, MapSettings()))
        shell.go("alignment")


def _rename(run: RunView) -> None:
    with st.popover("Rename", icon=":material/edit:", disabled=not visitor.may(policies.TRAIN)):
        form = open_form(f"rename_{run.id}", run.name)
        name = st.text_input("Name", value=form.begun, key=form.key)
        form.follow(run.name, typed=name != form.begun)
        both_texts(form)
        label = save_label(form, "Save the name")
        if st.button(label, key=form.save_key, disabled=not name.strip() or name == run.name):
            try:
                rename_run(studio.home(), run.id, name, opened=form.opened)
            except EditedMeanwhileError as error:
                form.refuse(error, error.now["name"])
            else:
                form.start_again()
            st.rerun(scope="app")


def _delete(run: RunView) -> None:
    with st.popover("Delete", icon=":material/delete:", disabled=not visitor.may(policies.TRAIN)):
        st.markdown(f"**{plain(run.name)}** with its student, curves, maps and figures. This cannot be undone.")
        if run.looks:
            st.caption(f"The test set was opened {counted(run.looks, 'time')} for this run; the journal keeps that.")
        if st.button("Delete permanently", icon=":material/delete_forever:", type="primary"):
            delete_run(studio.home(), run.id)
            notices.say_after_rerun("The run is deleted", ":material/delete:")
            st.rerun(scope="app")


def run_curves(run: RunView) -> None:
    """All loss parts, validation accuracy, and what else the method has to show; thinned curves say so."""
    found = curves(studio.home(), run.id, DRAWN_STEPS)
    table = found.table
    if table.empty:
        st.caption("Curves appear with the first steps.")
        return
    wanted = {**(_CAPTION_CURVES if on_captions(run) else _CURVES), **method_choice(run.config.method).curves}
    panels = [column for _ in range(0, len(wanted) + 1, 2) for column in st.columns(2)]
    with panels[0]:
        st.markdown("**Loss and its parts**", help="The parts without their weights; the loss is their weighted sum.")
        shown = run_charts.losses(table)
        st.plotly_chart(shown, key="loss_curves", config=charts.QUIET, alt="Loss and its parts over the steps")
    for panel, (column, (title, what)) in zip(panels[1:], wanted.items(), strict=False):
        with panel:
            st.markdown(f"**{title}**", help=what)
            if column in table and table[column].notna().any():
                shown = run_charts.curve(table, column)
                st.plotly_chart(shown, key=f"curve_{column}", config=charts.QUIET, alt=f"{title} over the steps")
            else:
                st.caption("Appears after the first validation.")
    if found.statement:
        st.caption(found.statement)


def run_origin(run: RunView) -> None:
    """What the run was trained on, whether that still holds, and its settings."""
    changed = changes_since(studio.home(), run)
    if changed:
        st.caption(
            f":material/history: Stale: the data it was trained on were frozen before {listed(changed)}. "
            "“New from this” trains with the same settings on the data as they are now."
        )
    with st.expander("Settings of this run", icon=":material/settings:"):
        st.json(run.config.model_dump(), expanded=1)
