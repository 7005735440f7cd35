"""The tables, as SQLAlchemy 2 typed classes.

Clean SQL for SQLite and PostgreSQL alike: no types of one dialect, every constraint named. Bulk numbers
(manifests, embeddings, curves) are files in the home folder and never come in here.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from avion_core.actor import Role

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
    blind: Mapped[bool] = mapped_column(default=False)
    """Reviewers see the verdicts of others only after their own."""
    baseline_run: Mapped[str | None] = mapped_column(String(12))
    """The run that others are compared with, pinned by a person."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None]
    """Since when it is put aside; None for one that is worked on."""
    deleting_since: Mapped[datetime | None]
    """Set in the transaction that deletes the project: only then do its verdicts and labels go, which else stay."""


class ProjectClass(Table):
    """One class's card: the label as given, the words a prompt uses for it, and what people say it means."""

    __tablename__ = "classes"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    class_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    prompt_name: Mapped[str]
    local_name: Mapped[str] = mapped_column(default="")
    """Its name in the language of the people who work with it."""
    code: Mapped[str] = mapped_column(default="")
    """Its code in a nomenclature, "1.1.2" say."""
    definition: Mapped[str] = mapped_column(default="")
    includes: Mapped[str] = mapped_column(default="")
    excludes: Mapped[str] = mapped_column(default="")
    parent: Mapped[str] = mapped_column(default="")
    """The broader class it belongs to, in words."""
    colour: Mapped[str] = mapped_column(default="")
    """#rrggbb, or empty for the palette's own."""
    retired: Mapped[bool] = mapped_column(default=False)
    """Merged into another class, or its making was undone; kept, so that this can be undone as well."""
    merged_into: Mapped[str] = mapped_column(String(200), default="")
    """Of a retired class, the one that has its images now; empty where there were none to take over."""


class ClassChange(Table):
    """A rename, merge or split of classes, with what it moved, so that it can be undone."""

    __tablename__ = "class_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    kind: Mapped[str] = mapped_column(String(10))
    """rename, merge, split, add or alias."""
    class_key: Mapped[str] = mapped_column(String(200))
    details: Mapped[dict[str, Any]]
    who: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    undone_at: Mapped[datetime | None]


class Label(Table):
    """A person gives an image its class. Append-only, as verdicts are; the newest that holds wins over the manifest."""

    __tablename__ = "labels"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "class_key"], ["classes.project_id", "classes.class_key"]),
        Index("ix_labels_image", "project_id", "image_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(String(12))
    image_id: Mapped[str] = mapped_column(String(64))
    class_key: Mapped[str | None] = mapped_column(String(200))
    """None takes the label off, and says nothing in an undo."""
    guess: Mapped[str] = mapped_column(default="")
    """The teacher's guess that was shown, if any."""
    reviewer: Mapped[str]
    batch: Mapped[str | None] = mapped_column(String(32))
    """Labels that were given in one go are undone in one go."""
    token: Mapped[str] = mapped_column(String(80), unique=True)
    undoes: Mapped[int | None] = mapped_column(ForeignKey("labels.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Description(Table):
    """One candidate description as it was written or imported. Only its class changes, when classes merge or split."""

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
    reply_id: Mapped[int | None] = mapped_column(ForeignKey("replies.id"))
    """The reply it came in, where a language model wrote it for this project."""
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
        Index("ix_verdicts_batch", "batch"),
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
    token: Mapped[str] = mapped_column(String(80), unique=True)
    """The same token sent twice is one decision."""
    batch: Mapped[str | None] = mapped_column(String(32))
    """Decisions that were taken in one go are undone in one go."""
    adjudicates: Mapped[bool] = mapped_column(default=False)
    """An adjudicator's decision on a conflict: it wins over all others."""
    undoes: Mapped[int | None] = mapped_column(ForeignKey("verdicts.id"), unique=True)
    """Of an undo, the decision it takes back; unique, so two undos at once cannot take back the same one."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class Job(Table):
    """A piece of long work of any kind: what was asked, how far it is, and which process holds it.

    A run or a generation is a job with a row of its own beside it, under the same id.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_project", "project_id", "kind", "created_at"),
        Index("ix_jobs_state", "state"),
    )

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(20))
    """A name in `jobs.kinds.KINDS`."""
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id"))
    request: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """As the kind's request model; never a key or a password."""
    who: Mapped[str] = mapped_column(default="me")
    state: Mapped[str] = mapped_column(String(10), default="queued")
    """queued, running, finished, stopped, failed or lost: `store.jobs` has the moves."""
    stop_asked: Mapped[bool] = mapped_column(default=False)
    attempt: Mapped[int] = mapped_column(default=1)
    """Which time of being queued this is. A process holds a job by the attempt it took: one that comes back after the
    job was queued again holds an older number, and writes no more."""
    executor: Mapped[str] = mapped_column(String(20), default="local")
    """A name in `jobs.executors.EXECUTORS`."""
    lane: Mapped[str] = mapped_column(String(10), default="cpu")
    """What it takes of a machine: cpu, gpu, or network (hardly anything)."""
    device: Mapped[str | None]
    """Where it computes: as planned while it waits, as it was found once it runs."""
    submission: Mapped[str | None]
    """The name under which this attempt was handed to its executor; None while it waits for its turn."""
    host: Mapped[str | None]
    boot: Mapped[str | None]
    """Which start of the machine `process_started` and `beat_clock` count from; "" where the system does not say."""
    pid: Mapped[int | None]
    process_started: Mapped[float | None] = mapped_column(Float)
    """When the process began, as `jobs.process` tells it: a pid alone is soon somebody else's."""
    beats: Mapped[int] = mapped_column(default=0)
    """Heartbeats of this attempt: a number that moves is a sign of life whatever the clocks say."""
    beat_clock: Mapped[float | None] = mapped_column(Float)
    """The newest heartbeat by the machine's own clock, which nobody sets (seconds)."""
    heartbeat_at: Mapped[datetime | None]
    """The newest heartbeat by the wall clock, for people."""
    stage: Mapped[str] = mapped_column(default="")
    what: Mapped[str] = mapped_column(default="")
    """What it counts at present, in words; `done` of `total` are counted, and a total of 0 is not known."""
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int] = mapped_column(BigInteger, default=0)
    expected_end: Mapped[datetime | None]
    """When all will be counted, at the pace of the present process."""
    result: Mapped[dict[str, Any] | None]
    cause: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Run(Table):
    """One training: its settings and what came of it. How it stands as a process is in its job."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_project", "project_id"),)

    id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    job: Mapped[Job] = relationship(lazy="joined", innerjoin=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str]
    config: Mapped[dict[str, Any]]
    rule_version: Mapped[int]
    based_on: Mapped[str | None] = mapped_column(String(12))
    """The run whose settings this one began from."""
    origin: Mapped[dict[str, Any] | None]
    """As `usecases.runs.planning.Origin`; None of runs of versions that did not record it."""
    step: Mapped[int] = mapped_column(default=0)
    steps: Mapped[int] = mapped_column(default=0)
    epoch: Mapped[int] = mapped_column(default=0)
    accuracy: Mapped[float | None] = mapped_column(Float)
    """The latest validation accuracy, in percent."""
    # What the newest process measured, for the estimates of later runs.
    preparation_seconds: Mapped[float | None] = mapped_column(Float)
    """From taking the run to its first step."""
    seconds_per_step: Mapped[float | None] = mapped_column(Float)
    """Validation and checkpoints included."""
    peak_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """The most memory held so far: of the GPU where it computes on one, else of the process."""
    summary: Mapped[dict[str, Any] | None]


class Generation(Table):
    """Descriptions ordered from a writer for some classes. How it stands as a process is in its job."""

    __tablename__ = "generations"
    __table_args__ = (Index("ix_generations_project", "project_id"),)

    id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    job: Mapped[Job] = relationship(lazy="joined", innerjoin=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    settings: Mapped[dict[str, Any]]
    """As `descriptions.writers.settings.WritingSettings`; never a key."""
    prompt_version: Mapped[str]
    prompt: Mapped[str]
    """The prompt file's text; with the `data` of a reply it is all that was sent."""
    classes: Mapped[int] = mapped_column(default=0)
    classes_done: Mapped[int] = mapped_column(default=0)


class Reply(Table):
    """One request to a writer and what came back, word for word."""

    __tablename__ = "replies"
    __table_args__ = (Index("ix_replies_generation", "generation_id", "class_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    generation_id: Mapped[str] = mapped_column(ForeignKey("generations.id"))
    class_key: Mapped[str] = mapped_column(String(200))
    data: Mapped[str]
    """The request's data (JSON)."""
    pictures: Mapped[int]
    """How many training images of the class went along."""
    asked: Mapped[int]
    got: Mapped[int]
    """New descriptions that came of it."""
    dropped: Mapped[dict[str, Any]]
    """Reason -> how many texts were left out."""
    problem: Mapped[str]
    raw: Mapped[str]
    model: Mapped[str]
    """The model as served; empty where no reply came."""
    tokens_in: Mapped[int]
    tokens_out: Mapped[int]
    cost: Mapped[float | None] = mapped_column(Float)
    """Where a price is configured."""
    seconds: Mapped[float] = mapped_column(Float)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Look(Table):
    """Somebody asked for figures on the sealed test set; reports give the count."""

    __tablename__ = "looks"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    who: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class JournalEntry(Table):
    """What was done to a project, in one sentence."""

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_project", "project_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    kind: Mapped[str] = mapped_column(String(20))
    """project, data, classes, labels, descriptions, review, rules, training or team."""
    sentence: Mapped[str]
    who: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Account(Table):
    """A person who signs in, where a studio is shared on a local network."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    role: Mapped[Role] = mapped_column(String(12))
    password_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    disabled_at: Mapped[datetime | None]


class Invite(Table):
    """A link by which one person makes an account; only the hash of its secret is kept."""

    __tablename__ = "invites"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[Role] = mapped_column(String(12))
    made_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"))
    """Who used it; None while it is open."""
    resets: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"))
    """Of a link that gives an account a new password, that account."""


class SignIn(Table):
    """A browser that is signed in; only the hash of its secret is kept."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
