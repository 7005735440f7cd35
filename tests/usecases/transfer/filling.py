"""A project with a row in every table that a pack takes along."""

from __future__ import annotations

import json

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from avion_core.store import journal, verdicts
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.project_rows import project_tables
from avion_core.store.projects import descriptions_of, find_project
from avion_core.store.tables import ClassChange, Job, Label, Look, Run, new_id
from avion_core.usecases.curation.rules import current_rules, save_rules
from avion_core.usecases.projects.summaries import ProjectSummary, get_project, read_manifest
from tests.acting import by


def filled(home: Home, project: ProjectSummary) -> ProjectSummary:
    """A project with a row in every table that projects have, and a run's folder."""
    with writing(home.engine) as session:
        ids = [row.description_id for row in descriptions_of(session, project.id)]
        verdicts.add_verdict(session, project.id, ids[0], "accept", reviewer="ann", reason="clear")
        verdicts.undo(session, project.id, "ann")
        verdicts.add_verdicts(session, project.id, ids[:4], "reject", reviewer="bob")
        image = str(read_manifest(home, project.id)["image_id"].iloc[0])
        given = Label(project_id=project.id, image_id=image, class_key="beach", reviewer="ann", token="label-1")
        session.add(given)
        session.flush()
        session.add(Label(project_id=project.id, image_id=image, reviewer="ann", token="label-2", undoes=given.id))
        session.add(ClassChange(project_id=project.id, kind="rename", class_key="beach", details={"a": 1}, who="ann"))
        ids = new_id(), new_id()
        done = Job(id=ids[0], kind="training", project_id=project.id, state="finished")
        at_work = Job(
            id=ids[1], kind="training", project_id=project.id, state="running", host="elsewhere", pid=1,
            process_started=1.0,
        )  # fmt: skip
        first = Run(job=done, id=ids[0], project_id=project.id, name="first", config={}, rule_version=1)
        second = Run(
            job=at_work, id=ids[1], project_id=project.id, name="second", config={}, rule_version=1, based_on=ids[0]
        )
        session.add_all([first, second])
        session.flush()
        session.add(Look(run_id=first.id, who="ann"))
        find_project(session, project.id).baseline_run = first.id
        session.flush()
        fill_empty_tables(session, project.id)
        journal.note(session, project.id, "review", "Judged.", "ann")
    prototypes, descriptions, _ = current_rules(home, project.id)
    save_rules(by("ann", home), project.id, prototypes.model_copy(update={"zeta": 2.0}), descriptions)
    (home.run_folder(first.id) / "inputs").mkdir(parents=True)
    (home.run_folder(first.id) / "inputs" / "project.json").write_text(json.dumps({"image_root": "/gone", "name": "x"}))
    (home.run_folder(first.id) / "adapter.safetensors").write_bytes(b"weights")
    return get_project(home, project.id)


def fill_empty_tables(session: Session, project_id: str) -> None:
    """A row of plain values in each table that has none yet: whatever table is added later is under test too."""
    plain: dict[type, object] = {str: "x", int: 1, float: 1.0, bool: True, object: {}}
    for table in project_tables():
        if session.execute(select(table)).first() is None:
            values: dict[str, object] = {}
            for column in table.columns:
                target = next((key.column for key in column.foreign_keys), None)
                if target is not None and not column.nullable:
                    values[column.name] = session.scalars(select(target)).first()
                elif not column.nullable and column.default is None and not column.primary_key:
                    values[column.name] = plain[column.type.python_type]
            session.execute(insert(table), [values])
