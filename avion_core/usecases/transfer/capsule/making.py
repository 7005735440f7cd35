"""Writing a capsule: what runs were made from and what they came to, without images and weights."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from avion_core import __version__
from avion_core.data.catalog import DATA_SETS
from avion_core.data.project import ProjectData
from avion_core.distill.arithmetic import stretches
from avion_core.downloads import sha256_of
from avion_core.errors import DataError
from avion_core.files import write_json, write_text
from avion_core.jobs.inputs import other_inputs, run_inputs
from avion_core.methods import find_method
from avion_core.progress import Progress
from avion_core.settings import flatten
from avion_core.store.database import reading
from avion_core.store.histories import read_histories
from avion_core.store.home import Home
from avion_core.usecases.curation.rules import saved_rules
from avion_core.usecases.folders import nameable, own_folder
from avion_core.usecases.insight.evaluation import evaluate_run, kept_report, looks
from avion_core.usecases.insight.measuring import opened_report
from avion_core.usecases.policies import UNSEAL, demand, use_case
from avion_core.usecases.runs.sweeps import Sweep, sweep_cells
from avion_core.usecases.runs.trained import trained_run
from avion_core.usecases.runs.views import RunView
from avion_core.usecases.transfer.archives import new_archive
from avion_core.usecases.transfer.capsule.documents import documents
from avion_core.usecases.transfer.capsule.facts import (
    FORMAT,
    KIND,
    LISTING,
    CapsuleRun,
    Contents,
    DataSet,
    Facts,
    History,
    Look,
    Split,
    Weights,
)
from avion_core.usecases.transfer.packs import staging_folder
from avion_core.wording import counted, size

_SAME_ROW = ("data.shots", "data.seed", "device", "distillation.precision", "distillation.checkpoint_seconds")
"""Settings that do not make two rows of a table."""


@dataclass(frozen=True)
class MadeCapsule:
    """What a capsule holds."""

    path: Path
    bytes: int
    runs: int
    images: int
    descriptions: int
    decisions: int

    @property
    def sentence(self) -> str:
        return (
            f"{size(self.bytes)} with {counted(self.runs, 'run')}, {counted(self.descriptions, 'description')}, "
            f"{counted(self.decisions, 'decision')} and the hashes of {counted(self.images, 'image')}."
        )


@use_case
def make_capsule(
    home: Home,
    path: Path,
    runs: Sequence[str],
    *,
    titles: Mapping[str, str] | None = None,
    against: str = "",
    test: bool = False,
    names: bool = False,
    progress: Progress | None = None,
) -> MadeCapsule:
    """Write a capsule of trained runs; what was not measured on the validation images is measured.

    Args:
        titles: run -> its row in the tables; None names rows by the method, and by the settings in which runs differ.
        against: the row that the others are compared with.
        test: with what was measured on the sealed test set, which is a look at it.
        names: people go by their own names, and not by numbers.

    Raises:
        RightsError: a path that is not theirs to name, or the test set, for somebody who may not open it.
        NotFoundError, TrainingError: no such run, or one that has not been trained yet.
        DataError: no run, a test set that was never measured, or a file that is there or cannot be written.
    """
    path = nameable(home.actor, path)
    if test:
        demand(home.actor, UNSEAL)
    views = list({view.id: view for run in runs for view in [trained_run(home, run)]}.values())
    if not views:
        raise DataError("a capsule is of one run or more", "Name runs, or a sweep with finished ones.")
    titles = titles or _titles(views)
    for view in views:
        if kept_report(home, view.id, "validation") is None:
            evaluate_run(home, view.id, progress=progress)
        if test:
            opened_report(home, view.id)
    with staging_folder(home, "capsule") as folder:
        kept = _Inputs(folder / "inputs")
        people = _People(names)
        histories = {
            project_id: History(
                project=name,
                verdicts=_keep_verdicts(home, project_id, folder, people),
                rule_versions=_keep_rules(home, project_id, folder, people),
            )
            for project_id, name in {view.project_id: view.project for view in views}.items()
        }
        found = [_run(home, view, titles[view.id], kept, people, folder, test=test) for view in views]
        facts = Facts(
            made_with=__version__,
            made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            against=against,
            named=names,
            weights=tuple(_weights(home, views, progress)),
            inputs=kept.data_sets,
            histories=histories,
            runs=tuple(found),
        )
        for name, content in documents(Contents(folder, facts)).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        with new_archive(home, path, KIND, FORMAT, facts.model_dump(mode="json"), LISTING) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.add_file(file.relative_to(folder).as_posix(), file)
    return MadeCapsule(
        path,
        path.stat().st_size,
        len(views),
        sum(data.images for data in kept.data_sets.values()),
        kept.descriptions,
        sum(history.verdicts for history in histories.values()),
    )


@use_case
def make_sweep_capsule(
    home: Home, path: Path, sweep: Sweep, *, names: bool = False, progress: Progress | None = None
) -> MadeCapsule:
    """Write a capsule of a sweep's finished runs, with its rows, its comparison and its split (see `make_capsule`).

    Raises:
        DataError: none is finished; else as `make_capsule`.
    """
    path = nameable(home.actor, path)
    cells = [cell for cell in sweep_cells(home, sweep) if cell.run is not None and cell.run.state == "finished"]
    titles = {cell.run.id: cell.title for cell in cells if cell.run is not None}
    return make_capsule(
        home,
        path,
        list(titles),
        titles=titles,
        against=sweep.against if sweep.against in titles.values() else "",
        test=sweep.split == "test",
        names=names,
        progress=progress,
    )


@use_case
def capsule_bytes(home: Home, runs: Sequence[str], *, test: bool = False) -> bytes:
    """A capsule for a browser to take away (see `make_capsule`)."""
    with own_folder("capsule") as folder:
        return make_capsule(home, folder / "a capsule", runs, test=test).path.read_bytes()


def _titles(views: Sequence[RunView]) -> dict[str, str]:
    """Run -> the title of its row: its method, with the settings in which runs of the method differ."""
    settings = {view.id: flatten(view.config.model_dump(mode="json")) for view in views}
    of_method: dict[str, list[RunView]] = defaultdict(list)
    for view in views:
        of_method[view.config.method].append(view)
    titles: dict[str, str] = {}
    for name, of in of_method.items():
        keys = dict.fromkeys(
            key for view in of for key in settings[view.id] if key not in _SAME_ROW and not key.startswith("protocol.")
        )
        differing = [key for key in keys if len({str(settings[view.id].get(key)) for view in of}) > 1]
        for view in of:
            said = ", ".join(f"{key} = {settings[view.id].get(key, 'default')}" for key in differing)
            titles[view.id] = f"{find_method(name).title} ({said})" if said else find_method(name).title
    return titles


class _People:
    """The names that people go by in a capsule: their own, or numbers in the order of their first decision."""

    def __init__(self, named: bool) -> None:
        self._named = named
        self._numbers: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if self._named or not name:
            return name
        return self._numbers.setdefault(name, f"reviewer {len(self._numbers) + 1}")

    def known(self, name: str) -> str:
        """The name that somebody goes by who decided something; other names, of writers say, as they are."""
        return self._numbers.get(name, name)


class _Inputs:
    """Projects as runs saw them, each state kept once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_sets: dict[str, DataSet] = {}
        self.descriptions = 0
        self._keys: dict[str, str] = {}

    def keep(self, project: ProjectData, writers: Callable[[str], str]) -> str:
        """Keep a state; returns its key."""
        texts = project.descriptions.assign(writer=project.descriptions["writer"].map(writers))
        new = self.folder / str(len(self._keys) + 1)
        replace(project, descriptions=texts).save(new)
        files = sorted(new.iterdir())
        state = hashlib.sha256(repr([(file.name, sha256_of(file)) for file in files]).encode()).hexdigest()
        if (key := self._keys.setdefault(state, new.name)) != new.name:
            for file in files:
                file.unlink()
            new.rmdir()
            return key
        self.data_sets[key] = _data_set(project)
        self.descriptions += len(texts)
        return key


def _data_set(project: ProjectData) -> DataSet:
    keys = set(project.class_names)
    known = next((entry for entry in DATA_SETS.values() if entry.classes and set(entry.classes) == keys), None)
    said = {"known_as": known.title, "licence": known.licence, "page": known.page} if known else {}
    return DataSet(project=project.name, images=len(project.manifest), classes=len(keys), **said)


def _run(
    home: Home, view: RunView, title: str, kept: _Inputs, people: _People, folder: Path, *, test: bool
) -> CapsuleRun:
    """A run's facts; its reports and inputs are written into the folder."""
    splits: tuple[Split, ...] = ("validation", "test") if test else ("validation",)
    own = folder / "runs" / view.id
    own.mkdir(parents=True)
    reports = [report for split in splits if (report := kept_report(home, view.id, split)) is not None]
    for report in reports:
        report.save(own)
    figure = reports[0].figures
    own_rows = figure[(figure["method"] == reports[0].method) & (figure["model"] == reports[0].model)]
    return CapsuleRun(
        id=view.id,
        name=view.name,
        title=title,
        inputs=kept.keep(run_inputs(home, view.id), people.known),
        others=tuple(kept.keep(other, people.known) for other in other_inputs(home, view.id)),
        history=view.project_id,
        settings=view.config.model_dump(mode="json"),
        splits=splits,
        created_at=view.created_at.isoformat(),
        rule_version=view.rule_version,
        step=view.step,
        training_seconds=view.summary.get("training_seconds"),
        trained_parameters=int(own_rows["parameters"].iloc[0]),
        arithmetic=tuple(stretches(view.folder)),
        looks=tuple(
            Look(who=people(row["who"]), when=row["when"].isoformat())
            for row in looks(home, view.id).iloc[::-1].to_dict("records")
        ),
    )


def _weights(home: Home, views: Sequence[RunView], progress: Progress | None) -> list[Weights]:
    """The weights that the runs and what stands beside them were made with, as they are installed now."""
    used = {
        getattr(view.config, model) for view in views for model in find_method(view.config.method).models(view.config)
    }
    needed = {one.name for name in used for one in home.models.members(name)}
    named = dict.fromkeys(getattr(view.config, model) for view in views for model in ("teacher", "student"))
    names = dict.fromkeys(one.name for name in named for one in home.models.members(name))
    found: list[Weights] = []
    for done, name in enumerate(names, start=1):
        entry = home.models.find(name)
        path = home.weights.need(name) if name in needed else home.weights.path(name)
        if path is not None:
            found.append(
                Weights(
                    name=name,
                    title=entry.title,
                    licence=entry.licence,
                    source=entry.source,
                    bytes=path.stat().st_size,
                    sha256=sha256_of(path),
                    download=entry.origin,
                    warning=entry.warning,
                )
            )
        if progress is not None:
            progress(done, len(names), "hashed weights")
    return found


def _keep_verdicts(home: Home, project_id: str, folder: Path, people: _People) -> int:
    """Write every decision of a project, the oldest first; returns how many."""
    with reading(home.engine) as session:
        histories = read_histories(session, project_id)
    rows = sorted(
        ((decision, key) for key, decisions in histories.items() for decision in decisions),
        key=lambda row: (datetime.fromisoformat(row[0].created_at), row[1]),
    )
    lines = [
        json.dumps({"description_id": key, **asdict(decision), "reviewer": people(decision.reviewer)})
        for decision, key in rows
    ]
    own = folder / "projects" / project_id
    own.mkdir(parents=True, exist_ok=True)
    write_text(own / "verdicts.jsonl", "".join(f"{line}\n" for line in lines))
    return len(lines)


def _keep_rules(home: Home, project_id: str, folder: Path, people: _People) -> int:
    """Write every version of a project's rules, the oldest first; returns how many."""
    versions = saved_rules(home, project_id)
    said = [
        {
            "number": one.number,
            "when": one.when.isoformat(),
            "who": people(one.who),
            "prototypes": one.prototypes.model_dump(mode="json"),
            "descriptions": one.descriptions.model_dump(mode="json"),
        }
        for one in versions
    ]
    write_json(folder / "projects" / project_id / "rules.json", said, indent=1)
    return len(said)
