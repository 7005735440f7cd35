"""Verifying a capsule: its documents made again from its reports, its runs trained and measured again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from avion_core import __version__
from avion_core.downloads import sha256_of
from avion_core.errors import DataError, TrainingError
from avion_core.files import write_text
from avion_core.jobs.devices import be_exact, device_name, torch_device
from avion_core.progress import Progress
from avion_core.reading import Subject, read_text
from avion_core.store.home import Home
from avion_core.usecases.folders import nameable, own_folder
from avion_core.usecases.policies import UNSEAL, demand, use_case
from avion_core.usecases.transfer.capsule.comparing import (
    JUDGED_SAME,
    computed_alike,
    figure_differences,
    prediction_differences,
    ways,
)
from avion_core.usecases.transfer.capsule.documents import documents
from avion_core.usecases.transfer.capsule.facts import CapsuleRun, Contents, Facts
from avion_core.usecases.transfer.capsule.history import verdict_notes
from avion_core.usecases.transfer.capsule.materials import Materials, find_materials
from avion_core.usecases.transfer.capsule.opening import open_capsule
from avion_core.usecases.transfer.capsule.words import WORDS

if TYPE_CHECKING:
    from avion_core.distill.arithmetic import Arithmetic

_EXACT = 1e-6
"""Percentage points: counts of the same predictions give the same figure."""
_OF = "capsule.sha256"
_MARK = Subject("the mark of the work folder", hint="Name an empty folder.", most_bytes=1000)
UNFOUNDED = ("run", "split", "method", "model", "part", "metric", "value", "recomputed")


@dataclass(frozen=True)
class RunDifference:
    """A run measured on one split, then and now."""

    run: CapsuleRun
    split: str
    figures: pd.DataFrame
    """See `comparing.FIGURE_COLUMNS`."""
    predictions: pd.DataFrame
    """See `comparing.PREDICTION_COLUMNS`."""
    same_way: bool
    """Whether both were computed with the same arithmetic."""
    then: list[Arithmetic]
    now: list[Arithmetic]

    @property
    def other(self) -> pd.DataFrame:
        """The figures that are not the same within the tolerance."""
        return self.figures[~self.figures["said"].isin(JUDGED_SAME)]

    @property
    def same(self) -> bool:
        """Whether every figure is the same within the tolerance, on the same images."""
        return self.other.empty and not self.predictions["missing"].any()


@dataclass(frozen=True)
class Verification:
    """What differs between a capsule and what this version makes of it."""

    facts: Facts
    documents: dict[str, str]
    """File of the capsule -> how it differs from what its reports and settings give."""
    unfounded: pd.DataFrame
    """Figures that do not follow from the predictions by image: columns UNFOUNDED."""
    runs: list[RunDifference] = field(default_factory=list)
    """None where only figures were asked for."""
    notes: tuple[str, ...] = ()
    """What was not compared and why, and what to know beside the differences."""

    @property
    def same(self) -> bool:
        """Whether nothing differs beyond the tolerance (docs/determinism.md)."""
        return not self.documents and self.unfounded.empty and all(one.same for one in self.runs)


@use_case
def verify_capsule(
    home: Home,
    capsule: Path,
    *,
    images: Path | None = None,
    project: str | None = None,
    figures_only: bool = False,
    work: Path | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Verification:
    """Check a capsule's files, make its documents again, then train and measure its runs again.

    Nothing is read from this home but weights and, where none are given, images; nothing is written into it.

    Args:
        images, project: where its images are (see `materials.find_materials`).
        figures_only: no training: tables and figures are made again from the predictions by image.
        work: a folder for what is computed; given again with the same capsule, it goes on there. None computes in a
            temporary one.
        should_stop: asked after every step; True saves and raises.

    Raises:
        RightsError: a path that is not theirs to name, or figures of a test set, for somebody who may not open it.
        DataError: an unsound capsule; images or weights that are missing, all named before any work; or a work folder
            of something else.
        TrainingError: it was stopped.
    """
    capsule = nameable(home.actor, capsule)
    images = None if images is None else nameable(home.actor, images)
    work = None if work is None else nameable(home.actor, work)
    with own_folder("verify") if work is None else nullcontext(work) as folder:
        _take(folder, capsule)
        contents = open_capsule(capsule, folder / "capsule", progress)
        if "test" in contents.splits:
            demand(home.actor, UNSEAL)
        differing, notes = _documents(contents)
        notes = (*notes, *verdict_notes(contents))
        unfounded = _unfounded(contents)
        if figures_only:
            return Verification(contents.facts, differing, unfounded, notes=notes)
        materials = find_materials(home, contents, images=images, project=project, progress=progress)
        found: list[RunDifference] = []
        for number, run in enumerate(contents.facts.runs, start=1):
            said = f"run {number} of {len(contents.facts.runs)}"
            with _stops(work):
                _rerun(home, contents, run, materials, folder, _named(said, progress), should_stop)
            found += _compare(contents, run, folder)
        return Verification(contents.facts, differing, unfounded, found, notes)


def _take(folder: Path, capsule: Path) -> None:
    """See that a folder is empty, or holds the work on this very capsule.

    Raises:
        DataError: it holds something else, or cannot be written.
    """
    mark = folder / _OF
    digest = sha256_of(capsule) if capsule.is_file() else ""
    if mark.is_file():
        if read_text(mark, _MARK).strip() != digest:
            hint = "Name an empty folder, or the one of this capsule."
            raise DataError("the work folder holds the work on another capsule", hint, value=str(folder))
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DataError("the work folder holds other files", "Name an empty folder.", value=str(folder))
        if digest:
            write_text(mark, digest)
    except OSError as error:
        hint = "Name a folder that you may write to."
        raise DataError(f"the work folder cannot be used ({error.strerror})", hint, value=str(folder)) from None


def _documents(contents: Contents) -> tuple[dict[str, str], tuple[str, ...]]:
    """How documents differ from what this version makes of the same facts and reports; and what was not compared."""
    other_version = contents.facts.made_with != __version__
    notes = (
        (f"Written by version {contents.facts.made_with}: {', '.join(WORDS)} are not compared.",)
        if other_version
        else ()
    )
    differing: dict[str, str] = {}
    for name, content in documents(contents).items():
        file = contents.folder / name
        if other_version and name in WORDS:
            continue
        if not file.is_file():
            differing[name] = "missing"
        elif (kept := file.read_bytes()) != content:
            differing[name] = _first_line(kept, content)
    return differing, notes


def _first_line(kept: bytes, made: bytes) -> str:
    """Where two texts part: the first line that is not the same."""
    lines = kept.decode(errors="replace").splitlines(), made.decode(errors="replace").splitlines()
    for number, (before, after) in enumerate(zip(*lines, strict=False), start=1):
        if before != after:
            return f"line {number} says “{before.strip()[:80]}” where its data give “{after.strip()[:80]}”"
    return f"{len(lines[0]):,} lines where its data give {len(lines[1]):,}"


def _unfounded(contents: Contents) -> pd.DataFrame:
    from avion_core.protocols.recomputed import recomputed

    rows = []
    for split in contents.splits:
        for run, report in contents.reports(split):
            both = report.figures.merge(
                recomputed(report), on=["method", "model", "part", "metric"], suffixes=("", "_again")
            )
            wrong = both[~((both["value"] - both["value_again"]).abs() <= _EXACT) | (both["n"] != both["n_again"])]
            rows.append(wrong.rename(columns={"value_again": "recomputed"}).assign(run=run.id, split=split))
    return pd.concat(rows, ignore_index=True)[list(UNFOUNDED)]


def _rerun(
    home: Home,
    contents: Contents,
    run: CapsuleRun,
    materials: Materials,
    work: Path,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> None:
    """Train and measure a run in the work folder; what is there already is kept."""
    from avion_core import experiment
    from avion_core.features.store import FeatureStore
    from avion_core.protocols.harness import evaluate
    from avion_core.protocols.report import load_report

    folder = work / "runs" / run.id
    wanted = [split for split in run.splits if load_report(folder, split) is None]
    if not wanted:
        return
    config, stores = run.config, {"features": FeatureStore(work / "features"), "weights": home.weights}
    own, *others = (
        contents.project(key, materials.source(run, contents.project(key))) for key in (run.inputs, *run.others)
    )
    be_exact(device_name(config.device))
    for event in experiment.run_experiment(
        own, config, folder, others=others, should_stop=should_stop, progress=_stopping(progress, should_stop), **stores
    ):
        match event:
            case experiment.Metrics(step=step, steps=steps):
                progress(step, steps, "training steps")
            case experiment.Stopped():
                raise _Stopped
    for split in wanted:
        report = evaluate(
            own,
            config,
            folder,
            split,
            others=others,
            device=torch_device(config.device),
            progress=_stopping(progress, should_stop),
            should_stop=should_stop,
            **stores,
        )
        report.save(folder)


def _compare(contents: Contents, run: CapsuleRun, work: Path) -> Iterator[RunDifference]:
    from avion_core.distill.arithmetic import stretches
    from avion_core.protocols.report import load_report

    folder = work / "runs" / run.id
    now_with = stretches(folder)
    same_way = computed_alike(run.arithmetic, now_with)
    for split in run.splits:
        then, now = contents.report(run, split), load_report(folder, split)
        assert now is not None
        yield RunDifference(
            run,
            split,
            figure_differences(then, now, same_way=same_way),
            prediction_differences(then, now),
            same_way,
            ways(run.arithmetic),
            ways(now_with),
        )


class _Stopped(Exception):
    """Somebody asked for a stop; what was made is in the work folder."""


@contextmanager
def _stops(work: Path | None) -> Iterator[None]:
    from avion_core.protocols.harness import MeasuringStopped

    try:
        yield
    except (_Stopped, MeasuringStopped):
        hint = f"Give --work {work} again to go on." if work else "Give --work FOLDER to be able to go on after a stop."
        raise TrainingError("the verification was stopped", hint) from None


def _stopping(progress: Progress, should_stop: Callable[[], bool]) -> Progress:
    """Embeddings are kept as they are made: a stop may end them anywhere."""

    def counted(done: int, total: int, what: str) -> None:
        progress(done, total, what)
        if should_stop():
            raise _Stopped

    return counted


def _named(before: str, progress: Progress | None) -> Progress:
    def told(done: int, total: int, what: str) -> None:
        if progress is not None:
            progress(done, total, f"{before}, {what}")

    return told
