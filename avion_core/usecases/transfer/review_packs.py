"""Review without a network: one file goes out to a colleague, and the verdicts come back in and are merged.

The file is a small project: descriptions with their scores, the rules in force, and thumbnails of the labelled images
that scores and evidence come from, with their embeddings. A colleague opens it in an AVION Studio of their own, or
unpacks it and judges in review.html, which needs nothing but a browser.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy.orm import Session

from avion_core.actor import ALONE
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.splits import Splits
from avion_core.descriptions.exporting import file_form
from avion_core.descriptions.importing import SIGNATURE
from avion_core.errors import DataError, DescriptionError
from avion_core.progress import Progress
from avion_core.store import journal, projects
from avion_core.store.accounts import all_accounts, name_key
from avion_core.store.current_verdicts import verdict_after
from avion_core.store.database import SCHEMA, reading, writing
from avion_core.store.histories import read_histories
from avion_core.store.home import Home
from avion_core.store.project_rows import read_rows
from avion_core.store.tables import new_id, now
from avion_core.usecases.folders import nameable, own_folder
from avion_core.usecases.policies import ADJUDICATE, use_case
from avion_core.usecases.projects.descriptions import ImportPlan, ImportReport, bring_in, read_for
from avion_core.usecases.projects.summaries import ProjectSummary, get_project, list_projects
from avion_core.usecases.projects.without_pictures import refuse_without_pictures
from avion_core.usecases.transfer.archives import Archive, ArchiveWriter, new_archive
from avion_core.usecases.transfer.exchange import file_name, read_records
from avion_core.usecases.transfer.packs import add_features, take_in, texts_of
from avion_core.usecases.transfer.review_facts import ABOUT, PackFacts, facts_of, read_facts, write_facts
from avion_core.usecases.transfer.review_pictures import pictures_of, shots_of
from avion_core.usecases.transfer.review_sheet import review_sheet
from avion_core.usecases.transfer.review_trust import Trust, effects, only_theirs, sign, signed_for
from avion_core.wording import counted

KIND, FORMAT = "avion-review", 1
"""Who judges in a studio where nobody signs in; in a review pack's verdicts it becomes the reviewer's name."""

_TABLES = ("projects", "classes", "rule_versions", "descriptions", "verdicts")


@dataclass(frozen=True)
class ReviewPack:
    """What a review pack holds."""

    path: Path
    bytes: int
    reviewer: str
    descriptions: int
    pictures: int
    without_scores: str
    """Why there are no scores in it, in words; empty where there are."""

    @property
    def sentence(self) -> str:
        whom = f" for {self.reviewer}" if self.reviewer else ""
        said = (
            f"{self.descriptions:,} descriptions{whom} with {self.pictures:,} pictures, {self.bytes / 2**20:,.1f} MiB"
        )
        return f"{said}, without scores: {self.without_scores}" if self.without_scores else f"{said}."


@dataclass(frozen=True)
class ReviewReport:
    """What came of verdicts that were brought home."""

    brought: ImportReport
    elsewhere: int
    """Descriptions in the file that the project does not have; nothing was taken of them."""
    conflicts: list[str]
    """Description ids touched by this on which people disagree now."""
    effects: list[str]
    """What each decision does, one sentence each."""

    @property
    def sentence(self) -> str:
        decisions = self.brought.decisions
        people = ", ".join(f"{name} {count:,}" for name, count in decisions.reviewers.items())
        parts = [f"{counted(decisions.added, 'decision')} merged" + (f" ({people})" if people else "")]
        if decisions.known:
            parts.append(f"{decisions.known:,} were known already")
        if decisions.overtaken:
            parts.append(f"{decisions.overtaken:,} were superseded already and are kept in the history only")
        if self.conflicts:
            parts.append(f"{counted(len(self.conflicts), 'description is', 'descriptions are')} in conflict now")
        if self.elsewhere:
            parts.append(f"{counted(self.elsewhere, 'description')} of another project left out")
        if self.brought.problems:
            parts.append(f"{len(self.brought.problems):,} could not be used: {self.brought.problems[0]}")
        return "; ".join(parts).removesuffix(".") + "."


@use_case
def make_review_pack(
    home: Home,
    project: str,
    path: Path,
    *,
    reviewer: str = "",
    classes: Iterable[str] | None = None,
    progress: Progress | None = None,
) -> ReviewPack:
    """Write what a colleague needs for judging descriptions elsewhere into one file.

    In a blind project the file holds no verdicts of others; edits stand in it as the text that is to be judged.

    Args:
        reviewer: who will judge; may also be said when the pack is opened.
        classes: only these class keys; None takes all.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: no such project or class.
        DescriptionError: nothing to judge.
        DataError: the file is there already, or cannot be written.
    """
    who, path = home.actor.name, nameable(home.actor, path)
    summary = get_project(home, project)
    refuse_without_pictures(summary, "a review pack")
    records, without_scores = read_records(home, summary.id, classes=classes, progress=progress)
    if not records:
        raise DescriptionError("there are no descriptions to review", "Import some first.", value=summary.name)
    keys = {record["class_key"] for record in records}
    with reading(home.engine) as session:
        tables = {name: found for name, found in read_rows(session, summary.id).items() if name in _TABLES}
    tables = _narrowed(tables, keys, reviewer if summary.blind else None)
    pictures, manifest, splits = pictures_of(home, summary, keys, progress)
    facts = {
        "pack": uuid.uuid4().hex,
        "project": {"id": summary.id, "name": summary.name},
        "reviewer": reviewer,
        "signature": "",
        "tokens": [row["token"] for row in tables["verdicts"]],
    }
    facts["signature"] = sign(home.path, str(facts["pack"]), summary.id, reviewer)
    about = {"schema": SCHEMA, "made_at": now().isoformat(), "made_by": who, "images": True, **facts}
    del about["tokens"]
    with new_archive(home, path, KIND, FORMAT, about) as archive:
        for name, found in tables.items():
            archive.add(f"tables/{name}.jsonl", "".join(json.dumps(row) + "\n" for row in found).encode())
        _add_project(archive, manifest, splits, facts)
        for picture in pictures.values():
            archive.add(f"images/{picture.name}", picture.content)
        recipe, plain = summary.recipe.model_dump_json(), RenderingRecipe().model_dump_json()

        def as_thumbnails(made: dict[str, str]) -> dict[str, str] | None:
            """Embeddings of the images stand for their thumbnails, which are rendered already."""
            if made["kind"] == "text":
                return made
            return {**made, "recipe": plain} if made["recipe"] == recipe else None

        ids = {image_id: picture.image_id for image_id, picture in pictures.items()}
        add_features(home, archive, ids, texts_of(tables), as_thumbnails)
        shown = [_without_verdicts(record) for record in records] if summary.blind else records
        archive.add("descriptions.jsonl", file_form("jsonl").encode(shown))
        shots = {
            key: [pictures[image].content for image in found] for key, found in shots_of(home, summary, keys).items()
        }
        names = {entry.key: entry.prompt_name for entry in summary.classes}
        archive.add("review.html", review_sheet(summary.name, facts, records, names, shots))
    with writing(home.engine) as session:
        whom = f" for {reviewer}" if reviewer else ""
        journal.note(session, summary.id, "review", f"{len(records):,} descriptions packed for review{whom}.", who)
    return ReviewPack(path, path.stat().st_size, reviewer, len(records), len(pictures), without_scores)


@dataclass(frozen=True)
class PackedReview:
    """A review pack as a browser takes it."""

    content: bytes
    name: str
    sentence: str


@use_case
def packed_review(
    home: Home,
    project: str,
    *,
    reviewer: str = "",
    classes: Iterable[str] | None = None,
    progress: Progress | None = None,
) -> PackedReview:
    """As `make_review_pack`, in memory: packs of thumbnails are small."""
    name = file_name(f"{get_project(home, project).name}-review{f'-{reviewer}' if reviewer else ''}", ".zip")
    with own_folder("pack") as folder:
        path = folder / name
        pack = make_review_pack(home, project, path, reviewer=reviewer, classes=classes, progress=progress)
        return PackedReview(path.read_bytes(), name, pack.sentence)


@use_case
def open_review_pack(
    home: Home, path: Path, *, reviewer: str | None = None, progress: Progress | None = None
) -> ProjectSummary:
    """Make a project of a review pack, to judge in; a pack that was opened before is only found again.

    Args:
        reviewer: who judges, where the pack does not say.

    Raises:
        RightsError: a path that is not theirs to name.
        DataError: no sound review pack; or nobody said who judges.
    """
    with Archive(nameable(home.actor, path), KIND, FORMAT) as archive:
        about = facts_of(archive.about)
        known = {facts.pack: project for project, facts in opened_packs(home).items()}
        if about.pack in known:
            return get_project(home, known[about.pack])
        judge = (reviewer or about.reviewer).strip()
        if not judge or judge == ALONE.name:
            raise DataError("the pack does not name a reviewer", "Give your name (--reviewer NAME).", value=judge)
        name = f"{about.project.name}, review by {judge}"
        with reading(home.engine) as session:
            taken = {row.name for row in projects.list_projects(session)}
        if name in taken:
            name = f"{name}, {about.made_at[:16].replace('T', ' ')}"
        project = take_in(home, archive, name, progress)
    folder = home.project_folder(project.id)
    write_facts(folder, (read_facts(folder) or about).model_copy(update={"reviewer": judge}))
    return project


@use_case
def opened_packs(home: Home) -> dict[str, PackFacts]:
    """Project id -> what its review pack says of itself, for projects that were made of one.

    One that cannot be read any more is left out: it takes no other project down.
    """
    found = {}
    for project in list_projects(home):
        with suppress(DataError):
            if (facts := read_facts(home.project_folder(project.id))) is not None:
                found[project.id] = facts
    return found


@use_case
def returned_verdicts(home: Home, project: str) -> bytes:
    """The verdicts of a project that was made of a review pack, as a file to send back (JSON lines).

    Raises:
        NotFoundError: no such project.
        DataError: it was not made of a review pack.
    """
    summary = get_project(home, project)
    about = read_facts(home.project_folder(summary.id))
    if about is None:
        hint = "Export its descriptions instead: that file can be merged too."
        raise DataError("the project was not made from a review pack", hint, value=summary.name)
    packed = set(about.tokens)
    records, _ = read_records(home, summary.id, scores=False)
    for record in records:
        record[SIGNATURE] = about.signature
        for entry in record["history"]:
            if entry["reviewer"] == ALONE.name and entry["token"] not in packed:
                entry["reviewer"] = about.reviewer
    return file_form("jsonl").encode(records)


@use_case
def merge_review(home: Home, project: str, path: Path, *, preview: bool = False) -> ReviewReport:
    """Bring verdicts home: what a colleague sent back, or any export of the same descriptions.

    Twice changes nothing. People who disagree are in conflict, and nobody's decision is lost or overwritten. A file
    brings decisions of the person its pack was made for and of no one else (see `review_trust`).

    Args:
        preview: report what would be done, and change nothing.

    Raises:
        NotFoundError: no such project.
        DescriptionError: the file cannot be used, or is about none of the project's descriptions.
    """
    project_id, known, result = read_for(home, project, path)
    ours = [found for found in result.descriptions if found.description_id in known]
    if not ours:
        hint = "Choose the project that the pack was made from."
        raise DescriptionError("the file holds none of this project's descriptions", hint, value=Path(path).name)
    held = {found.description_id for found in ours}
    reviewer = signed_for(home.path, project_id, result.signatures)
    elsewhere = len(result.descriptions) - len(ours)
    result = replace(
        result, descriptions=ours, histories={key: found for key, found in result.histories.items() if key in held}
    )
    with reading(home.engine) as session:
        originals = {key: text for key, _, text, *_ in projects.candidates_of(session, project_id)}
        result = only_theirs(
            result, _trust(session, reviewer, home.actor.name), read_histories(session, project_id), originals
        )

    def report(plan: ImportPlan) -> ReviewReport:
        after = plan.decisions.after.items()
        conflicts = [key for key, decisions in after if (now := verdict_after(decisions)) and now.conflict]
        return ReviewReport(plan.report, elsewhere, conflicts, effects(plan.decisions.fresh, known))

    def entry(plan: ImportPlan) -> tuple[journal.Kind, str]:
        return "review", f"From {Path(path).name}: {report(plan).sentence}"

    return report(bring_in(home, project_id, result, entry, preview=preview))


def _trust(session: Session, reviewer: str, who: str) -> Trust:
    accounts = {name_key(account.name): account.role for account in all_accounts(session)}
    leading = {name for name, role in accounts.items() if role in ADJUDICATE.holders}
    return Trust(reviewer, frozenset({ALONE.name, who.strip().casefold(), *accounts}), frozenset(leading))


def _narrowed(
    tables: dict[str, list[dict[str, Any]]], keys: set[str], only_of: str | None
) -> dict[str, list[dict[str, Any]]]:
    """Rows about some classes, as a project of its own; with `only_of`, no verdicts but theirs and standing edits."""
    (project,) = tables["projects"]
    held = [row for row in tables["descriptions"] if row["class_key"] in keys]
    ids = {row["description_id"] for row in held}
    history = [row for row in tables["verdicts"] if row["description_id"] in ids]
    if only_of is not None:
        taken_back = {row["undoes"] for row in history}
        history = [
            row
            for row in history
            if row["reviewer"] == only_of or (row["verdict"] == "edit" and row["id"] not in taken_back)
        ]
        kept = {row["id"] for row in history}
        history = [row for row in history if row["undoes"] is None or row["undoes"] in kept]
    narrowed = {
        "projects": [
            {**project, "id": new_id(), "baseline_run": None, "recipe": RenderingRecipe().model_dump(mode="json")}
        ],
        "classes": [row for row in tables["classes"] if row["class_key"] in keys],
        "rule_versions": tables["rule_versions"],
        "descriptions": held,
        "verdicts": history,
    }
    for name in ("classes", "rule_versions", "descriptions", "verdicts"):
        for row in narrowed[name]:
            row["project_id"] = narrowed["projects"][0]["id"]
    return narrowed


def _add_project(archive: ArchiveWriter, manifest: pd.DataFrame, splits: Splits, facts: dict[str, Any]) -> None:
    stream = io.BytesIO()
    manifest.to_parquet(stream, index=False)
    archive.add("project/manifest.parquet", stream.getvalue())
    archive.add("project/splits.json", splits.to_json().encode())
    archive.add("project/problems.json", b"[]")
    archive.add(f"project/{ABOUT}", json.dumps(facts).encode())


def _without_verdicts(record: dict[str, Any]) -> dict[str, Any]:
    """What a record says of itself; the rules' answer is left out too, for people's verdicts are part of it."""
    answer = {"kept": None, "why": None, "weight": None}
    return {**record, **answer, "verdict": "undecided", "conflict": False, "history": []}
