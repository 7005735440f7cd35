"""Runs by pages: what is not shown is neither read nor checked, so a long list is as quick as a short one."""

from __future__ import annotations

from typing import Any

from avion_core.errors import ConfigError
from avion_core.jobs.reconcile import reconcile
from avion_core.methods import find_method
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.listing import (
    Listed,
    count_kinds,
    count_statuses,
    looks_of,
    places_in_line,
    run_ids,
    run_words,
    runs_page,
)
from avion_core.store.projects import find_project, list_projects
from avion_core.store.runs import find_runs
from avion_core.usecases.jobs import JobPage, check_page
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.views import RunView, run_view


@use_case
def page_of_runs(
    home: Home,
    project: str | None = None,
    *,
    statuses: tuple[str, ...] = (),
    words: str = "",
    limit: int = 50,
    page: int = 1,
) -> JobPage[RunView]:
    """A page of all runs, or of one project's.

    Args:
        statuses: only these; empty means all. See `JobView.status`.
        words: only runs with all of these words in name, id, models, method, protocol, shots or seed.
        limit: the most on a page, from 1 to 1,000. page: counted from 1; past the end there are none.

    Raises:
        NotFoundError: no such project. ConfigError: a page that cannot be.
    """
    check_page(limit, page)
    reconcile(home)
    sought = words.casefold().split()
    with reading(home.engine) as session:
        project_id = None if project is None else find_project(session, project).id
        names = {row.id: row.name for row in list_projects(session)}
        listed, every = Listed(("training",), statuses, project_id), Listed(("training",), project_id=project_id)
        if sought:
            matching = [key for key, name, config in run_words(session, listed) if _has(sought, key, name, config)]
            found = len(matching)
            views = find_runs(session, matching[(page - 1) * limit : page * limit])
        else:
            found = sum(count_statuses(session, listed).values())
            views = runs_page(session, listed, limit, page)
        looks = looks_of(session, [row.id for row in views])
        return JobPage(
            [run_view(home, row, names[row.project_id], looks[row.id]) for row in views],
            found,
            page,
            max(1, -(-found // limit)),
            count_statuses(session, every),
            count_kinds(session, every),
            places_in_line(session),
        )


@use_case
def known_runs(home: Home, project: str) -> list[str]:
    """The ids of all runs of a project, the newest first.

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        return run_ids(session, Listed(("training",), project_id=find_project(session, project).id))


def _has(sought: list[str], key: str, name: str, config: dict[str, Any]) -> bool:
    """Whether a run has all the words; its settings are looked at as they are kept, unchecked."""
    said = _words(key, name, config).casefold()
    return all(word in said for word in sought)


def _words(key: str, name: str, config: dict[str, Any]) -> str:
    data, method = config.get("data", {}), str(config.get("method", "avion"))
    models = f"{config.get('student', '')} {config.get('teacher', '')} {config.get('options', {}).get('model', '')}"
    protocol = config.get("protocol", {}).get("name", "")
    return f"{name} {key} {models} {_title(method)} {protocol} shots {data.get('shots')} seed {data.get('seed')}"


def _title(method: str) -> str:
    try:
        return f"{method} {find_method(method).title}"
    except ConfigError:  # of another version
        return method
