"""What a capsule's reader opens: tables, figures, splits, settings and words, made from its facts and reports alone.

A capsule is written with these and `avion verify` makes them again, so that a document that says something else than
the reports behind it is found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from avion_core.data.project import ProjectData
from avion_core.data.split_files import coop_of
from avion_core.data.tables import table_csv
from avion_core.protocols import result_tables
from avion_core.protocols.over_seeds import over_seeds, published_beside
from avion_core.protocols.published import published_figures
from avion_core.protocols.report import FIGURES, Report
from avion_core.usecases.transfer.capsule.facts import CapsuleRun, Contents
from avion_core.usecases.transfer.capsule.words import words

_FORMS: dict[str, Callable[[pd.DataFrame], str]] = {
    "md": result_tables.as_markdown,
    "csv": result_tables.as_csv,
    "tex": result_tables.as_latex,
}
_OF = ("run", "row", "project", "protocol", "shots", "seed", "split")


def documents(contents: Contents) -> dict[str, bytes]:
    """Every document of a capsule by its name in it.

    Raises:
        DataError: a report or a file of the inputs is missing or damaged.
    """
    found: dict[str, bytes] = {}
    tables = {split: results(contents, split) for split in contents.splits}
    for split, table in tables.items():
        found |= {f"tables/{split}.{form}": write(table).encode() for form, write in _FORMS.items()}
    found["figures.csv"] = table_csv(figures(contents))
    for run in contents.facts.runs:
        found[f"runs/{run.id}/settings.json"] = _json(run.config.model_dump(mode="json"))
    for key in contents.facts.inputs:
        project = contents.project(key)
        found[f"inputs/{key}/descriptions.jsonl"] = _lines(project.descriptions)
        for seed, shots in _draws(contents, key, project):
            name = f"splits/{key}/seed-{seed}-shots-{shots}"
            found[f"{name}.json"] = _json(split_of(project, seed, shots))
            found[f"{name}.coop.json"] = coop_of(project.splits, project.manifest, seed, shots, shots)
    return found | words(contents, tables)


def results(contents: Contents, split: str) -> pd.DataFrame:
    """The rows of the tables (columns `result_tables.COLUMNS`): figures over the seeds of runs with one title."""
    groups: dict[tuple[str, str, int, str], list[tuple[CapsuleRun, Report]]] = {}
    for run, report in contents.reports(split):
        key = (contents.facts.inputs[run.inputs].project, report.protocol, report.shots, run.title)
        groups.setdefault(key, []).append((run, report))
    rows: list[dict[str, Any]] = []
    against = contents.facts.against
    for (project, protocol, shots, title), of in groups.items():
        compared = groups.get((project, protocol, shots, against), []) if title != against else []
        measured = [report for _, report in of]
        first = of[0][0]
        inputs = contents.project(first.inputs)
        known = published_figures(first.config, inputs.class_names, len(inputs.manifest))
        where = {"project": project, "protocol": protocol, "shots": shots, "row": title}
        seconds = [run.training_seconds or 0.0 for run, _ in of]
        for part, metric in measured[0].headline():
            row = over_seeds(measured, part, metric, against=[report for _, report in compared], seconds=seconds)
            rows.append(where | row | published_beside(known, measured[0], part, metric))
    return pd.DataFrame(rows, columns=list(result_tables.COLUMNS))


def figures(contents: Contents) -> pd.DataFrame:
    """Every figure of every run and of what stands beside it, seed by seed: columns _OF, FIGURES, and whether it is the
    run's own."""
    found = []
    for split in contents.splits:
        for run, report in contents.reports(split):
            project = contents.facts.inputs[run.inputs].project
            where = (run.id, run.title, project, report.protocol, report.shots, report.seed, split)
            own = (report.figures["method"] == report.method) & (report.figures["model"] == report.model)
            table = report.figures[list(FIGURES)].assign(**dict(zip(_OF, where, strict=True)), own=own)
            found.append(table[[*_OF, *FIGURES, "own"]])
    return pd.concat(found, ignore_index=True)


def split_of(project: ProjectData, seed: int, shots: int) -> dict[str, Any]:
    """Content hashes by part and class of the K-shot split of a seed."""
    splits = project.splits
    label_of = dict(zip(project.manifest["image_id"], project.manifest["label"], strict=True))
    test: dict[str, list[str]] = {}
    for image in sorted(splits.test):
        test.setdefault(label_of[image], []).append(image)
    return {
        "seed": seed,
        "shots": shots,
        "hash": "first 32 hexadecimal digits of the SHA-256 of the file",
        "train": splits.shots(seed, shots),
        "validation": splits.validation_images(seed, shots),
        "test": dict(sorted(test.items())),
    }


def _draws(contents: Contents, key: str, project: ProjectData) -> Iterator[tuple[int, int]]:
    """Seeds and numbers of shots of the runs that drew from some inputs; of runs on captions none needs be drawn."""
    draws = {(run.config.data.seed, run.config.data.shots) for run in contents.facts.runs if run.inputs == key}
    drawn = project.splits
    yield from ((seed, shots) for seed, shots in sorted(draws) if seed in drawn.train and shots <= drawn.max_shots)


def _json(found: Any) -> bytes:
    return (json.dumps(found, ensure_ascii=False, indent=1) + "\n").encode()


def _lines(table: pd.DataFrame) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table.to_dict("records")).encode()
