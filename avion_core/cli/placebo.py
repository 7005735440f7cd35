"""The command that holds descriptions against placebos."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from avion_core.cli.frame import Answer, Desk, command, table
from avion_core.cli.tour import InBackground, Preset, ProjectName, Seed, Settings, Shots, app
from avion_core.cli.training import overrides


@command(app, "placebo")
def placebo(
    desk: Desk,
    project: ProjectName,
    students: Annotated[bool, typer.Option("--students", help="Train a student under each control as well.")] = False,
    split: Annotated[
        Literal["validation", "test"],
        typer.Option(help="validation: labelled images outside shots and test set; test opens the sealed set."),
    ] = "validation",
    draws: Annotated[int, typer.Option(min=1, max=100, help="Draws of the controls that are random.")] = 5,
    preset: Preset = "recommended",
    shots: Shots = None,
    seed: Seed = None,
    settings: Settings = None,
    queue: InBackground = False,
) -> Answer:
    """Whether the words of descriptions carry meaning to the teacher, overall and by class.

    They are held against the template, other classes' descriptions, random words, and themselves without the name.
    """
    from avion_core.jobs.stopping import stop_on_signals
    from avion_core.usecases.curation.rules import run_config
    from avion_core.usecases.insight.placebo import placebo_here, read_placebo, start_placebo

    config = run_config(desk.home, project, preset, overrides(settings, {"data.shots": shots, "data.seed": seed}))
    job = start_placebo(
        desk.home, project, config, students=students, split=split, draws=draws, here=not queue, wait=queue
    )
    if queue:
        again = f"avion jobs show {job}"
        return Answer({"job_id": job}, f"Placebo test {job} is queued.\nNext:  {again}, then the same command again")
    with stop_on_signals() as stop:
        state = placebo_here(desk.home, job, stop, desk)
    if state != "finished":
        return Answer({"job_id": job, "state": state}, f"Placebo test {job} is {state}: avion jobs resume {job}")
    found = read_placebo(desk.home, project, job)
    assert found is not None
    lines = [found.statement, ""]
    for verdict in found.overall:
        rows = found.figures[(found.figures["judge"] == verdict.judge) & (found.figures["part"] == "all")]
        shown = rows.rename(columns={"title": verdict.judge, "value": "percent", "gain": "own is better by"})
        columns = [verdict.judge, "percent", "low", "high", "own is better by", "gain_low", "gain_high", "n"]
        lines += [table(shown.to_dict("records"), columns), "", verdict.sentence, ""]
        lines += [one.sentence for one in found.by_class[verdict.judge]] + [""]
    lines += [f"Left out: {what}. {why}" for what, why in found.left_out.items()]
    if split == "test":
        lines.append(f"Looks at the test set for placebo tests so far: {found.looks}.")
    verdicts = [*found.overall, *(one for of in found.by_class.values() for one in of)]
    data = {
        "job_id": job,
        "split": split,
        "shots": found.config.data.shots,
        "seed": found.config.data.seed,
        "draws": found.draws,
        "figures": found.figures.to_dict("records"),
        "verdicts": [{**vars(one), "meaning": one.meaning, "sentence": one.sentence} for one in verdicts],
        "left_out": found.left_out,
        "looks": found.looks,
    }
    return Answer(data, "\n".join(lines).rstrip())
