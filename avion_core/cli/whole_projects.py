"""Commands for a project as a whole: its models, its name, a copy of it, the archive, and its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avion_core.cli.frame import Answer, Desk, command
from avion_core.cli.projects import brief
from avion_core.cli.tour import Preview, ProjectName, projects


@command(projects, "models")
def models_(
    desk: Desk,
    project: ProjectName,
    teacher: Annotated[str | None, typer.Option(help="Another teacher: a name from `avion models list`.")] = None,
    student: Annotated[str | None, typer.Option(help="Another student, as for the teacher.")] = None,
    preview: Preview = False,
) -> Answer:
    """Let a project work with another teacher or student, and say what becomes out of date."""
    from avion_core.usecases.projects.models import models_change, set_models
    from avion_core.usecases.projects.summaries import get_project

    found = get_project(desk.home, project)
    pair = teacher or found.teacher, student or found.student
    said = (models_change if preview else set_models)(desk.home, found.id, *pair)
    text = "\n".join(said) or f"{found.name} works with the teacher {pair[0]} and the student {pair[1]}."
    return Answer({"teacher": pair[0], "student": pair[1], "changes": said, "written": not preview}, text)


@command(projects, "rename")
def rename_(
    desk: Desk, project: ProjectName, name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.")]
) -> Answer:
    """Call a project otherwise."""
    from avion_core.usecases.transfer.whole_projects import rename_project

    rename_project(desk.home, project, name)
    return Answer({"name": name.strip()}, f"The project is called {name.strip()} now.")


@command(projects, "duplicate")
def duplicate(
    desk: Desk, project: ProjectName, name: Annotated[str, typer.Argument(metavar="NAME", help="The copy's name.")]
) -> Answer:
    """Copy a project with its descriptions, verdicts, labels, rules and runs."""
    from avion_core.usecases.transfer.whole_projects import duplicate_project

    made = duplicate_project(desk.home, project, name)
    return Answer(brief(made), f"{made.name} ({made.id}) is a copy of {project}.")


@command(projects, "archive")
def archive(
    desk: Desk,
    project: ProjectName,
    back: Annotated[bool, typer.Option("--undo", help="Restore it.")] = False,
) -> Answer:
    """Put a project aside: it stays whole, and leaves the studio's lists."""
    from avion_core.usecases.transfer.whole_projects import archive_project

    archive_project(desk.home, project, not back)
    return Answer({"archived": not back}, f"{project} is {'restored' if back else 'archived'}.")


@command(projects, "delete")
def delete(
    desk: Desk,
    project: ProjectName,
    for_good: Annotated[bool, typer.Option("--for-good", help="Yes: nothing of it can come back.")] = False,
    pack: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pack it into this file first, to be unpacked again.")
    ] = None,
) -> Answer:
    """Delete a project with its descriptions, verdicts, labels and runs; image files stay."""
    from avion_core.usecases.projects.summaries import get_project
    from avion_core.usecases.transfer.packs import pack_project
    from avion_core.usecases.transfer.whole_projects import delete_project

    found = get_project(desk.home, project)
    if not for_good:
        raise typer.BadParameter(f"deleting {found.name} cannot be undone. Add --for-good, or --pack FILE as well.")
    packed = pack_project(desk.home, found.id, pack, progress=desk.progress) if pack else None
    delete_project(desk.home, found.id)
    kept = f" It is packed in {packed.path}: {packed.sentence}" if packed else ""
    return Answer({"deleted": found.id, "pack": packed and packed.path}, f"{found.name} is deleted.{kept}")
