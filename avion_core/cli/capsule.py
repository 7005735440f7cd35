"""Commands for publication capsules: writing one, and verifying one from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avion_core.cli.frame import FAILURE, Answer, Desk, command, table
from avion_core.cli.tour import Out, app
from avion_core.wording import counted

if TYPE_CHECKING:
    from avion_core.usecases.transfer.capsule.verifying import RunDifference, Verification

_MOST_SHOWN = 40
_FIGURES = ["split", "method", "model", "part", "metric", "then", "now", "difference"]


@command(app, "capsule")
def capsule(
    desk: Desk,
    out: Out,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs by id, the beginning of one, or latest.")
    ] = None,
    sweep: Annotated[
        Path | None, typer.Option("--sweep", metavar="FILE", help="The finished runs of this grid, with its rows.")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="With the figures of the sealed test set; a grid's own split says so.")
    ] = False,
    names: Annotated[bool, typer.Option("--names", help="Reviewers by their names, not by numbers.")] = False,
) -> Answer:
    """Write a publication capsule: tables, splits, verdicts, rules, settings and licences of runs in one file.

    No images and no weights are inside. `avion verify` runs it again elsewhere; see docs/capsule.md.
    """
    from avion_core.usecases.runs.sweeps import read_sweep
    from avion_core.usecases.transfer.capsule.making import make_capsule, make_sweep_capsule

    if bool(runs) == (sweep is not None):
        raise typer.BadParameter("Name RUNs, or a grid with --sweep FILE.")
    if sweep is not None:
        made = make_sweep_capsule(desk.home, out, read_sweep(desk.home, sweep), names=names, progress=desk.progress)
    else:
        made = make_capsule(desk.home, out, runs or [], test=test, names=names, progress=desk.progress)
    text = f"{made.path}: {made.sentence}\nNext:  avion verify {made.path}"
    return Answer(dict(vars(made)), text)


@command(app, "verify")
def verify(
    desk: Desk,
    file: Annotated[Path, typer.Argument(metavar="CAPSULE", help="A file that `avion capsule` wrote.")],
    images: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where its images are, under whatever names.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(metavar="NAME", help="A project that has its images; without either, any.")
    ] = None,
    figures_only: Annotated[
        bool, typer.Option("--figures-only", help="Make tables again from the predictions; needs no images or weights.")
    ] = False,
    work: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep what is computed there; given again, it goes on.")
    ] = None,
) -> Answer:
    """Train and measure the runs of a capsule again, and say what differs.

    Ends with 0 where nothing differs beyond the tolerance of docs/determinism.md, with 1 where something does.
    """
    from avion_core.jobs.stopping import stop_on_signals
    from avion_core.usecases.transfer.capsule.verifying import verify_capsule

    with stop_on_signals() as stop:
        found = verify_capsule(
            desk.home, file, images=images, project=project, figures_only=figures_only, work=work,
            progress=desk.progress, should_stop=stop.is_set,
        )  # fmt: skip
    desk.end_line()
    return Answer(_data(found), "\n".join(_lines(found)), 0 if found.same else FAILURE)


def _lines(found: Verification) -> Iterator[str]:
    yield from found.notes
    for name, said in found.documents.items():
        yield f"{name}: {said}"
    for row in found.unfounded.to_dict("records"):
        where = f"run {row['run']}, {row['split']}: {row['metric']} of {row['method']} ({row['model']}, {row['part']})"
        yield f"{where} is {row['value']:.2f}, and its predictions give {row['recomputed']:.2f}"
    for one in found.runs:
        yield from _of_run(one)
    if not found.same:
        yield "It differs."
    elif found.runs:
        runs = counted(len(found.facts.runs), "run")
        yield f"Nothing differs beyond the tolerance: {runs} trained and measured again."
    else:
        yield "Nothing differs: tables and figures follow from the predictions by image."


def _of_run(one: RunDifference) -> Iterator[str]:
    counts = one.figures["said"].value_counts()
    changed, of = int(one.predictions["changed"].sum()), int(one.predictions["images"].sum())
    yield (
        f"{one.run.name} ({one.run.id}), {one.split} images: {counts.get('same', 0):,} of {len(one.figures):,} figures "
        f"are the same; {changed:,} of {of:,} predictions changed."
    )
    if not one.same_way:
        then, now = ("; ".join(map(str, ways)) or "a way that was not recorded" for ways in (one.then, one.now))
        yield f"  Computed in {now}; then in {then}: a figure may lie anywhere in its 95 % interval."
        yield f"  Within it, though not the same: {counts.get('within', 0):,}."
    if missing := int(one.predictions["missing"].sum()):
        yield f"  {missing:,} predictions are of images that only one of the two was asked about."
    other = one.other.assign(split=one.split)
    if len(other):
        yield table(other.head(_MOST_SHOWN).to_dict("records"), _FIGURES)
    if len(other) > _MOST_SHOWN:
        yield f"  and {len(other) - _MOST_SHOWN:,} more; --json lists all."


def _data(found: Verification) -> dict[str, object]:
    runs = [
        {
            "run": one.run.id,
            "split": one.split,
            "same": one.same,
            "same_way": one.same_way,
            "figures": one.figures.to_dict("records"),
            "predictions": one.predictions.to_dict("records"),
        }
        for one in found.runs
    ]
    return {
        "same": found.same,
        "documents": found.documents,
        "unfounded": found.unfounded.to_dict("records"),
        "runs": runs,
        "notes": list(found.notes),
    }
