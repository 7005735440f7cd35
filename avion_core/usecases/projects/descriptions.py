"""Bringing descriptions into a project, with what people decided on them where the file says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from avion_core.backbones.reading_length import CutOff
from avion_core.data.class_matching import suggested_classes
from avion_core.data.class_names import ClassFinder, said_taken_for
from avion_core.descriptions.importing import ImportResult, read_descriptions
from avion_core.descriptions.schema import PastDecision, folded
from avion_core.errors import NotFoundError
from avion_core.store import journal
from avion_core.store.classes import alias_keys, remember_alias, successors
from avion_core.store.current_verdicts import Mark, mark
from avion_core.store.database import reading, writing
from avion_core.store.histories import Merge, Merged, moment, plan_merge, write_merge
from avion_core.store.home import Home
from avion_core.store.projects import add_descriptions, candidates_of, count_descriptions, find_project, prompt_names
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.text_lengths import too_long_for_teacher
from avion_core.usecases.projects.uploads import as_file
from avion_core.usecases.projects.without_pictures import refuse_new_texts
from avion_core.wording import counted


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or would do; `sentence` says it in words."""

    added: int
    known: int
    """Texts that the project held already."""
    duplicates: int
    """Texts that the file holds more than once (case, punctuation and white space aside)."""
    unknown_classes: dict[str, int]
    problems: list[str]
    decisions: Merged
    """What came of the histories in the file."""
    cleaned: int = 0
    """Texts that list marks, emphasis, HTML or introductions were taken off."""
    taken_for: dict[str, str] = field(default_factory=dict)
    """Class as written -> class, where an alias or only the spelling folded was one of the project's."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Class as written -> texts that whoever imports wanted left out."""
    suggestions: dict[str, str] = field(default_factory=dict)
    """Unknown class -> key of the class that is most like it; "" where none is."""
    matched: dict[str, int] = field(default_factory=dict)
    """Class as written -> its texts, where a person has said which class it means."""
    cut_off: CutOff = CutOff([], 0)  # noqa: RUF009 - frozen
    """Of the texts that are added, those that the teacher does not read to their end: places in the file."""
    written: bool = True
    """False of a preview: nothing was changed."""

    @property
    def changes(self) -> bool:
        """Whether the file brings anything that the project lacks."""
        return bool(self.added or self.decisions.added)

    @property
    def sentence(self) -> str:
        done = "added" if self.written else "to add"
        parts = [f"{counted(self.added, 'description')} {done}"]
        if self.known:
            parts.append(f"{self.known:,} existed already")
        if self.duplicates:
            parts.append(f"{self.duplicates:,} were duplicates and were left out")
        if self.cleaned:
            parts.append(f"list marks, emphasis, HTML or introductions taken off {counted(self.cleaned, 'text')}")
        if self.cut_off.places:
            parts.append(self.cut_off.sentence)
        if self.decisions.added or self.decisions.known:
            people = ", ".join(f"{name} {count:,}" for name, count in self.decisions.reviewers.items())
            by_whom = f" ({people})" if people else ""
            parts.append(
                f"{counted(self.decisions.added, 'decision')} {'added' if self.written else 'to add'}{by_whom}"
            )
        if self.decisions.known:
            parts.append(f"{counted(self.decisions.known, 'decision was', 'decisions were')} known already")
        if self.decisions.overtaken:
            parts.append(
                f"{counted(self.decisions.overtaken, 'decision')} superseded already, kept in the history only"
            )
        if self.taken_for:
            parts.append(said_taken_for(self.taken_for))
        if self.left_out:
            listed = ", ".join(f"{shown_class(name)} {count:,}" for name, count in self.left_out.items())
            parts.append(f"{sum(self.left_out.values()):,} left out as asked ({listed})")
        if self.unknown_classes:
            listed = ", ".join(map(shown_class, self.unknown_classes))
            parts.append(
                f"{sum(self.unknown_classes.values()):,} not imported: of classes that the project lacks ({listed})"
            )
        if self.problems:
            parts.append(f"{len(self.problems):,} could not be used: {self.problems[0]}")
        return "; ".join(parts).removesuffix(".") + "."


@use_case
def import_descriptions(
    home: Home,
    project: str,
    path: Path,
    *,
    split_sentences: bool = False,
    writer: str | None = None,
    match: Mapping[str, str] = MappingProxyType({}),
    leave_out: Collection[str] = (),
    preview: bool = False,
) -> ImportReport:
    """Add the descriptions of a file that the project does not hold yet, and the decisions that it lacks.

    Args:
        path: JSON lines, CSV, Excel, Parquet, one JSON object of lists, or a reply (see `descriptions.importing`).
        split_sentences: make one description of each sentence, and keep the long text beside them.
        writer: who wrote them, where the file does not say.
        match: class as the file writes it -> the project's class (key or prompt name) that it means; kept as an alias
            of the class (see `class_aliases`), so that later files are read alike.
        leave_out: classes as the file writes them whose texts are not wanted.
        preview: report what would be done, and change nothing.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: no such project, or no such class to match.
        DescriptionError: the file cannot be used.
    """
    project_id, _, result = read_for(
        home,
        project,
        path,
        split_sentences=split_sentences,
        writer=writer,
        match=match,
        leave_out=leave_out,
        may_be_empty=preview,
    )
    return bring_in(
        home,
        project_id,
        result,
        lambda plan: ("descriptions", f"From {PurePath(path).name}: {plan.report.sentence}"),
        preview=preview,
    ).report


@use_case
def import_upload(
    home: Home,
    project: str,
    name: str,
    content: bytes,
    *,
    split_sentences: bool = False,
    writer: str | None = None,
    match: Mapping[str, str] = MappingProxyType({}),
    leave_out: Collection[str] = (),
    preview: bool = False,
) -> ImportReport:
    """As `import_descriptions`, for a file that came through a browser: its name and its bytes."""
    with as_file(name, content) as path:
        return import_descriptions(
            home,
            project,
            path,
            split_sentences=split_sentences,
            writer=writer,
            match=match,
            leave_out=leave_out,
            preview=preview,
        )


@use_case
def read_for(
    home: Home,
    project: str,
    path: Path,
    *,
    split_sentences: bool = False,
    writer: str | None = None,
    match: Mapping[str, str] = MappingProxyType({}),
    leave_out: Collection[str] = (),
    may_be_empty: bool = False,
) -> tuple[str, dict[str, str], ImportResult]:
    """A file as this project understands it, read outside of any transaction: a long one must not keep others waiting.

    Returns:
        The project's id; description id -> class key of what it holds; and what the file holds, each text under the
        class that it belongs to now.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: no such project.
        DescriptionError: the file cannot be used.
    """
    path = nameable(home.actor, path)
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
        class_names = prompt_names(session, project_id)
        known = {key: class_key for key, class_key, *_ in candidates_of(session, project_id)}
        merged_into = {old: new for old, new in successors(session, project_id).items() if new}
        aliases = alias_keys(session, project_id)
    result = read_descriptions(
        path,
        {**{old: old for old in merged_into}, **class_names},
        split_sentences=split_sentences,
        writer=writer,
        known=known,
        aliases=aliases | _meant(match, class_names),
        leave_out=leave_out,
        may_be_empty=may_be_empty,
    )
    moved = [
        replace(found, class_key=merged_into[found.class_key]) if found.class_key in merged_into else found
        for found in result.descriptions
    ]
    taken_for = {written: merged_into.get(key, key) for written, key in result.taken_for.items()}
    return project_id, known, replace(result, descriptions=moved, taken_for=taken_for)


def _meant(match: Mapping[str, str], class_names: Mapping[str, str]) -> dict[str, str]:
    """Class as a file writes it -> key of the class that it is matched with."""
    find = ClassFinder(class_names)
    meant = {written: find(name) for written, name in match.items()}
    for written, key in meant.items():
        if key is None:
            hint = f"The project's classes are: {', '.join(class_names)}."
            raise NotFoundError(f"{shown_class(written)} is matched with no class of the project", hint,
                                value=match[written])  # fmt: skip
    return {written: key for written, key in meant.items() if key}


def shown_class(written: str) -> str:
    """A class as a file writes it, in a message; a reply may name none."""
    return written or "without a class"


@dataclass(frozen=True)
class ImportPlan:
    """What of a file the project lacks, ready to be written, and the report on it."""

    descriptions: list[dict[str, Any]]
    decisions: Merge
    report: ImportReport
    state: tuple[int, Mark]
    """How much the project held when it was made."""


@use_case
def bring_in(
    home: Home,
    project_id: str,
    result: ImportResult,
    entry: Callable[[ImportPlan], tuple[journal.Kind, str]],
    *,
    preview: bool = False,
) -> ImportPlan:
    """Add what the project lacks of a file, all of it or nothing.

    What that is, which takes long for a long file, is found out in a transaction that only reads, so that others can
    go on working; it is found out again only where somebody wrote meanwhile.

    Args:
        entry: what the journal shall say of it: kind and sentence.
        preview: find out, and change nothing.
    """
    long = too_long_for_teacher(home, project_id, [found.text for found in result.descriptions])
    with reading(home.engine) as session:
        plan = _plan(session, project_id, result, long, written=not preview)
    if preview or not plan.report.changes:
        return plan
    if plan.descriptions or any(decision.verdict == "edit" for _, decision in plan.decisions.fresh):
        with reading(home.engine) as session:
            refuse_new_texts(find_project(session, project_id))
    with writing(home.engine) as session:
        if _state(session, project_id) != plan.state:
            plan = _plan(session, project_id, result, long, written=True)
        if plan.report.changes:
            add_descriptions(session, project_id, plan.descriptions)
            write_merge(session, project_id, plan.decisions)
            _remember_aliases(session, project_id, result, plan, home.actor.name)
            journal.note(session, project_id, *entry(plan), home.actor.name)
    return plan


def _remember_aliases(session: Session, project_id: str, result: ImportResult, plan: ImportPlan, who: str) -> None:
    """Keep what a person said about the file's class names, with the descriptions that came in by it."""
    added = {row["description_id"] for row in plan.descriptions}
    for written, ids in result.matched.items():
        if written:
            own = [item for item in ids if item in added]
            change = remember_alias(session, project_id, written, result.taken_for[written], own, who)
            if change is not None:
                sentence = f"Imports read “{written}” as {change.details['after']} from now on."
                journal.note(session, project_id, "classes", sentence, who)


class _Texts:
    """The texts of a project by what they say: the very words first, another spelling where one text alone has it."""

    def __init__(self, texts: Iterable[tuple[str, str, str]]) -> None:
        self._exact: dict[tuple[str, str], str] = {}
        self._folded: dict[tuple[str, str], list[str]] = defaultdict(list)
        for key, class_key, text in texts:
            self._exact.setdefault((class_key, text), key)
            self._folded[class_key, folded(text)].append(key)

    def find(self, class_key: str, text: str) -> str | None:
        same = self._folded.get((class_key, folded(text)), [])
        return self._exact.get((class_key, text)) or (same[0] if len(same) == 1 else None)


def _state(session: Session, project_id: str) -> tuple[int, Mark]:
    return count_descriptions(session, project_id), mark(session, project_id)


def _plan(session: Session, project_id: str, result: ImportResult, long: CutOff, *, written: bool) -> ImportPlan:
    state = _state(session, project_id)
    there = candidates_of(session, project_id)
    texts = {key: text for key, _, text, *_ in there}
    # A text may be here under another id: its class was renamed on one of the two sides.
    same_text = _Texts((key, class_key, text) for key, class_key, text, *_ in there)
    here: dict[str, str] = {}  # id in the file -> id in the project
    fresh: dict[str, dict[str, Any]] = {}
    for description in result.descriptions:
        own_id = description.description_id
        if own_id not in texts:
            own_id = same_text.find(description.class_key, description.text) or own_id
        here[description.description_id] = own_id
        if own_id not in texts:
            row = {**vars(description)}
            row["written_at"] = row.pop("created_at")
            if imported_at := result.imported_at.get(own_id):
                row["created_at"] = moment(imported_at)
            fresh[own_id] = row
    histories: dict[str, list[PastDecision]] = {}
    for file_id, decisions in result.histories.items():
        histories.setdefault(here[file_id], []).extend(decisions)
    merge = plan_merge(session, project_id, histories, texts)
    texts_of = [description.description_id for description in result.descriptions]
    report = ImportReport(
        added=len(fresh),
        known=len(result.descriptions) - len(fresh),
        duplicates=len(result.duplicates),
        unknown_classes=result.unknown_classes,
        problems=result.problems,
        decisions=merge.merged,
        cleaned=result.cleaned,
        taken_for=result.taken_for,
        cut_off=CutOff([place for place in long.places if here[texts_of[place]] in fresh], long.tokens),
        left_out=result.left_out,
        suggestions=suggested_classes(result.unknown_classes, prompt_names(session, project_id)),
        matched={written: len(ids) for written, ids in result.matched.items()},
        written=written,
    )
    return ImportPlan(list(fresh.values()), merge, report, state)
