"""Under which terms a run's models are published, as they were when it began: kept with the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from avion_core.backbones.catalog import Catalog
from avion_core.errors import CheckpointError
from avion_core.files import write_json
from avion_core.reading import Subject, fitted, read_json

FILE = "models.json"
_SUBJECT = Subject("the list of the run's models", CheckpointError, f"Delete {FILE} in the run's folder.")


@dataclass(frozen=True)
class Terms:
    """What is to be said of one model wherever results with it are."""

    role: str
    """teacher or student; of an ensemble each member is a teacher."""
    name: str
    title: str
    licence: str
    source: str
    warning: str = ""

    @property
    def sentence(self) -> str:
        """Title, licence, source and warning in one line."""
        return f"{self.title}. Licence: {self.licence}. {self.source}. {self.warning}".rstrip()


def terms_of(catalog: Catalog, teacher: str, student: str) -> list[Terms]:
    """Of both models as the catalog has them now; a name that it lacks is left out."""
    found: list[Terms] = []
    for role, name in (("teacher", teacher), ("student", student)):
        for one in catalog.members(name) if catalog.known(name) else ():
            found.append(Terms(role, one.name, one.title, one.licence, one.source, one.warning))
    return found


def keep_terms(folder: Path, terms: Sequence[Terms]) -> None:
    """Write them into a run's folder, once."""
    if not (folder / FILE).exists():
        write_json(folder / FILE, [asdict(one) for one in terms], indent=1)


def read_terms(folder: Path, catalog: Catalog, teacher: str, student: str) -> list[Terms]:
    """Those that a run's folder keeps; of a run of an earlier version, as the catalog has them now.

    Raises:
        CheckpointError: the file is not what it should be.
    """
    if not (folder / FILE).is_file():
        return terms_of(catalog, teacher, student)
    return fitted(list[Terms], read_json(folder / FILE, _SUBJECT), _SUBJECT, value=str(folder / FILE))
