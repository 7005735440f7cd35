"""A training is planned, checked, frozen and queued, alone or in a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from typing import Any

from avion_core.data.project import save_inputs
from avion_core.jobs import executors
from avion_core.jobs.process import this_process
from avion_core.jobs.submit import submit
from avion_core.store import journal, runs
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.store.tables import Job, Run, new_id
from avion_core.store.verdicts import rules_in_force
from avion_core.usecases import jobs
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.runs.label_budget import within_budget
from avion_core.usecases.runs.planning import by_project_ids, plan_run, planned_config
from avion_core.usecases.runs.preflight import refuse_unready


@use_case
def create_run(
    home: Home,
    project: str,
    preset: str = "recommended",
    overrides: dict[str, Any] | None = None,
    name: str = "",
    *,
    based_on: str | None = None,
    here: bool = False,
) -> str:
    """Queue a run: freeze its settings and inputs in a folder of its own, and write its row. Returns its id.

    Args:
        based_on: take the settings of this run in the preset's place.
        here: this very process is about to train it (`run_here`), so the queue leaves it alone.

    Raises:
        NotFoundError: no such project.
        ConfigError: settings that cannot be used.
        TrainingError: something that `preflight` finds keeps it from starting.
        JobError: the chosen executor cannot be used as it is set up.
    """
    who = home.actor.name
    plan = plan_run(home, project, preset, overrides, based_on)
    refuse_unready(home, project, plan.config)
    config = by_project_ids(home, plan.config)
    run_id = new_id()
    folder = home.run_folder(run_id)
    others = [freeze(home, other) for other in config.protocol.projects]
    data = freeze(home, project)
    table, labels = within_budget(home, project, config, data.descriptions, data.splits, data.class_names)
    save_inputs(folder / "inputs", replace(data, descriptions=table), others)
    place = executors.plan(config.device, here=here)
    with writing(home.engine) as session:
        row = find_project(session, project)
        base = None if based_on is None else runs.find_run(session, based_on)
        process = {**asdict(this_process()), "submission": "here"} if here else {}
        run = Run(
            job=Job(
                id=run_id,
                kind="training",
                project_id=row.id,
                who=who,
                **asdict(place),
                **process,
            ),
            id=run_id,
            project_id=row.id,
            name=name.strip() or plan.name,
            config=config.model_dump(mode="json"),
            rule_version=rules_in_force(session, row.id),
            based_on=None if base is None else base.id,
            origin=plan.origin.model_copy(update={"labels": labels}).model_dump(mode="json"),
        )
        session.add(run)
        journal.note(session, row.id, "training", f"New training: {run.name} ({run.id}).", who)
    return run_id


@use_case
def launch(
    home: Home,
    project: str,
    preset: str = "recommended",
    overrides: dict[str, Any] | None = None,
    name: str = "",
    *,
    based_on: str | None = None,
    wait: bool = False,
) -> str:
    """Queue a run and start it in a process of its own; returns its id. (See `create_run` for errors.)

    Args:
        wait: start it when the runs before it on its device are done, not at once.
    """
    run_id = create_run(home, project, preset, overrides, name, based_on=based_on)
    if wait:
        jobs.enqueue(home, run_id)
    else:
        submit(home, run_id)
    return run_id


@use_case
def launch_sweep(
    home: Home,
    project: str,
    preset: str = "recommended",
    overrides: dict[str, Any] | None = None,
    *,
    shots: Sequence[int],
    seeds: Sequence[int],
    based_on: str | None = None,
) -> list[str]:
    """Queue a run for each number of shots and each seed, and have them trained in turn; returns their ids.

    All are checked before the first is queued. (See `create_run` for errors.)
    """
    each = [
        {**(overrides or {}), "data.shots": shot, "data.seed": seed}
        for shot, seed in product(sorted(set(shots)), sorted(set(seeds)))
    ]
    for changed in each:
        refuse_unready(home, project, planned_config(home, project, preset, changed, based_on))
    ids = [create_run(home, project, preset, changed, based_on=based_on) for changed in each]
    jobs.enqueue(home, *ids)
    return ids
