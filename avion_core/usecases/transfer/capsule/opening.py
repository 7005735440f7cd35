"""Opening a capsule from elsewhere: every file as it was listed, and of a form that all that follows can read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from avion_core.config import DataConfig
from avion_core.data.project import DESCRIPTION_COLUMNS, ProjectData
from avion_core.errors import AvionError, DataError
from avion_core.progress import Progress
from avion_core.protocols import find_protocol
from avion_core.protocols.report import Report
from avion_core.reading import is_storable
from avion_core.usecases.transfer.archives import Archive
from avion_core.usecases.transfer.capsule.facts import FORMAT, KIND, LISTING, SUBJECT, Contents, read_facts, unusable
from avion_core.usecases.transfer.pack_checks import check_manifest, check_splits

MOST_BYTES = 4 * 2**30
"""Of all files of a capsule, unpacked."""
MOST_FILES = 50_000
_NUMBERS = ("value", "low", "high", "seconds", "parameters", "n")


def open_capsule(path: Path, folder: Path, progress: Progress | None = None) -> Contents:
    """Unpack a capsule into a folder and see that it is sound.

    Raises:
        DataError: no such file, no capsule, one of a newer version, or too large; a file in it is not what was listed,
            or cannot be used. It is named.
    """
    with Archive(path, KIND, FORMAT, listing=LISTING, most_bytes=MOST_BYTES) as archive:
        if len(archive.files) > MOST_FILES:
            raise SUBJECT.refused(f"holds more than {MOST_FILES:,} files", value=len(archive.files))
        facts = read_facts(archive.about)
        archive.unpack("", folder, progress)
    contents = Contents(folder, facts)
    projects = {key: contents.project(key) for key in facts.inputs}
    for key, project in projects.items():
        _check_inputs(folder / "inputs" / key, project)
    for run in facts.runs:
        config = run.config
        if not find_protocol(config.protocol.name).by_captions and not _drawn(projects[run.inputs], config.data):
            said = f"seed {config.data.seed}, {config.data.shots} shots"
            raise SUBJECT.refused("has a run on a seed or a number of shots that was not drawn", value=said)
    for split in contents.splits:
        for run, report in contents.reports(split):
            _check_report(report, f"runs/{run.id}")
    return contents


def _check_inputs(folder: Path, project: ProjectData) -> None:
    """See that images, splits, classes and descriptions belong together."""
    classes = set(project.class_names)
    try:
        check_manifest(folder / "manifest.parquet", classes)
        check_splits(project.splits, set(project.manifest["image_id"]), classes)
    except DataError as error:
        raise unusable("inputs", f"inputs/{folder.name}", error) from None
    cells = project.descriptions[DESCRIPTION_COLUMNS].to_numpy().ravel()
    if odd := [cell for cell in cells if not isinstance(cell, str) or not is_storable(cell)]:
        raise SUBJECT.refused("has a description that is no text", value=str(odd[0])[:80])


def _drawn(project: ProjectData, data: DataConfig) -> bool:
    return data.seed in project.splits.train and data.shots <= project.splits.max_shots


def _check_report(report: Report, where: str) -> None:
    """See that figures are numbers, and that what was said of images is among the classes of its part."""
    try:
        find_protocol(report.protocol)
    except AvionError as error:
        raise unusable("a report", where, error) from None
    if wrong := [name for name in _NUMBERS if not pd.api.types.is_numeric_dtype(report.figures[name])]:
        raise SUBJECT.refused(f"has a report whose {wrong[0]} is no number", value=where)
    parts = {part.name: set(part.classes) for part in report.parts}
    if len(parts) < len(report.parts):
        raise SUBJECT.refused("has a report that names a part twice", value=where)
    for name, said in report.predictions.groupby("part"):
        told = {*said["predicted"], *said["class_key"]}
        if unknown := sorted(map(str, told - parts.get(str(name), set()))):
            raise SUBJECT.refused("has a prediction that is no class of its part", value=f"{where}, {unknown[0]}")
