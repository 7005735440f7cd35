"""The journal of a project: what was done, what is stale and why, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from avion_core.data.project import ProjectData
from avion_core.errors import DataError
from avion_core.jobs.inputs import run_inputs
from avion_core.store import journal
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.store.verdicts import rules_in_force
from avion_core.usecases.insight.evaluation import is_outdated, kept_report
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.summaries import ProjectSummary, get_project
from avion_core.usecases.runs.training import sleeping_queue
from avion_core.usecases.runs.views import RunView, list_runs
from avion_core.wording import counted

RECENT = 500


@dataclass(frozen=True)
class Entry:
    """One action."""

    when: datetime
    who: str
    kind: str
    sentence: str


@dataclass(frozen=True)
class Stale:
    """A result that what people did since would change."""

    what: str
    why: str
    fix: str
    """Label of the button that fixes it."""
    page: str
    run: str
    """The run it is about."""


@dataclass(frozen=True)
class NextStep:
    """Something worth doing now."""

    title: str
    why: str
    page: str
    """The studio's page on which it is done."""
    run: str | None = None


@use_case
def journal_entries(home: Home, project: str, limit: int = RECENT) -> list[Entry]:
    """What was done, the newest first.

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        found = journal.entries(session, find_project(session, project).id, limit)
        return [Entry(entry.created_at, entry.who, entry.kind, entry.sentence) for entry in found]


@use_case
def changes_since(home: Home, run: RunView, now: ProjectData | None = None) -> list[str]:
    """What people changed since a run's inputs were frozen, as counted nouns: "12 verdicts", "rule version 3".

    Args:
        now: the project as it stands, where it was read already.
    """
    try:
        then = run_inputs(home, run.id)
    except DataError:
        return ["its inputs, which no longer exist"]
    now = now or freeze(home, run.project_id)
    found = [*_description_changes(then.descriptions, now.descriptions), *_image_changes(then, now, run)]
    with reading(home.engine) as session:
        version = rules_in_force(session, run.project_id)
    if version != run.rule_version:
        found.append(f"rule version {version}")
    if then.class_names != now.class_names:
        changed = dict(set(then.class_names.items()) ^ set(now.class_names.items()))
        found.append(counted(len(changed), "class name"))
    if then.recipe != now.recipe:
        found.append("another rendering recipe")
    summary = get_project(home, run.project_id)
    found += [
        f"another {role}" for role in ("teacher", "student") if getattr(summary, role) != getattr(run.config, role)
    ]
    return found


@use_case
def stale(home: Home, project: str) -> list[Stale]:
    """Results that would come out differently now: of the newest finished run, of the baseline, and of the map.

    Raises:
        NotFoundError: no such project.
    """
    summary = get_project(home, project)
    finished = [run for run in list_runs(home, summary.id) if run.state == "finished"]
    if not finished:
        return []
    newest, now = finished[0], freeze(home, summary.id)
    found = []
    for run in dict.fromkeys([newest.id, *[run.id for run in finished if run.id == summary.baseline_run]]):
        view = next(one for one in finished if one.id == run)
        if changes := changes_since(home, view, now):
            role = " (the baseline)" if run == summary.baseline_run else ""
            why = f"It was trained before {listed(changes)}."
            found.append(Stale(f"The student of {view.name}{role}", why, "Train again", "launch", run))
    mapped = next((run for run in finished if _has_map(run)), None)
    if mapped is not None and mapped.id != newest.id:
        why = f"The newest map is of {mapped.name}; {newest.name} was trained after it."
        found.append(Stale("The map", why, "Map the newest run", "alignment", newest.id))
    if is_outdated(home, newest.id):
        why = "The run was trained further after it was evaluated."
        found.append(Stale(f"The figures of {newest.name}", why, "Evaluate again", "evaluation", newest.id))
    return found


@use_case
def next_steps(home: Home, project: str) -> list[NextStep]:
    """What to do next, the most pressing first.

    Raises:
        NotFoundError: no such project.
    """
    summary = get_project(home, project)
    runs = list_runs(home, summary.id)
    return [*_before_training(summary), *_about_runs(home, summary, runs)]


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _before_training(summary: ProjectSummary) -> list[NextStep]:
    steps = []
    if summary.labelled == 0:
        steps.append(NextStep("Label some images", "A student learns from a few labelled images per class.", "label"))
    if summary.descriptions == 0:
        why = "The text prototypes are made from them."
        return [*steps, NextStep("Import class descriptions", why, "exchange")]
    undecided = summary.descriptions - summary.judged
    if undecided:
        said = f"{undecided:,} of {counted(summary.descriptions, 'description')} not reviewed yet"
        why = f"{said}; the review page says when the rest can no longer change a prediction."
        steps.append(NextStep("Review descriptions", why, "review"))
    return steps


def _about_runs(home: Home, summary: ProjectSummary, runs: list[RunView]) -> list[NextStep]:
    finished = next((run for run in runs if run.state == "finished"), None)
    steps = []
    if asleep := sleeping_queue(home, runs):
        why = f"{counted(len(asleep), 'run waits', 'runs wait')} but no queue worker is running."
        steps.append(NextStep("Start the queue worker", why, "runs", asleep[-1].id))
    if runs and runs[0].state in ("failed", "lost"):
        steps.append(NextStep("Look at the run that ended early", runs[0].error or "", "runs", runs[0].id))
    if finished is None:
        if not any(run.state in ("queued", "running") for run in runs) and summary.descriptions:
            steps.append(NextStep("Train a student", "No training is finished yet.", "launch"))
        return steps
    if kept_report(home, finished.id, "validation") is None:
        why = f"The run “{finished.name}” is finished and has not been evaluated yet."
        steps.append(NextStep("See what the student gained", why, "evaluation", finished.id))
    if not _has_map(finished):
        why = f"The run “{finished.name}” has no map of its images, descriptions and prototypes yet."
        steps.append(NextStep("Look at the map", why, "alignment", finished.id))
    if not steps:
        steps.append(
            NextStep(
                "Use the student", f"The student of {finished.name} classifies new images.", "predict", finished.id
            )
        )
    return steps


def _description_changes(then: pd.DataFrame, now: pd.DataFrame) -> list[str]:
    both = then.merge(now, on="description_id", suffixes=("_then", "_now"))
    added = len(now) - len(both)
    removed = len(then) - len(both)
    moved = int((both["class_key_then"] != both["class_key_now"]).sum())
    counts = {
        ("verdict", ""): int((both["verdict_then"] != both["verdict_now"]).sum()),
        ("edit", ""): int((both["text_then"] != both["text_now"]).sum()),
        ("description moved to another class", "descriptions moved to another class"): moved,
        ("new description", ""): added,
        ("removed description", "removed descriptions"): removed,
    }
    return [counted(number, one, many) for (one, many), number in counts.items() if number]


def _image_changes(then: ProjectData, now: ProjectData, run: RunView) -> list[str]:
    """Labels that differ, and training images that this run's draw would take now."""
    labels = then.manifest.merge(now.manifest, on="image_id", suffixes=("_then", "_now"))
    relabelled = int((labels["label_then"] != labels["label_now"]).sum())
    found = [counted(relabelled, "label")] if relabelled else []
    drawn = [_drawn(data, run) for data in (then, now)]
    if fresh := len(drawn[1] - drawn[0]):
        found.append(f"{counted(fresh, 'training image')} that it would use now")
    return found


def _drawn(data: ProjectData, run: RunView) -> set[str]:
    shots = data.splits.shots(run.config.data.seed, run.config.data.shots)
    return {image for images in shots.values() for image in images}


def _has_map(run: RunView) -> bool:
    return any((run.folder / "maps").glob("*/points.parquet"))
