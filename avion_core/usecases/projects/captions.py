"""Captions of a project's images: imported from a caption file, and counted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from avion_core.data.captions import read_captions
from avion_core.data.problems import Problem
from avion_core.data.project import CAPTION_FILE, read_captions_kept
from avion_core.files import write_table
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.creating import captions_of
from avion_core.usecases.projects.freeze import CAPTIONS, kept_captions
from avion_core.usecases.projects.summaries import get_project, read_manifest
from avion_core.wording import counted

_PARTS = {"train": "training", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class CaptionReport:
    """What the captions of a file did, or would do."""

    parts: dict[str, tuple[int, int]]
    """"train", "validation", "test" -> (images, captions), those that there are."""
    replaced: int
    """Captions that the project had before."""
    problems: list[Problem]
    """Entries that fit no image, or that could not be used."""
    written: bool

    @property
    def sentence(self) -> str:
        said = captions_in_words(self.parts)
        unused = counted(len(self.problems), "entry", "entries")
        more = f" {unused} could not be used as written." if self.problems else ""
        before = f" They take the place of {counted(self.replaced, 'caption')}." if self.replaced else ""
        return f"{said} {'imported' if self.written else 'to import'}.{before}{more}"


@use_case
def import_captions(home: Home, project: str, file: Path, *, preview: bool = False) -> CaptionReport:
    """Give a project the captions of a Karpathy-style file (see `data.captions`), in place of those it had.

    Paths are relative to the project's folder of images. Labels and splits of classes stay as they are; runs keep the
    captions that they were made with.

    Args:
        preview: report what would be done, and change nothing.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: no such project.
        DataError: the file cannot be used, or lists none of the project's images.
    """
    file = nameable(home.actor, file)
    summary = get_project(home, project)
    table, problems = captions_of(read_captions(file), read_manifest(home, summary.id), summary.image_root)
    before = len(kept_captions(home, summary.id))
    report = CaptionReport(_counts(table), before, problems, written=not preview)
    if not preview:
        with writing(home.engine) as session:
            write_table(home.project_folder(summary.id) / CAPTION_FILE, table)
            note(session, summary.id, "data", report.sentence, home.actor.name)
    return report


@use_case
def caption_counts(home: Home, project: str) -> dict[str, tuple[int, int]]:
    """How many images with how many captions a project has in "train", "validation" and "test"; nothing for none.

    Raises:
        NotFoundError: no such project.
    """
    folder = home.project_folder(get_project(home, project).id)
    file = folder / CAPTION_FILE
    if not file.is_file():
        return {}
    facts = file.stat()
    return dict(_counts_of(folder, facts.st_mtime_ns, facts.st_size))


def captions_in_words(parts: dict[str, tuple[int, int]]) -> str:
    """ "5 captions of 1 training image and 10 captions of 2 test images"."""
    said = [
        f"{counted(captions, 'caption')} of {counted(images, f'{_PARTS[part]} image')}"
        for part, (images, captions) in parts.items()
    ]
    return " and ".join(said) if len(said) < 3 else f"{', '.join(said[:-1])} and {said[-1]}"


@lru_cache(maxsize=64)
def _counts_of(folder: Path, _modified: int, _size: int) -> dict[str, tuple[int, int]]:
    """Of a project's folder: its file of captions is replaced whole."""
    return _counts(read_captions_kept(folder, CAPTIONS))


def _counts(table: pd.DataFrame) -> dict[str, tuple[int, int]]:
    of_part = {part: table[table["split"] == part] for part in _PARTS}
    return {part: (rows["image_id"].nunique(), len(rows)) for part, rows in of_part.items() if len(rows)}
