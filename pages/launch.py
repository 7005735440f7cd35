"""Launch: choose settings, check them before anything starts, and train now, later, or several in turn."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import shell
from app.components.runs.launch_panels import look_choice, origin, show_checks, show_cost, sweep_choice
from app.components.runs.settings_form import settings_form, widget_key
from app.state import address, notices, run_choice, studio, visitor, widgets
from avion_core.usecases import policies
from avion_core.usecases.installation.home import Home
from avion_core.usecases.models.catalog import list_models
from avion_core.usecases.projects.summaries import ProjectSummary, list_projects
from avion_core.usecases.runs.command_line import cli_command
from avion_core.usecases.runs.launching import launch, launch_sweep
from avion_core.usecases.runs.planning import planned_config
from avion_core.usecases.runs.preflight import preflight
from avion_core.wording import counted


def settings(
    home: Home, project: ProjectSummary, preset: str, base: str | None, form: str, *, research: bool
) -> dict[str, Any]:
    """The form, and what was changed in it. A preset's passes follow from the protocol that is chosen."""
    begin = planned_config(home, project.id, preset, based_on=base)
    protocol = widgets.typed(widget_key(form, "protocol.name")) or begin.protocol.name
    afresh = {}
    if protocol != begin.protocol.name:
        of_protocol = planned_config(home, project.id, preset, {"protocol.name": protocol}, base).distillation
        begin = begin.model_copy(update={"distillation": of_protocol})
        afresh["distillation.epochs"] = protocol
    others = {other.id: other.name for other in list_projects(home) if other.id != project.id}
    return settings_form(begin, key=form, models=list_models(home), projects=others, research=research, afresh=afresh)


def page() -> None:
    project = shell.need_project()
    research = look_choice()
    preset, base = origin(project, research=research)
    home, form = studio.home(), f"launch_{project.id}_{base or preset}"
    changed = settings(home, project, preset, base, form, research=research)
    config = planned_config(home, project.id, preset, changed, base)
    shots, seeds = sweep_choice(project, config)
    each = [{**changed, "data.shots": shot, "data.seed": seed} for shot in shots for seed in seeds] or [changed]
    configs = [planned_config(home, project.id, preset, one, base) for one in each]
    checks = preflight(home, project.id, configs[-1])
    show_checks(checks, form)
    show_cost(project, configs)
    name = "" if shots else st.text_input("Name", placeholder="made from the settings", key="run_name", width=420)
    st.markdown("**The same from the command line**")
    command = cli_command(home, project.id, config, shots, seeds, preset=preset, name=name)
    st.code(command, language="bash", wrap_lines=True)
    blocked = any(check.severity == "error" for check in checks) or not visitor.may(policies.TRAIN)
    start(project, preset, base, changed, (shots, seeds), name, blocked=blocked)


def start(
    project: ProjectSummary,
    preset: str,
    base: str | None,
    changed: dict[str, Any],
    sweep: tuple[list[int], list[int]],
    name: str,
    *,
    blocked: bool,
) -> None:
    """The buttons that begin it, and on to the runs."""
    shots, seeds = sweep
    number = len(shots) * len(seeds)
    if not visitor.may(policies.TRAIN):
        st.caption(":material/lock: Starting a training takes an adjudicator or an admin of this studio.")
    with st.container(horizontal=True):
        if number:
            now = False
            later = st.button(
                f"Queue {counted(number, 'run')}", icon=":material/queue:", type="primary", disabled=blocked
            )
        else:
            now = st.button("Start now", icon=":material/play_arrow:", type="primary", disabled=blocked)
            later = st.button(
                "Queue", icon=":material/queue:", disabled=blocked, help="It starts when the runs before it are done."
            )
    if not now and not later:
        return
    home = studio.home()
    if number:
        runs = launch_sweep(home, project.id, preset, changed, shots=shots, seeds=seeds, based_on=base)
    else:
        runs = [launch(home, project.id, preset, changed, name, based_on=base, wait=later)]
    address.choose(address.BASED_ON, "")
    run_choice.show(runs[:1])
    notices.say_after_rerun("Training started" if now else f"Queued: {len(runs)}", ":material/rocket_launch:")
    shell.go("runs")


page()
