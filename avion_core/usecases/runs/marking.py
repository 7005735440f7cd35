"""What people call a run, and which one others are compared with."""

from __future__ import annotations

from avion_core.errors import EditedMeanwhileError, TrainingError
from avion_core.store import journal, runs
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.views import get_run


@use_case
def rename_run(home: Home, run: str, name: str, *, opened: str | None = None) -> None:
    """Give a run another name.

    Args:
        opened: the name that it had when somebody began to rename it.

    Raises:
        NotFoundError: no such run.
        TrainingError: no name.
        EditedMeanwhileError: somebody else has renamed it since.
    """
    if not name.strip():
        raise TrainingError("a run needs a name", "Type a name.", value=name)
    view = get_run(home, run)
    with writing(home.engine) as session:
        row = runs.find_run(session, view.id)
        if opened is not None and row.name not in (opened, name.strip()):
            hint = "Save your name or keep theirs."
            both = {"yours": {"name": name.strip()}, "now": {"name": row.name}}
            raise EditedMeanwhileError("the run was renamed meanwhile", hint, **both, value=row.name)
        row.name = name.strip()


@use_case
def pin_baseline(home: Home, project: str, run: str | None) -> None:
    """Make a run the one that others are compared with; None takes the pin off.

    Raises:
        NotFoundError: no such project or run.
        TrainingError: the run belongs to another project.
    """
    view = None if run is None else get_run(home, run)
    with writing(home.engine) as session:
        row = find_project(session, project)
        if view is not None and view.project_id != row.id:
            raise TrainingError("the run belongs to another project", f"Choose one of {row.name}.", value=view.id)
        if row.baseline_run == (view.id if view else None):
            return
        row.baseline_run = view.id if view else None
        said = f"Pinned {view.name} ({view.id}) as the baseline." if view else "Unpinned the baseline."
        journal.note(session, row.id, "training", said, home.actor.name)
