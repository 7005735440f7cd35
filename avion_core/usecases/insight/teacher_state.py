"""What all that a project's teacher says, without a run, follows from."""

from __future__ import annotations

import hashlib
import json

from avion_core.config import RunConfig
from avion_core.store import current_verdicts
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import ProjectSummary, get_project


@use_case
def teacher_state(home: Home, project: str) -> str:
    """Another one whenever images, labels, class names, texts, verdicts, rules or the teacher change.

    Raises:
        NotFoundError: no such project.
    """
    summary = get_project(home, project)
    return state_of(home, summary, run_config(home, summary.id))


@use_case
def state_of(home: Home, summary: ProjectSummary, config: RunConfig) -> str:
    """As `teacher_state`, of a project that was looked up, with the settings that its rules give."""
    names = {entry.key: entry.prompt_name for entry in summary.classes}
    with reading(home.engine) as session:
        decided = list(current_verdicts.mark(session, summary.id))
    settings = config.model_dump(mode="json")
    facts = [summary.revision, names, summary.descriptions, decided, settings]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
