# pyright: reportCallIssue=false
"""What the tests of imports and exports share: bare projects, decisions, and how things stand."""

from __future__ import annotations

from avion_core.store import verdicts
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.projects import add_project, find_project
from avion_core.store.tables import Project
from avion_core.usecases.transfer.exchange import export_descriptions, read_records
from tests import tiny_studio


def bare_project(home: Home, name: str, classes: tuple[str, ...] = tiny_studio.CLASSES) -> str:
    """A project without images: all that descriptions need."""
    row = Project(
        name=name, image_root="/nowhere", modality="optical", teacher="t", student="s", recipe={}, defaults={}
    )
    with writing(home.engine) as session:
        add_project(session, row, {key: key for key in classes})
    return row.id


def export(home: Home, project: str, form: str = "jsonl", **options: object) -> bytes:
    return export_descriptions(home, project, form, scores=False, **options).content  # type: ignore[arg-type]


def decide(home: Home, project: str, index: int, verdict: str, reviewer: str, **details: object) -> None:
    ids = [record["description_id"] for record in read_records(home, project, scores=False)[0]]
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        verdicts.add_verdict(session, project_id, ids[index], verdict, reviewer=reviewer, **details)  # type: ignore


def undo(home: Home, project: str, reviewer: str) -> None:
    with writing(home.engine) as session:
        verdicts.undo(session, find_project(session, project).id, reviewer)


def standing(home: Home, project: str) -> dict[str, tuple[object, ...]]:
    return {
        record["description_id"]: (record["text_now"], record["verdict"], record["conflict"])
        for record in read_records(home, project, scores=False)[0]
    }
