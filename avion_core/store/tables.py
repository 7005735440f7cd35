"""The tables, as SQLAlchemy 2 typed classes.

Clean SQL for SQLite and PostgreSQL alike: no types of one dialect, every constraint named. Bulk numbers
(manifests, embeddings, curves) are files in the home folder and never come in here.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Dialect, Float, ForeignKey, ForeignKeyConstraint, Index, MetaData, String, UniqueConstraint
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id() -> str:
    """A fresh identifier: 12 hexadecimal characters, of which people type the first few."""
    return uuid.uuid4().hex[:12]


def now() -> datetime:
    """The current time, in UTC and knowing it."""
    return datetime.now(UTC)


class Moment(TypeDecorator[datetime]):
    """A point in time. SQLite forgets the time zone, so it is put back on the way out."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class Table(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: Moment, dict[str, Any]: JSON}  # noqa: RUF012 (SQLAlchemy reads it from the class)


class Project(Table):
    """A folder of images, its classes, and which pair of models works on it."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    image_root: Mapped[str]
    modality: Mapped[str] = mapped_column(String(20))
    teacher: Mapped[str]
    student: Mapped[str]
    recipe: Mapped[dict[str, Any]]
    defaults: Mapped[dict[str, Any]]
    """Settings that every run of the project starts from (nested, as `RunConfig`)."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class ProjectClass(Table):
    """One class: the label as given and the words a prompt uses for it."""

    __tablename__ = "classes"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    class_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    prompt_name: Mapped[str]


class Description(Table):
    """One candidate description as it was written or imported; never changed afterwards."""

    __tablename__ = "descriptions"
    __table_args__ = (ForeignKeyConstraint(["project_id", "class_key"], ["classes.project_id", "classes.class_key"]),)

    project_id: Mapped[str] = mapped_column(String(12), primary_key=True)
    description_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    class_key: Mapped[str] = mapped_column(String(200))
    text: Mapped[str]
    writer: Mapped[str] = mapped_column(default="")
    model: Mapped[str] = mapped_column(default="")
    prompt_version: Mapped[str] = mapped_column(default="")
    viewpoint: Mapped[str] = mapped_column(default="")
    visual_cues: Mapped[str] = mapped_column(default="")
    spatial_cues: Mapped[str] = mapped_column(default="")
    raw_reply: Mapped[str] = mapped_column(default="")
    tokens_in: Mapped[int] = mapped_column(default=0)
    tokens_out: Mapped[int] = mapped_column(default=0)
    parent: Mapped[str] = mapped_column(default="")
    """The long text that this one is a sentence of, or empty."""
    written_at: Mapped[str] = mapped_column(default="")
    """As the writer's file says, ISO 8601, or empty."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class RuleVersion(Table):
    """The rules of selection as somebody saved them; the newest number is in force."""

    __tablename__ = "rule_versions"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    number: Mapped[int]
    prototypes: Mapped[dict[str, Any]]
    descriptions: Mapped[dict[str, Any]]
    reviewer: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Verdict(Table):
    """One decision of one person on one description. Append-only: the database refuses to change or delete a row."""

    __tablename__ = "verdicts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["project_id", "description_id"], ["descriptions.project_id", "descriptions.description_id"]
        ),
        Index("ix_verdicts_description", "project_id", "description_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(String(12))
    description_id: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(10))
    """accept, reject, edit, undecide, skip or undo."""
    text: Mapped[str]
    """The text as it read when it was judged; of an edit, the new text."""
    reason: Mapped[str]
    reviewer: Mapped[str]
    rule_version: Mapped[int]
    """The number of the rules in force; 0 before anybody saved any."""
    token: Mapped[str] = mapped_column(String(64), unique=True)
    """The same token sent twice is one decision."""
    undoes: Mapped[int | None] = mapped_column(ForeignKey("verdicts.id"), unique=True)
    """Of an undo, the decision it takes back; unique, so two undos at once cannot take back the same one."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class Run(Table):
    """One training: its settings, how far it is, and which process works on it."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_project", "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str]
    config: Mapped[dict[str, Any]]
    rule_version: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), default="queued")
    stop_requested: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    # The process that holds the run: `lease` is drawn anew by each one, so a stale writer is told apart.
    lease: Mapped[str | None] = mapped_column(String(12))
    host: Mapped[str | None]
    pid: Mapped[int | None]
    process_started: Mapped[float | None] = mapped_column(Float)
    """When the process began (seconds, as psutil gives it): a pid alone is soon somebody else's."""
    heartbeat_at: Mapped[datetime | None]
    device: Mapped[str | None]
    stage: Mapped[str] = mapped_column(default="")
    step: Mapped[int] = mapped_column(default=0)
    steps: Mapped[int] = mapped_column(default=0)
    epoch: Mapped[int] = mapped_column(default=0)
    accuracy: Mapped[float | None] = mapped_column(Float)
    """The latest validation accuracy, in percent."""
    expected_end: Mapped[datetime | None]
    """When the last step will be done at the pace of the present process."""
    cause: Mapped[str | None]
    error: Mapped[str | None]
    summary: Mapped[dict[str, Any] | None]


class Look(Table):
    """Somebody asked for figures on the sealed test set; reports give the count."""

    __tablename__ = "looks"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    who: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
