"""A project as a whole: its name, a copy of it, putting it aside, and deleting it."""

from __future__ import annotations

import shutil

from avion_core.errors import EditedMeanwhileError, JobError
from avion_core.jobs.kinds import job_folder
from avion_core.store import journal, projects
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.jobs import ACTIVE, list_jobs
from avion_core.store.project_rows import delete_rows
from avion_core.store.sources import image_root
from avion_core.store.tables import now
from avion_core.usecases.folders import own_folder
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import ProjectSummary, get_project
from avion_core.usecases.transfer.packs import pack_project, unpack_project


@use_case
def rename_project(home: Home, project: str, name: str, *, opened: str | None = None) -> None:
    """Call a project otherwise; its id, which links carry, stays.

    Args:
        opened: the name that it had when somebody began to rename it.

    Raises:
        NotFoundError: no such project.
        DataError: no name, one that is taken, or one that cannot be stored.
        EditedMeanwhileError: somebody else has renamed it since.
    """
    name = name.strip()
    with writing(home.engine) as session:
        row = projects.find_project(session, project)
        if row.name == name:
            return
        if opened is not None and row.name != opened:
            hint = "Compare the two names, then save yours or keep the other."
            what = "the project was renamed meanwhile"
            raise EditedMeanwhileError(what, hint, yours={"name": name}, now={"name": row.name}, value=row.name)
        projects.refuse_taken_name(session, name)
        journal.note(session, row.id, "project", f"{row.name} was renamed to {name}.", home.actor.name)
        row.name = name


@use_case
def duplicate_project(home: Home, project: str, name: str) -> ProjectSummary:
    """Make a copy under another name: descriptions, verdicts, labels, splits, rules, runs and all.

    Both are of the same images; what is computed of them is not computed again.

    Raises:
        NotFoundError: no such project.
        DataError: no name, or one that is taken.
    """
    with reading(home.engine) as session:
        row = projects.find_project(session, project)
        projects.refuse_taken_name(session, name.strip())
        # Images that came in a pack lie in the project's own folder: a copy must not lose them with the original.
        own = image_root(row).is_relative_to(home.project_folder(row.id))
    with own_folder("duplicate") as folder:
        pack = folder / "a copy.avion"
        pack_project(home, project, pack, images=own)
        return unpack_project(home, pack, name=name.strip())


@use_case
def archive_project(home: Home, project: str, archived: bool = True) -> None:
    """Put a project aside, or restore it: it stays whole, and leaves the lists of what is worked on.

    Raises:
        NotFoundError: no such project.
    """
    with writing(home.engine) as session:
        row = projects.find_project(session, project)
        if (row.archived_at is not None) != archived:
            row.archived_at = now() if archived else None
            said = "Archived." if archived else "Restored from the archive."
            journal.note(session, row.id, "project", said, home.actor.name)


@use_case
def delete_project(home: Home, project: str) -> None:
    """Delete a project for good: descriptions, verdicts, labels, runs with their students, maps, and its journal.

    The image files stay where they are, but for images that came in a pack; so do embeddings, which other projects of
    the same images use. `pack_project` keeps all of it in a file.

    Raises:
        NotFoundError: no such project.
        JobError: something of it is queued or running.
    """
    found = get_project(home, project)
    with writing(home.engine) as session:
        if under_way := list_jobs(session, project_id=found.id, states=ACTIVE):
            kinds = ", ".join(sorted({job.kind for job in under_way}))
            hint = "Stop them on the page Jobs first."
            raise JobError("jobs of the project are queued or running", hint, value=kinds)
        folders = [job_folder(home, job) for job in list_jobs(session, project_id=found.id)]  # of its runs, too
        delete_rows(session, found.id)
    for folder in (home.project_folder(found.id), *folders):
        shutil.rmtree(folder, ignore_errors=True)
