"""Commands for runs: how they stand, stopping and going on, and the student on its way out."""

from __future__ import annotations

from typing import Annotated

import typer

from avion_core.cli.frame import Answer, Desk, command, table
from avion_core.cli.tour import Limit, Out, Page, RunName, page_line, runs


@command(runs, "list")
def list_runs_(
    desk: Desk,
    project: Annotated[str | None, typer.Argument(metavar="PROJECT", help="Only this project's runs.")] = None,
    limit: Limit = 50,
    page: Page = 1,
) -> Answer:
    """Runs and their status, the newest first."""
    from avion_core.usecases.runs.listing import page_of_runs

    found = page_of_runs(desk.home, project, limit=limit, page=page)
    rows = [
        {
            "id": run.id, "project": run.project, "name": run.name, "state": run.state, "waiting": run.waiting,
            "step": run.step, "steps": run.steps, "accuracy": run.accuracy, "eta_seconds": run.eta_seconds,
            "cause": run.cause, "error": run.error, "created_at": run.created_at,
        }
        for run in found.rows
    ]  # fmt: skip
    columns = ["id", "project", "name", "state", "step", "steps", "accuracy"]
    counts = {"found": found.found, "page": found.page, "pages": found.pages}
    return Answer({"runs": rows, **counts}, table(rows, columns) + page_line(found) if rows else "No run yet.")


@command(runs, "show")
def show(desk: Desk, run: RunName) -> Answer:
    """One run: its status, where its files are, and every setting."""
    from avion_core.usecases.insight.figure_words import right_of
    from avion_core.usecases.runs.views import computed_with, get_run, right_on_validation

    found = get_run(desk.home, run)
    computed = computed_with(desk.home, found.id)
    lines = [f"{found.id} ({found.name}) of {found.project}: {found.state} at step {found.step:,} of {found.steps:,}"]
    if found.accuracy is not None:
        counts = right_on_validation(desk.home, found)
        lines.append(f"validation: {right_of(*counts) if counts else f'{found.accuracy:.1f} %'}")
    if found.error:
        lines.append(found.error)
    lines += [f"computed in {one}" if place == 0 else one for place, one in enumerate(computed)]
    if found.origin and found.origin.labels:
        lines.append(found.origin.labels.sentence)
    lines.append(f"files in {found.folder}")
    settings = {
        f"{stage}.{name}": value
        for stage, part in found.config.model_dump(mode="json").items()
        if isinstance(part, dict)
        for name, value in part.items()
    }
    followed = found.origin.followed if found.origin else ()
    rows = [
        {"setting": name, "value": str(value), "from": "the project's rules" if name in followed else ""}
        for name, value in settings.items()
    ]
    text = "\n".join([*lines, "", table(rows, ["setting", "value", "from"])])
    return Answer(vars(found) | {"computed_with": computed}, text)


@command(runs, "stop")
def stop_(desk: Desk, run: RunName) -> Answer:
    """Ask a run to save its state and stop; a queued run leaves the queue."""
    from avion_core.usecases.runs.training import stop
    from avion_core.usecases.runs.views import get_run

    found = get_run(desk.home, run)
    stop(desk.home, found.id)
    text = f"{found.id} saves its state and stops. Resume it with: avion runs resume {found.id}"
    return Answer({"run_id": found.id}, text)


@command(runs, "kill")
def kill_(desk: Desk, run: RunName) -> Answer:
    """End a run's process at once; the work since its last checkpoint is lost."""
    from avion_core.usecases.runs.training import kill
    from avion_core.usecases.runs.views import get_run

    found = get_run(desk.home, run)
    kill(desk.home, found.id)
    return Answer({"run_id": found.id}, f"{found.id} is killed. Resume it with: avion runs resume {found.id}")


@command(runs, "resume")
def resume_(desk: Desk, run: RunName) -> Answer:
    """Resume a stopped, failed or lost run in the background; `avion train --resume` does it here."""
    from avion_core.usecases.runs.training import resume
    from avion_core.usecases.runs.views import get_run

    run_id = resume(desk.home, run)
    found = get_run(desk.home, run_id)
    return Answer(
        {"run_id": run_id, "waiting": found.waiting}, f"{run_id} {'is queued' if found.waiting else 'is resumed'}."
    )


@command(runs, "delete")
def delete(desk: Desk, run: RunName) -> Answer:
    """Delete an ended run with its student, curves and maps."""
    from avion_core.usecases.runs.deleting import delete_run
    from avion_core.usecases.runs.views import get_run

    found = get_run(desk.home, run)
    delete_run(desk.home, found.id)
    return Answer({"run_id": found.id}, f"{found.id} ({found.name}) is deleted.")


@command(runs, "export")
def export(desk: Desk, run: RunName, out: Out) -> Answer:
    """Write a run's student as a zip: its weights, classes and settings, and how to load it elsewhere."""
    from avion_core.usecases.insight.prediction import export_student
    from avion_core.usecases.transfer.exchange import save

    path = save(export_student(desk.home, run), out)
    return Answer({"file": path, "bytes": path.stat().st_size}, f"{path}: README.md in it says how to use it.")
