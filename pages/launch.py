"""Launch: choose settings, check them before anything starts, and train."""

from __future__ import annotations

import streamlit as st

from app import session, shell
from app.components.settings_form import settings_form
from avion_core.config import PRESETS
from avion_core.studio.preflight import Check, cli_command, preflight
from avion_core.studio.projects import ProjectSummary
from avion_core.studio.rules import run_config
from avion_core.studio.training import launch

_PRESETS = {
    "demo": "Small models, a short training: minutes on a laptop.",
    "recommended": "The paper's method with the settings this project advises.",
    "paper": "The paper's settings to the letter.",
    "B0": "Ablation: shallow text prompts only.",
    "B1": "Ablation: B0 with deep prompts in both towers.",
    "B2": "Ablation: B1 with visual alignment.",
    "B3": "Ablation: B2 with textual alignment to a template prototype.",
    "B4": "Ablation: B3 with LLM descriptions, weighed evenly.",
    "B5": "Ablation: B4 with selective aggregation.",
    "B6": "Ablation: B5 with logit alignment, no warm-up.",
    "B7": "Ablation: B6 with warm-up, which is AVION.",
}
_SIGNS = {
    "ok": ":green[:material/check_circle:]",
    "warning": ":orange[:material/warning:]",
    "error": ":red[:material/error:]",
}


def page() -> None:
    project = shell.need_project()
    preset = choose_preset(project)
    form = settings_form(run_config(session.home(), project.id, preset), key=f"launch_{project.id}_{preset}")
    config = run_config(session.home(), project.id, preset, form)
    checks = preflight(session.home(), project.id, config)
    show_checks(checks)
    st.markdown("**The same from the command line**")
    st.code(cli_command(session.home(), project.id, config), language="bash", wrap_lines=True)
    blocked = any(check.severity == "error" for check in checks)
    if st.button("Start the training", icon=":material/play_arrow:", type="primary", disabled=blocked):
        run = launch(session.home(), project.id, preset, form)
        session.choose(session.RUN, run)
        session.say_after_rerun("Training started", ":material/rocket_launch:")
        st.switch_page(shell.page_path("runs"))


def choose_preset(project: ProjectSummary) -> str:
    preset = st.segmented_control(
        "Preset",
        list(PRESETS),
        default="demo" if project.student == "demo-student" else "recommended",
        required=True,
        key="preset",
    )
    st.caption(_PRESETS[preset])
    return preset


def show_checks(checks: list[Check]) -> None:
    """Pre-flight checks, the gravest first, each with its mend."""
    grave = [check for severity in ("error", "warning", "ok") for check in checks if check.severity == severity]
    worst = grave[0].severity if grave else "ok"
    title = {"ok": "Ready to start", "warning": "Can start; look at the warnings", "error": "Cannot start yet"}[worst]
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"{_SIGNS[worst]} **{title}**")
        for check in grave:
            mend = f"  \n&emsp;&ensp;{check.mend}" if check.mend and check.severity != "ok" else ""
            st.markdown(f"{_SIGNS[check.severity]} **{check.title}** {check.message}{mend}")


page()
