"""Descriptions on their way out: whole records in a file, or the texts alone, class by class."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avion_core.descriptions.exporting import SCORES, Choice, Form, Record, class_texts, file_form
from avion_core.errors import AvionError, DataError, NotFoundError, RightsError
from avion_core.files import write_bytes
from avion_core.progress import Progress
from avion_core.store.current_verdicts import current_verdicts
from avion_core.store.database import reading
from avion_core.store.generations import replies_whole
from avion_core.store.histories import count_rows, read_histories
from avion_core.store.home import Home
from avion_core.store.projects import count_descriptions, descriptions_of, find_project, prompt_names
from avion_core.store.tables import Description, Reply
from avion_core.usecases.curation.blind import sees_all
from avion_core.usecases.policies import use_case
from avion_core.wording import counted


@dataclass(frozen=True)
class Export:
    """A file's content and what it holds."""

    content: bytes
    name: str
    media_type: str
    descriptions: int
    decisions: int
    """Rows of the verdict history, skips and undos with them."""
    without_scores: str
    """Why there are no scores in it, in words; empty where there are."""

    @property
    def sentence(self) -> str:
        if self.media_type == "application/json":
            return f"{counted(self.descriptions, 'text')}."
        said = f"{counted(self.descriptions, 'description')} with {counted(self.decisions, 'decision')}"
        return f"{said}, without scores: {self.without_scores}" if self.without_scores else f"{said}."


@dataclass(frozen=True)
class Holdings:
    """How much there is to carry out of a project."""

    descriptions: int
    judged: int
    """Descriptions that people accepted or rejected."""
    accepted: int
    decisions: int
    """Rows of the verdict history, skips and undos with them."""
    closed: str
    """Why the home's actor cannot have a file of it, in words; empty where they can."""


@use_case
def holdings(home: Home, project: str) -> Holdings:
    """Count what an export would hold.

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
        verdicts = Counter(current.verdict for current in current_verdicts(session, project_id).values())
        return Holdings(
            descriptions=count_descriptions(session, project_id),
            judged=verdicts["accepted"] + verdicts["rejected"],
            accepted=verdicts["accepted"],
            decisions=count_rows(session, project_id),
            closed=str(_closed(home, project) or ""),
        )


@use_case
def export_descriptions(
    home: Home,
    project: str,
    form: Form = "jsonl",
    *,
    choice: Choice = "all",
    classes: Iterable[str] | None = None,
    scores: bool = True,
    progress: Progress | None = None,
) -> Export:
    """The descriptions of a project as a file.

    Args:
        form: "jsonl", "csv" and "parquet" hold every description with its whole history and can be read back without
            loss; "json" is {"class": [text, ...]}, texts alone as they read now.
        choice: of "json", which texts: "kept" by rules and people, "accepted" by people, or "all".
        classes: only these class keys; None takes all.
        scores: with what the teacher and the rules say now, wherever that can be told. Embeddings that are not there
            yet are computed.

    Raises:
        RightsError: the review is blind, and the home's actor does not settle conflicts.
        NotFoundError: no such project or class.
        DescriptionError: no such form or choice, or kept texts without a teacher to say which.
    """
    if closed := _closed(home, project):
        raise closed
    records, without_scores = read_records(home, project, classes=classes, scores=scores, progress=progress)
    with reading(home.engine) as session:
        name = find_project(session, project).name
    if form == "json":
        texts = class_texts(records, choice)
        content = (json.dumps(texts, ensure_ascii=False, indent=2) + "\n").encode()
        count = sum(map(len, texts.values()))
        return Export(content, export_name(name, form, choice), "application/json", count, 0, "")
    written = file_form(form)
    return Export(
        content=written.encode(records),
        name=export_name(name, form, choice),
        media_type=written.media_type,
        descriptions=len(records),
        decisions=sum(len(record["history"]) for record in records),
        without_scores=without_scores,
    )


@use_case
def read_records(
    home: Home,
    project: str,
    *,
    classes: Iterable[str] | None = None,
    scores: bool = True,
    progress: Progress | None = None,
) -> tuple[list[Record], str]:
    """Everything known about each description (see `exporting.SCHEMA`), by class.

    Returns:
        The records, and why they have no scores (empty where they have).
    """
    with reading(home.engine) as session:  # before figures are computed, which may take long
        _refuse_unknown(classes, prompt_names(session, find_project(session, project).id))
    without, judged = "they were not asked for.", {}
    if scores:
        judged, without = _scores(home, project, progress)
    with reading(home.engine) as session:
        row = find_project(session, project)
        histories = read_histories(session, row.id)
        current = current_verdicts(session, row.id)
        found = descriptions_of(session, row.id)
        replies = replies_whole(session, row.id)
    wanted = None if classes is None else set(classes)
    nothing = dict.fromkeys(SCORES)
    records = []
    for description in found:
        if wanted is not None and description.class_key not in wanted:
            continue
        now = current.get(description.description_id)
        records.append(
            {
                **_written(description, replies.get(description.reply_id or 0)),
                "text_now": now.text if now else description.text,
                "verdict": now.verdict if now else "undecided",
                "conflict": now.conflict if now else False,
                **judged.get(description.description_id, nothing),
                "history": [asdict(entry) for entry in histories.get(description.description_id, [])],
            }
        )
    return records, without


def save(content: bytes, path: Path) -> Path:
    """Write a file whole or not at all; returns where it is.

    Raises:
        DataError: it cannot be written there.
    """
    path = Path(path).expanduser().absolute()
    try:
        write_bytes(path, content)
    except OSError as error:
        hint = "Name a file in an existing folder that you may write to."
        raise DataError(f"the file cannot be written ({error.strerror})", hint, value=str(path)) from error
    return path


def export_name(project: str, form: Form, choice: Choice) -> str:
    """What an export's file is called."""
    return file_name(f"{project}-{choice if form == 'json' else 'descriptions'}", f".{form}")


def file_name(stem: str, suffix: str) -> str:
    """A file name that every system takes."""
    plain = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in stem)
    return f"{plain.strip('-.') or 'project'}{suffix}"


def _closed(home: Home, project: str) -> RightsError | None:
    """Why the home's actor cannot have an export, which holds everybody's verdicts; None where they can."""
    if sees_all(home, project):
        return None
    what = "this review is blind, and an export holds everybody's verdicts"
    return RightsError(what, "An adjudicator or admin can make one.")


def _written(row: Description, reply: Reply | None) -> Record:
    return {
        "description_id": row.description_id,
        "class_key": row.class_key,
        "text": row.text,
        "writer": row.writer,
        "model": row.model,
        "prompt_version": row.prompt_version,
        "viewpoint": row.viewpoint,
        "visual_cues": row.visual_cues,
        "spatial_cues": row.spatial_cues,
        # What was imported has these in its row; what was written for this project, in the reply it came in.
        "raw_reply": reply.raw if reply else row.raw_reply,
        "tokens_in": reply.tokens_in if reply else row.tokens_in,
        "tokens_out": reply.tokens_out if reply else row.tokens_out,
        "created_at": row.written_at,
        "parent": row.parent,
        "imported_at": row.created_at.isoformat(),
    }


def _scores(home: Home, project: str, progress: Progress | None) -> tuple[dict[str, Record], str]:
    """Description id -> its scores, and why there are none (empty where there are)."""
    from avion_core.usecases.curation import curation_table  # brings torch along, which an export may do without

    try:
        curation = curation_table(home, project, progress=progress)
    except NotFoundError as error:
        with reading(home.engine) as session:
            find_project(session, project)  # no project at all is no matter of scores
        return {}, str(error)
    except AvionError as error:
        return {}, str(error)
    table, names = curation.explained(curation.table), ["description_id", *SCORES]
    found = zip(*(table[name] for name in names), strict=True)
    return {str(key): dict(zip(SCORES, map(_plain, values), strict=True)) for key, *values in found}, ""


def _plain(value: Any) -> Any:
    """A cell as JSON has it: lists as such, no NumPy types, null for what is no number."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [dict(entry) for entry in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _refuse_unknown(classes: Iterable[str] | None, known: dict[str, str]) -> None:
    for key in classes or ():
        if key not in known:
            raise NotFoundError("the project has no such class", f"Its classes are: {', '.join(known)}.", value=key)
