"""Bringing descriptions into a project."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from avion_core.descriptions.importing import read_descriptions
from avion_core.store import projects as rows
from avion_core.store.database import reading, writing
from avion_core.store.home import Home


@dataclass(frozen=True)
class ImportReport:
    """What an import did; `sentence` says it in words."""

    added: int
    known: int
    """Texts that the project held already."""
    duplicates: int
    """Texts that the file holds more than once (case, punctuation and white space aside)."""
    unknown_classes: dict[str, int]
    problems: list[str]

    @property
    def sentence(self) -> str:
        parts = [f"{self.added:,} descriptions added"]
        if self.known:
            parts.append(f"{self.known:,} were there already")
        if self.duplicates:
            parts.append(f"{self.duplicates:,} said the same as another and were left out")
        if self.unknown_classes:
            listed = ", ".join(self.unknown_classes)
            parts.append(f"{sum(self.unknown_classes.values()):,} of classes that the project lacks ({listed})")
        if self.problems:
            parts.append(f"{len(self.problems):,} could not be used: {self.problems[0]}")
        return "; ".join(parts).removesuffix(".") + "."


def import_descriptions(
    home: Home, project: str, path: Path, *, split_sentences: bool = False, writer: str | None = None
) -> ImportReport:
    """Add the descriptions of a file that the project does not hold yet.

    Args:
        path: JSON lines, CSV, or one JSON object of lists (see `descriptions.importing`).
        split_sentences: make one description of each sentence, and keep the long text beside them.
        writer: who wrote them, where the file does not say.

    Raises:
        NotFoundError: no such project.
        DescriptionError: the file cannot be used.
    """
    with reading(home.engine) as session:
        project_id = rows.find_project(session, project).id
        class_names = rows.prompt_names(session, project_id)
    # The file is read outside of any transaction: a long one must not keep others from writing.
    result = read_descriptions(Path(path).expanduser(), class_names, split_sentences=split_sentences, writer=writer)
    found = [asdict(description) for description in result.descriptions]
    for row in found:
        row["written_at"] = row.pop("created_at")
    with writing(home.engine) as session:
        added = rows.add_descriptions(session, project_id, found)
    return ImportReport(
        added=added,
        known=len(found) - added,
        duplicates=len(result.duplicates),
        unknown_classes=result.unknown_classes,
        problems=result.problems,
    )
