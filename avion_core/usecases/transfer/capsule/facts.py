"""What a capsule says of itself in capsule.json, beside the list of its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from avion_core.config import RunConfig
from avion_core.data.project import ProjectData
from avion_core.data.sources import ImageSource, NoPictures
from avion_core.distill.arithmetic import Stretch
from avion_core.errors import AvionError, ConfigError, DataError
from avion_core.presets import parse_config
from avion_core.protocols.report import Report, load_report
from avion_core.reading import MOST_COUNT, Subject, fitted

KIND, FORMAT, LISTING = "avion-capsule", 1, "capsule.json"
AGAIN = "Download the capsule again, or ask its publisher for a sound one."
SUBJECT = Subject("the capsule", hint=AGAIN)

Key = Annotated[str, Field(pattern=r"^[0-9A-Za-z_]{1,40}$")]
"""What names a folder in a capsule."""
Split = Literal["validation", "test"]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True)


class Weights(_Facts):
    """A weights file that runs were made with; the capsule does not hold it."""

    name: str
    """In the catalog."""
    title: str
    licence: str
    source: str
    bytes: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    download: str = ""
    """Repository and file on the hub, or an address; "" for what comes with the package, or was given."""
    warning: str = ""
    """What to know before results with it are compared."""


class DataSet(_Facts):
    """Images that runs saw; the capsule holds their hashes."""

    project: str
    """The project's name."""
    images: int
    classes: int
    known_as: str = ""
    """The published data set with these classes; "" where none is known."""
    licence: str = ""
    """As its publishers state it; "" where it is not known."""
    page: str = ""


class History(_Facts):
    """What people decided in a project: `projects/KEY` has the rows."""

    project: str
    verdicts: int
    rule_versions: int


class Look(_Facts):
    """Somebody looked at figures of the sealed test set."""

    who: str
    when: str


class CapsuleRun(_Facts):
    """One run: `runs/ID` has its reports."""

    id: Key
    name: str
    title: str
    """Its row in the tables."""
    inputs: Key
    """`inputs/KEY`: its project as it was frozen."""
    others: tuple[Key, ...] = ()
    """The other projects that it was measured on, in the order of its settings."""
    history: Key
    settings: dict[str, Any]
    splits: tuple[Split, ...] = Field(min_length=1)
    """What it was measured on."""
    created_at: str
    """When its inputs were frozen, ISO 8601."""
    rule_version: int = Field(ge=0, le=MOST_COUNT)
    step: int = Field(ge=0)
    training_seconds: float | None = None
    trained_parameters: int = Field(ge=0)
    arithmetic: tuple[Stretch, ...] = ()
    """What it was computed with; () where that was not recorded."""
    looks: tuple[Look, ...] = ()
    """Every look at the sealed test set with it, the oldest first."""

    @property
    def config(self) -> RunConfig:
        """Its settings, checked.

        Raises:
            DataError: they cannot be used.
        """
        try:
            return parse_config(self.settings)
        except ConfigError as error:
            raise SUBJECT.refused(f"holds settings that cannot be used ({error.what})", value=self.name) from None


class Facts(_Facts):
    """A capsule."""

    made_with: str
    """The version of AVION Studio that wrote it."""
    made_at: str
    against: str = ""
    """The title of the row that the tables compare with; "" for none."""
    named: bool = False
    """Whether people go by their own names."""
    weights: tuple[Weights, ...]
    inputs: dict[Key, DataSet] = Field(min_length=1)
    histories: dict[Key, History]
    runs: tuple[CapsuleRun, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Contents:
    """A capsule's own files in a folder, with what it says of itself."""

    folder: Path
    facts: Facts

    def project(self, key: str, source: ImageSource | None = None) -> ProjectData:
        """A project as runs saw it.

        Args:
            source: where its images are; None for reading what is known of them.

        Raises:
            DataError: a file of it is damaged.
        """
        try:
            return ProjectData.load(self.folder / "inputs" / key, source or NoPictures({}))
        except DataError as error:
            raise unusable("inputs", f"inputs/{key}", error) from None

    def projects_of(self, run: CapsuleRun) -> list[ProjectData]:
        """A run's own project, and the others it was measured on."""
        return [self.project(key) for key in (run.inputs, *run.others)]

    def report(self, run: CapsuleRun, split: str) -> Report:
        """What was measured of a run on a split.

        Raises:
            DataError: it is missing or damaged.
        """
        try:
            found = load_report(self.folder / "runs" / run.id, split)
        except DataError as error:
            raise unusable(f"a {split} report", f"runs/{run.id}", error) from None
        if found is None:
            raise SUBJECT.refused(f"lacks the {split} report of a run", value=run.id)
        return found

    def reports(self, split: str) -> Iterable[tuple[CapsuleRun, Report]]:
        """Every run that was measured on a split, with what was measured."""
        return [(run, self.report(run, split)) for run in self.facts.runs if split in run.splits]

    @property
    def splits(self) -> list[str]:
        """The splits that something was measured on."""
        return [split for split in ("validation", "test") if any(split in run.splits for run in self.facts.runs)]


def unusable(part: str, where: str, error: AvionError) -> AvionError:
    """The error about a part of a capsule that cannot be read, to be raised by the caller."""
    return SUBJECT.refused(f"has {part} that cannot be used ({error.what})", value=where)


def read_facts(about: dict[str, Any]) -> Facts:
    """What a capsule's listing says.

    Raises:
        DataError: it does not fit its form, or names what it does not hold.
    """
    facts = fitted(Facts, about, SUBJECT)
    if len({run.id for run in facts.runs}) < len(facts.runs):
        raise SUBJECT.refused("names a run twice")
    for run in facts.runs:
        for key in (run.inputs, *run.others):
            if key not in facts.inputs:
                raise SUBJECT.refused("names inputs that it does not hold", value=key)
        if run.history not in facts.histories:
            raise SUBJECT.refused("names a history that it does not hold", value=run.history)
        if len(run.others) != len(run.config.protocol.projects):
            raise DataError("a run of the capsule lacks a project that it was measured on", AGAIN, value=run.id)
    return facts
