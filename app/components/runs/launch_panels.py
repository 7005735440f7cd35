"""Before a training starts: where its settings come from, what speaks against it, what it will take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import shell
from app.components.models.model_fixes import model_buttons
from app.components.runs.settings_form import label, widget_key
from app.kit.background import duration
from app.kit.guard import plain
from app.state import address, run_choice, studio, widgets
from avion_core.config import RunConfig
from avion_core.presets import PRESETS
from avion_core.settings import flatten
from avion_core.usecases.projects.summaries import ProjectSummary, read_splits
from avion_core.usecases.runs.check import Check
from avion_core.usecases.runs.estimate import estimate
from avion_core.usecases.runs.planning import planned_config
from avion_core.usecases.runs.views import RunView, get_run

_PRESETS = {
    "demo": "Small models, a short training: minutes on a laptop.",
    "recommended": "The paper's method with the settings this project advises.",
    "own-data": "AVION that learns from images without labels, too, in 200 steps at least: for few labels and many "
    "images. A step takes twice as long.",
    "paper": "The paper's settings to the letter: its word list, its z-score, which cuts both ways, and its schedule "
    "(small batches and many passes: long without a GPU).",
    "authors": "The paper's settings as the authors' code has them: bare class names, no weight decay, halves drawn by "
    "the seed, and an augmented student view.",
    "B0": "Ablation: shallow text prompts only (tokens before the template; CoOp itself learns them in its place).",
    "B1": "Ablation: B0 with deep prompts in both towers.",
    "B2": "Ablation: B1 with visual alignment.",
    "B3": "Ablation: B2 with textual alignment to a template prototype.",
    "B4": "Ablation: B3 with LLM descriptions, weighed evenly.",
    "B5": "Ablation: B4 with selective aggregation.",
    "B6": "Ablation: B5 with logit alignment, no warm-up.",
    "B7": "Ablation: B6 with warm-up, which is AVION.",
    "P0": "Ablation: the template's text as prototype, no descriptions.",
    "P-uniform": "Ablation: all descriptions with the same weight.",
    "P-flag-only": "Ablation: descriptions weighted by the RS-Flag alone.",
    "P-z-only": "Ablation: descriptions that the robust z keeps, with the same weight.",
    "P-full": "Ablation: flag, robust z and similarity, which is AVION.",
}
_SIGNS = {
    "ok": ":green[:material/check_circle:]",
    "warning": ":orange[:material/warning:]",
    "error": ":red[:material/error:]",
}
_PLACES = {
    "agreement": "Settle the conflicts",
    "classes": "Open classes",
    "generate": "Generate descriptions",
    "label": "Label images",
    "projects": "Open projects",
    "review": "Open the review",
    "runs": "Look at the runs",
}
"""What the button says that leads to a check's page."""
_SHOTS = (1, 2, 4, 8, 16)


def look_choice() -> bool:
    """The two ways of looking; True for research."""
    look = st.segmented_control(
        "Settings",
        ["For my data", "Research"],
        default="For my data",
        required=True,
        key="look",
        bind="query-params",
        help="For my data: recommended settings in plain words. Research: every protocol, ablation and paper preset.",
    )
    return look == "Research"


def origin(project: ProjectSummary, *, research: bool) -> tuple[str, str | None]:
    """Where the settings begin: (preset, None), or the preset that an earlier run began from, and that run's id."""
    base = address.asked(address.BASED_ON) or None
    preset = "demo" if project.student == "demo-student" else "recommended"
    if base is not None:
        run = get_run(studio.home(), base)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"The settings of **{plain(run.name)}** ({run.id}), to change as you like.")
            st.button(
                "Start from a preset instead", on_click=address.choose, args=(address.BASED_ON, ""), type="tertiary"
            )
        st.caption(_of_the_rules(project, run))
        return (run.origin and run.origin.preset) or preset, run.id
    if research:
        preset = st.segmented_control("Preset", list(PRESETS), default=preset, required=True, key="preset")
    st.caption(_PRESETS[preset])
    return preset, None


def _of_the_rules(project: ProjectSummary, run: RunView) -> str:
    """Which settings of an earlier run follow the project's rules, and what they change by that."""
    if run.origin is None:
        return (
            "An earlier version made this run and did not record which settings followed the project's rules: all are "
            "kept as they were."
        )
    now = flatten(planned_config(studio.home(), project.id, based_on=run.id).model_dump())
    was = flatten(run.config.model_dump())
    moved = [
        f"{label(key).lower()} {_said(was[key])} → {_said(now[key])}"
        for key in run.origin.followed
        if was[key] != now.get(key)
    ]
    if not moved:
        return "All settings are as in that run."
    return (
        f"These follow the project's rules, which have changed since: {', '.join(moved)}. All others are as they were."
    )


def sweep_choice(project: ProjectSummary, config: RunConfig) -> tuple[list[int], list[int]]:
    """Numbers of shots and seeds to train one after another; two empty lists for a single run."""
    splits = read_splits(studio.home(), project.id)
    offered = sorted({shots for shots in (*_SHOTS, config.data.shots) if shots <= splits.max_shots})
    with st.expander("Several runs at once: a few-shot curve", icon=":material/stacked_line_chart:"):
        st.caption(
            "Each seed draws other images; several seeds show how much luck is in a figure. The evaluation page shows "
            "the curve with its standard deviation."
        )
        with st.container(horizontal=True):
            shots = st.pills("Images per class", offered, selection_mode="multi", key=f"sweep_shots_{project.id}")
            seeds = st.pills("Seeds", list(splits.train), selection_mode="multi", key=f"sweep_seeds_{project.id}")
    if not shots and not seeds:
        return [], []
    return sorted(shots or [config.data.shots]), sorted(seeds or [config.data.seed])


def show_checks(checks: Sequence[Check], form: str) -> None:
    """Pre-flight checks, the gravest first, each with its hint; those that passed are folded away.

    Args:
        form: prefix of the settings form, in which a fix may change settings.
    """
    grave = [check for severity in ("error", "warning") for check in checks if check.severity == severity]
    fine = [check for check in checks if check.severity == "ok"]
    worst = grave[0].severity if grave else "ok"
    title = {"ok": "Ready to start", "warning": "Can start; look at the warnings", "error": "Cannot start yet"}[worst]
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"{_SIGNS[worst]} **{title}**")
        for number, check in enumerate(grave):
            with st.container(horizontal=True, vertical_alignment="center"):
                words = f"{_SIGNS[check.severity]} **{check.title}** {plain(check.message)} {plain(check.hint)}"
                st.markdown(words, width="stretch")
                _fix_buttons(check, form, number)
        with st.expander(f"{len(fine)} checks passed"):
            for check in fine:
                st.markdown(f"{_SIGNS['ok']} **{check.title}** {plain(check.message)}")


def _fix_buttons(check: Check, form: str, number: int) -> None:
    if check.settings:
        to = ", ".join(f"{label(dotted).lower()} to {_said(value)}" for dotted, value in check.settings.items())
        st.button(
            f"Set {to}",
            icon=":material/build:",
            on_click=_apply,
            args=(form, check.settings),
            key=f"fix_{number}_{check.title}",
        )
    if check.model:
        model_buttons(check.model, key=f"check_{number}")
        return
    where = f"Open the run {check.run}" if check.run else _PLACES.get(check.page)
    if where and st.button(where, icon=":material/arrow_forward:", key=f"fix_page_{number}_{check.title}"):
        if check.run:
            run_choice.show([check.run])
        shell.go(check.page)


def _apply(form: str, settings: dict[str, Any]) -> None:
    for dotted, value in settings.items():
        widgets.fill(widget_key(form, dotted), value)


def _said(value: Any) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def show_cost(project: ProjectSummary, configs: Sequence[RunConfig]) -> None:
    """Time and memory of one run, or of several in turn, and what the figure is made from."""
    each = [found for config in configs if (found := estimate(studio.home(), project.id, config)) is not None]
    if not each:
        return
    seconds = sum(found.seconds + (found.preparation_seconds or 0.0) for found in each)
    steps, peak = sum(found.steps for found in each), max(found.peak_bytes for found in each)
    runs = f"{len(each)} runs, " if len(each) > 1 else ""
    st.markdown(
        f":material/schedule: **About {duration(seconds)}** for {runs}{steps:,} steps · "
        f":material/memory: **about {peak / 1e9:.1f} GB** of memory"
    )
    st.caption(each[0].basis)
