"""All rows of one project, whatever tables there are: out as plain values, and in under ids that are free.

Which tables belong to a project follows from the tables themselves: those with a `project_id`, and those that refer
to one of these. So a table that is added later travels along without a word said here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Select, delete, insert, select, tuple_, union_all
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from avion_core.errors import DataError
from avion_core.store.histories import own_token, tokens_in_use, travelling
from avion_core.store.jobs import ACTIVE
from avion_core.store.old_rows import with_jobs
from avion_core.store.row_checks import check_rows
from avion_core.store.tables import Generation, Moment, Project, Run, Table, new_id, now

STAYS_BEHIND = ("accounts", "invites", "sign_ins")
"""Tables of the installation: its people are not the project's."""

# Columns that hold a run's id without a foreign key, since runs and projects would refer to each other.
_RUN_IDS = {("projects", "baseline_run"), ("runs", "based_on")}
_ROWS_AT_ONCE = 500

Row = dict[str, Any]


def project_tables() -> list[SqlTable]:
    """The tables that hold rows of projects, each after those it refers to."""
    found: dict[str, SqlTable] = {"projects": Table.metadata.tables["projects"]}
    for table in Table.metadata.sorted_tables:
        refers_to = {key.column.table.name for key in table.foreign_keys}
        if "project_id" in table.columns or refers_to & (found.keys() - {table.name}):
            found[table.name] = table
    return list(found.values())


def read_rows(session: Session, project_id: str) -> dict[str, list[Row]]:
    """Table -> its rows of this project, by primary key, as JSON has them (points in time in ISO 8601)."""
    found: dict[str, list[Row]] = {}
    for table in project_tables():
        query = _of_project(table, project_id).order_by(*table.primary_key.columns)
        found[table.name] = [
            {name: _out(value, project_id, name) for name, value in row.items()}
            for row in session.execute(query).mappings()
        ]
    return found


def checked_rows(tables: Mapping[str, Sequence[Row]]) -> Mapping[str, Sequence[Row]]:
    """Rows of one project as the tables have them now.

    Raises:
        DataError: rows that do not fit the tables.
    """
    tables = with_jobs(tables)
    check_rows(tables, project_tables())
    return tables


def write_rows(session: Session, tables: Mapping[str, Sequence[Row]], name: str) -> tuple[str, dict[str, str]]:
    """Write the rows of one project, as `read_rows` gave them, under the name given.

    Ids that are free are kept; a project, run or token that is here already gets another one, and all that refers to
    it follows. What was under way is stopped here: its process is elsewhere.

    Returns:
        The project's id, and old -> new id of its runs.

    Raises:
        DataError: rows that do not fit the tables.
    """
    tables = checked_rows(tables)
    (project,) = tables["projects"]
    project_id = project["id"] if session.get(Project, project["id"]) is None else new_id()
    ids: dict[tuple[str, Any], Any] = {("projects", project["id"]): project_id}
    for table in project_tables()[1:]:
        key = _own_key(table)
        if key is not None and key.type.python_type is str:
            for row in tables.get(table.name, ()):
                if target := _references(table).get(key):  # the row of a job has the job's id
                    ids[table.name, row[key.name]] = ids.get((target, row[key.name]))
                    continue
                taken = session.execute(select(key).where(key == row[key.name])).first() is not None
                ids[table.name, row[key.name]] = new_id() if taken else row[key.name]
    try:
        for table in project_tables():
            rows = [{**row} for row in tables.get(table.name, ())]
            if table.name == "projects":
                rows[0]["name"] = name
            if table.name == "jobs":
                rows = [_at_rest(row) for row in rows]
            _write(session, table, rows, project_id, ids)
    except (SQLAlchemyError, KeyError, TypeError, ValueError) as error:
        what = f"the rows of the pack do not fit together ({str(error).splitlines()[0]})"
        raise DataError(what, "Pack the project again; a pack is not meant to be edited.") from error
    return project_id, {old: new for (table, old), new in ids.items() if table == "runs"}


def delete_rows(session: Session, project_id: str) -> None:
    """Delete all rows of one project, those that refer to others first."""
    jobs = Table.metadata.tables["jobs"]
    session.get_one(Project, project_id).deleting_since = now()
    session.flush()
    for table in reversed(project_tables()):
        if table.name not in ("projects", "jobs"):
            own = _of_project(table, project_id).subquery()
            keys = tuple_(*table.primary_key.columns)
            session.execute(delete(table).where(keys.in_(select(*(own.c[key.name] for key in table.primary_key)))))
    session.execute(delete(jobs).where(jobs.c.project_id == project_id))
    projects = Table.metadata.tables["projects"]
    session.execute(delete(projects).where(projects.c.id == project_id))


def _of_project(table: SqlTable, project_id: str) -> Select[Any]:
    if table.name == "projects":
        return select(table).where(table.c.id == project_id)
    if table.name == "jobs":
        # Those with a row of their own: how an evaluation or a map was computed is of no use elsewhere.
        own = [select(row.id).where(row.project_id == project_id) for row in (Run, Generation)]
        return select(table).where(table.c.id.in_(union_all(*own)))
    if "project_id" in table.columns:
        return select(table).where(table.c.project_id == project_id)
    belonging = {entry.name for entry in project_tables()}
    key = next(key for key in table.foreign_keys if key.column.table.name in belonging)
    owner = _of_project(key.column.table, project_id).subquery()
    return select(table).where(key.parent.in_(select(owner.c[key.column.name])))


def _own_key(table: SqlTable) -> Column[Any] | None:
    """The column whose values name rows of this table in others, where it is one that may be drawn anew."""
    columns = list(table.primary_key.columns)
    return columns[0] if len(columns) == 1 else None


def _out(value: Any, project_id: str, column: str) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return travelling(value, project_id) if column == "token" else value


def _write(
    session: Session, table: SqlTable, rows: list[Row], project_id: str, ids: dict[tuple[str, Any], Any]
) -> None:
    """Insert rows in their order. `ids` grows by the numbers that the database gives them."""
    key = _own_key(table)
    number = key if key is not None and key.type.python_type is int else None
    in_use: set[str] = set()
    if "token" in table.columns:
        in_use = tokens_in_use(session, table.c, (row["token"] for row in rows))
    to_itself = [column.name for column, target in _references(table).items() if target == table.name]
    waiting: list[Row] = []
    old_ids: list[Any] = []

    def flush() -> None:
        if waiting and number is not None:
            given = session.scalars(insert(table).returning(number, sort_by_parameter_order=True), waiting)
            ids.update(zip([(table.name, old) for old in old_ids], given, strict=True))
        elif waiting:
            session.execute(insert(table), waiting)
        waiting.clear()
        old_ids.clear()

    for row in rows:
        # A row may name one of its own table, an undo its decision: that one must have its new number first.
        if len(waiting) == _ROWS_AT_ONCE or any(row[name] in old_ids for name in to_itself if row[name] is not None):
            flush()
        fitted = _fitted(table, row, project_id, ids)
        if "token" in fitted:
            fitted["token"] = own_token(row["token"], project_id, in_use)
        if number is not None:
            old_ids.append(fitted.pop(number.name))
        waiting.append(fitted)
    flush()


def _fitted(table: SqlTable, row: Row, project_id: str, ids: Mapping[tuple[str, Any], Any]) -> Row:
    """A row with its ids as they are here and its points in time as such."""
    fitted = {**row}
    for column in table.columns:
        value = fitted.get(column.name)
        if value is not None and isinstance(column.type, Moment):
            fitted[column.name] = datetime.fromisoformat(value)
    for column, target in _references(table).items():
        if fitted.get(column.name) is not None:
            fitted[column.name] = ids.get((target, row[column.name]))  # None where that row did not come along
    key = _own_key(table)
    if key is not None and (table.name, row[key.name]) in ids:
        fitted[key.name] = ids[table.name, row[key.name]]
    if "project_id" in table.columns:
        fitted["project_id"] = project_id
    for name in fitted:
        if (table.name, name) in _RUN_IDS and row[name] is not None:
            fitted[name] = ids.get(("runs", row[name]))  # None where that run is gone
    return fitted


def _references(table: SqlTable) -> dict[Column[Any], str]:
    """Column -> the table whose own key it holds."""
    keys = (key for key in table.foreign_keys if key.constraint is not None and len(key.constraint.columns) == 1)
    return {key.parent: key.column.table.name for key in keys}


def _at_rest(row: Row) -> Row:
    if row["state"] not in ACTIVE:
        return row
    nobody = dict.fromkeys(
        ("submission", "host", "boot", "pid", "process_started", "beat_clock", "heartbeat_at", "expected_end")
    )
    return {**row, **nobody, "executor": "local", "state": "stopped", "stop_asked": False}
