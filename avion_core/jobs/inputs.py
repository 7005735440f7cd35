"""What a run is made from: its frozen inputs, and the images where their projects have them now."""

from __future__ import annotations

from avion_core.data.project import ProjectData, load_others
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.runs import find_run
from avion_core.store.sources import image_source


def run_inputs(home: Home, run_id: str) -> ProjectData:
    """The project as it was when the run was queued; its images are looked up at the project's present place.

    Raises:
        NotFoundError: no such run.
        DataError: its inputs are gone.
    """
    with reading(home.engine) as session:
        run = find_run(session, run_id)
        folder, project_id = home.run_folder(run.id), run.project_id
    return ProjectData.load(folder / "inputs", image_source(home, project_id))


def other_inputs(home: Home, run_id: str) -> list[ProjectData]:
    """The other projects that the run's protocol measures on, as `run_inputs`; none for most.

    Raises:
        NotFoundError: no such run, or one of the projects no longer exists.
        DataError: its inputs are gone.
    """
    with reading(home.engine) as session:
        run = find_run(session, run_id)
        folder, projects = home.run_folder(run.id), run.config.get("protocol", {}).get("projects", [])
    return load_others(folder / "inputs", [image_source(home, project) for project in projects])
