"""The kinds of jobs, by name. A new kind is a file here and a line below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avion_core.errors import JobError
from avion_core.jobs.job import JobKind
from avion_core.jobs.kinds.evaluation import EVALUATION
from avion_core.jobs.kinds.installing import INSTALLING
from avion_core.jobs.kinds.mapping import MAPPING
from avion_core.jobs.kinds.placebo import PLACEBO
from avion_core.jobs.kinds.training import TRAINING
from avion_core.jobs.kinds.writing import WRITING
from avion_core.store.home import Home
from avion_core.store.tables import Job

KINDS: dict[str, JobKind[Any]] = {
    kind.name: kind for kind in (TRAINING, WRITING, MAPPING, EVALUATION, PLACEBO, INSTALLING)
}


def find_kind(name: str) -> JobKind[Any]:
    """A kind by its name.

    Raises:
        JobError: there is none of that name.
    """
    if name not in KINDS:
        raise JobError("there is no such kind of job", f"Kinds: {', '.join(KINDS)}.", value=name)
    return KINDS[name]


def job_folder(home: Home, job: Job) -> Path:
    """Where a job keeps its log and what it saves."""
    return home.path / (KINDS[job.kind].folder if job.kind in KINDS else "jobs") / job.id
