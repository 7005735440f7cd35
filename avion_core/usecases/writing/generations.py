"""Generations that were ordered: how far each is, what was said, and what was written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy.orm import Session

from avion_core.descriptions.writers.settings import WritingSettings
from avion_core.jobs.reconcile import reconcile
from avion_core.store import generations as generation_rows
from avion_core.store import jobs
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.store.tables import Generation
from avion_core.usecases.policies import use_case

REPLIES = ("class_key", "asked", "got", "held", "dropped", "problem", "tokens_in", "tokens_out", "cost", "seconds")
"""Columns of `GenerationView.table`."""


@dataclass(frozen=True)
class GenerationView:
    """A generation as pages and commands show it."""

    id: str
    state: str
    settings: WritingSettings
    served: tuple[str, ...]
    """Models that the service says answered; they may differ from the one asked."""
    prompt_version: str
    who: str
    created_at: datetime
    ended_at: datetime | None
    classes: int
    classes_done: int
    waiting: str
    """Why it waits before it asks again; empty while requests are answered."""
    error: str
    table: pd.DataFrame
    """A row per class that was asked about: class_key, asked (requests), got (new descriptions), held (what the project
    has by now of what it orders), dropped (reason -> count), problem (of its newest request), tokens_in, tokens_out,
    cost, seconds."""

    @property
    def active(self) -> bool:
        """Whether it is still to end."""
        return self.state in jobs.ACTIVE

    @property
    def written(self) -> int:
        """New descriptions so far."""
        return int(self.table["got"].sum())

    @property
    def lacking(self) -> tuple[str, ...]:
        """Classes whose newest reply was not what was asked for and that lack descriptions still."""
        troubled = self.table.loc[self.table["problem"] != ""]
        return tuple(troubled.loc[troubled["held"] < self.settings.per_class, "class_key"])

    @property
    def cost(self) -> float | None:
        """None where no price is configured."""
        return None if self.settings.price is None else float(self.table["cost"].sum())


@use_case
def get_generation(home: Home, project: str, wanted: str = "latest") -> GenerationView:
    """How far a generation is.

    Raises:
        NotFoundError: no such project or generation.
    """
    reconcile(home)
    with reading(home.engine) as session:
        return _view(session, generation_rows.find_generation(session, find_project(session, project).id, wanted))


@use_case
def list_generations(home: Home, project: str) -> list[GenerationView]:
    """All generations of a project, the newest first."""
    reconcile(home)
    with reading(home.engine) as session:
        found = generation_rows.list_generations(session, find_project(session, project).id)
        return [_view(session, row) for row in found]


@dataclass(frozen=True)
class Exchange:
    """One request and its reply, word for word: `instructions` and `data` (JSON) were sent, and `raw` came."""

    instructions: str
    data: str
    pictures: int
    raw: str
    model: str
    """As served; empty where no reply came, and `problem` says why."""
    tokens_in: int
    tokens_out: int
    problem: str


@use_case
def exchanges(home: Home, project: str, generation: str, class_key: str) -> list[Exchange]:
    """What was sent about a class and what came, the oldest first.

    Raises:
        NotFoundError: no such project or generation.
    """
    with reading(home.engine) as session:
        row = generation_rows.find_generation(session, find_project(session, project).id, generation)
        told = ("data", "pictures", "raw", "model", "tokens_in", "tokens_out", "problem")
        return [
            Exchange(row.prompt, **{name: getattr(reply, name) for name in told})
            for reply in generation_rows.exchanged(session, row.id, class_key)
        ]


@use_case
def descriptions_written(home: Home, project: str, generation: str) -> list[str]:
    """Ids of the descriptions that came of a generation, in the order they came."""
    with reading(home.engine) as session:
        return generation_rows.descriptions_written(
            session, generation_rows.find_generation(session, find_project(session, project).id, generation).id
        )


def _view(session: Session, row: Generation) -> GenerationView:
    settings, replies = WritingSettings.model_validate(row.settings), generation_rows.replies_of(session, row.id)
    held = generation_rows.written_by(
        session, row.project_id, settings.writer, settings.model, settings.distinguish_from
    )
    by_class: dict[str, dict[str, Any]] = {}
    for reply in replies:
        entry = by_class.setdefault(
            reply.class_key,
            {"class_key": reply.class_key, "asked": 0, "got": 0, "held": held[reply.class_key], "dropped": {}}
            | {"problem": "", "tokens_in": 0, "tokens_out": 0, "cost": 0.0, "seconds": 0.0},
        )
        for name, value in (("asked", 1), ("got", reply.got), ("tokens_in", reply.tokens_in)):
            entry[name] += value
        for name, value in (("tokens_out", reply.tokens_out), ("cost", reply.cost or 0.0), ("seconds", reply.seconds)):
            entry[name] += value
        for reason, count in reply.dropped.items():
            entry["dropped"][reason] = entry["dropped"].get(reason, 0) + count
        entry["problem"] = reply.problem
    return GenerationView(
        id=row.id,
        state=row.job.state,
        settings=settings,
        served=tuple(dict.fromkeys(reply.model for reply in replies if reply.model)),
        prompt_version=row.prompt_version,
        who=row.job.who,
        created_at=row.job.created_at,
        ended_at=row.job.ended_at,
        classes=row.classes,
        classes_done=row.classes_done,
        waiting=row.job.stage if row.job.state == "running" else "",
        error=row.job.error or "",
        table=pd.DataFrame(list(by_class.values()), columns=list(REPLIES)),
    )
