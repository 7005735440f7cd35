"""Commands from prototypes to predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from avion_core.cli.frame import Answer, Desk, command, table
from avion_core.cli.tour import InBackground, Preset, ProjectName, RunName, Seed, Settings, Shots, app
from avion_core.wording import size

if TYPE_CHECKING:
    from avion_core.experiment import Event

Method = Annotated[
    str | None, typer.Option(help="avion, or what it is compared with, such as linear_probe or class_mean.")
]
Protocol = Annotated[
    str | None,
    typer.Option(
        help="few-shot (all classes), base-to-novel (train on half of them, measure on both), cross-dataset, or "
        "retrieval (images with captions)."
    ),
]


@command(app, "prototypes")
def prototypes(
    desk: Desk, project: ProjectName, preset: Preset = "recommended", shots: Shots = None, seed: Seed = None,
    settings: Settings = None,
    outside: Annotated[
        bool, typer.Option("--outside", help="Also measure on every labelled image outside the shots and the test set.")
    ] = False,
) -> Answer:  # fmt: skip
    """What the rules keep, cut and weigh.

    With --json, every figure behind every decision.
    """
    from avion_core.usecases.curation import curation_table
    from avion_core.usecases.curation.outside import outside_accuracy
    from avion_core.usecases.curation.rules import run_config
    from avion_core.usecases.projects.summaries import get_project

    config = run_config(desk.home, project, preset, overrides(settings, {"data.shots": shots, "data.seed": seed}))
    curation = curation_table(desk.home, project, config, progress=desk.progress)
    rows = []
    for key, part in curation.table.groupby("class_key"):
        counted = {"texts": len(part), "flagged": sum(part["flag"]), "kept": sum(part["kept"])}
        rows.append({"class_key": key, **counted, "n_eff": curation.n_eff[str(key)]})
    # Embeddings that were given cost nothing to look up; those of pictures may take hours.
    given = not get_project(desk.home, project).pictures
    found = outside_accuracy(desk.home, curation, progress=desk.progress) if outside or given else None
    data = {
        "classes": rows,
        "blocked": curation.blocked,
        "teacher_accuracy": curation.teacher_accuracy,
        "template_accuracy": curation.template_accuracy,
        "outside": found,
        "descriptions": curation.explained(curation.table).drop(columns=["hits", "reasons"]).to_dict("records"),
    }
    lines = [table(rows, ["class_key", "texts", "flagged", "kept", "n_eff"]), ""]
    template = curation.template_accuracy["validation"]
    lines.append(
        f"Teacher on the validation images: {curation.teacher_accuracy['validation']:.1f} % with these prototypes"
        + ("." if template != template else f", {template:.1f} % with the template.")
    )
    if found is not None:
        lines.append(found.sentence)
    if curation.blocked:
        lines.append(f"Classes without a usable description: {', '.join(curation.blocked)}.")
    return Answer(data, "\n".join(lines))


@command(app, "train")
def train(
    desk: Desk,
    project: Annotated[str | None, typer.Argument(metavar="PROJECT", help="A project's name or id.")] = None,
    method: Method = None,
    protocol: Protocol = None,
    preset: Preset = "recommended",
    shots: Shots = None,
    seed: Seed = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    settings: Settings = None,
    name: Annotated[str, typer.Option(help="The run's name; the default is made from the settings.")] = "",
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Resume a stopped, failed or lost run.")] = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Add it to the queue and return; see `avion runs list`.")
    ] = False,
) -> Answer:
    """Train a student in this terminal. Ctrl-C or SIGTERM saves and stops; --resume continues from there.

    On the same kind of processor it continues exactly; what else it is computed with is said and recorded.
    """
    if (project is None) == (resume is None):
        raise typer.BadParameter("Name a PROJECT to train, or --resume a RUN.")
    direct = {"method": method, "protocol.name": protocol, "data.shots": shots, "data.seed": seed}
    direct |= {"distillation.epochs": epochs}
    if project is not None and queue:
        from avion_core.usecases.runs.launching import launch

        run_id = launch(desk.home, project, preset, overrides(settings, direct), name, wait=True)
        return Answer({"run_id": run_id}, f"Run {run_id} is queued.\nNext:  avion runs show {run_id}")
    if queue:
        raise typer.BadParameter("To resume a run in the background, use `avion runs resume RUN`.")
    from avion_core.jobs.stopping import stop_on_signals

    with stop_on_signals() as stop:
        from avion_core.usecases.runs import launching, training

        if project is not None:
            run_id = launching.create_run(desk.home, project, preset, overrides(settings, direct), name, here=True)
        else:
            run_id = training.queue_again(desk.home, str(resume), here=True)
        desk.say(f"run {run_id}")
        run = training.run_here(desk.home, run_id, stop, _Watcher(desk))
    data = {"run_id": run.id, "state": run.state, "step": run.step, "steps": run.steps, "accuracy": run.accuracy}
    said = "" if run.accuracy is None else f", validation accuracy {run.accuracy:.1f} %"
    if (recall := run.summary.get("validation_mr")) is not None:
        said = f", validation mR {recall:.1f} %"
    after = f"avion evaluate {run.id}" if run.state == "finished" else f"avion train --resume {run.id}"
    text = f"Run {run.id} is {run.state} at step {run.step:,} of {run.steps:,}{said}.\nNext:  {after}"
    return Answer(data | {"folder": run.folder, "summary": run.summary}, text)


@command(app, "evaluate")
def evaluate(
    desk: Desk,
    run: RunName,
    split: Annotated[
        Literal["validation", "test"], typer.Option(help="test opens the sealed set; each look is counted.")
    ] = ("validation"),
    queue: InBackground = False,
) -> Answer:
    """Measure a trained student, in percent, with 95 % intervals.

    Beside it stand its own zero-shot, baselines that cost less, and the teacher.
    """
    from avion_core.usecases.insight.evaluation import evaluate_run
    from avion_core.usecases.insight.flat_figures import flat_figures
    from avion_core.usecases.insight.rows import headline_rows, recall_table
    from avion_core.usecases.insight.trust import trust_in_validation
    from avion_core.usecases.runs.views import get_run

    if queue:
        return _queued_evaluation(desk, run, split)
    report = evaluate_run(desk.home, run, split, progress=desk.progress)
    view = get_run(desk.home, run)
    rows = headline_rows(report)[["title", "value", "low", "high", "n"]]
    rows = rows.rename(columns={"title": "method", "value": "percent", "n": "images"})
    text = [f"Run {view.id} on the {split} images, in percent:"]
    text.append(table(rows.to_dict("records"), ["method", "percent", "low", "high", "images"]))
    for part in report.parts if report.by_captions else ():
        found = recall_table(report, part.name).drop(columns=["low", "high", "n"]).rename(columns={"title": "method"})
        text += ["", *([part.title] if part.title else []), table(found.to_dict("records"), list(found.columns))]
    text += [f"Left out: {row}. {why}" for row, why in report.left_out.items()]
    text += ["", *trust_in_validation(report)] if split == "validation" else []
    if split == "test":
        text.append(f"\nLooks at the test set so far: {view.looks}.")
    labels = view.origin.labels if view.origin else None
    if labels is not None:
        text.append(f"\n{labels.sentence}")
    of_run = {"run_id": view.id, "state": view.state, "step": view.step, "looks": view.looks, "labels": labels}
    return Answer(of_run | flat_figures(report), "\n".join(text))


def _queued_evaluation(desk: Desk, run: str, split: str) -> Answer:
    from avion_core.usecases.insight.measuring import start_evaluation

    job = start_evaluation(desk.home, [run], split, wait=True)
    after = f"avion evaluate {run}" + (" --split test" if split == "test" else "")
    if job is None:
        return Answer({"job_id": None}, f"The run is measured already.\nNext:  {after}")
    return Answer({"job_id": job}, f"Evaluation {job} is queued.\nNext:  avion jobs show {job}, then {after}")


@command(app, "report")
def report_(
    desk: Desk,
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs of one project, or latest.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The HTML file to write.")] = Path("report.html"),
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="FOLDER", help="Write each figure there too, as SVG and PNG.")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Also what was measured on the sealed test set; it counts as a look.")
    ] = False,
) -> Answer:
    """Write a report to hand over: one HTML file of a run, or of several beside each other.

    It holds figures with their intervals, curves, a map if one was computed, confusion, mistakes, texts and settings.
    """
    from avion_core.files import write_text
    from avion_core.usecases.insight.written_report import write_report

    found = write_report(desk.home, runs, test=test, progress=desk.progress)
    write_text(out, found.html)
    said, files = f"Written: {out} ({size(out.stat().st_size)})", []
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        for name, figure in found.figures.items():
            for form, content in (("svg", figure.svg), ("png", figure.png)):
                files.append(figures / f"{name}.{form}")
                files[-1].write_bytes(content)
        said += f"\nFigures: {len(files)} files in {figures}"
    return Answer({"file": out, "figures": files}, said)


@command(app, "embed-map")
def embed_map_(
    desk: Desk,
    run: RunName,
    method: Annotated[Literal["umap", "tsne"], typer.Option(help="Method that arranges the points.")] = "umap",
    neighbours: Annotated[int | None, typer.Option(help="Neighbours (UMAP) or perplexity (t-SNE).")] = None,
    min_dist: Annotated[float, typer.Option(help="UMAP only: the smallest distance between points.")] = 0.1,
    metric: Annotated[
        Literal["cosine", "euclidean", "correlation"], typer.Option(help="The distance between embeddings.")
    ] = "cosine",
    seed: Annotated[int, typer.Option(help="The same seed gives the same map.")] = 0,
    most_images: Annotated[
        int, typer.Option(help="If there are more images, draw this many of them with the seed.")
    ] = 20_000,
    test: Annotated[bool, typer.Option(help="Show the sealed test images too; each look is counted.")] = False,
) -> Answer:
    """Map images, descriptions and prototypes.

    As the teacher, the student before and the student after training see them.
    """
    from avion_core.usecases.insight.alignment import MapSettings, embed_map, map_settings

    settings = map_settings(
        method=method,
        neighbours=neighbours,
        min_dist=min_dist,
        metric=metric,
        seed=seed,
        most_images=most_images,
        parts=(*MapSettings().parts, *(["test"] if test else [])),
    )
    found = embed_map(desk.home, run, settings, progress=desk.progress)
    figures = found.figures.to_dict("records")
    points = found.folder / "points.parquet"
    shown = [
        {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in row.items()} for row in figures
    ]
    text = table(shown, ["view", "alignment", "uniformity", "modality_gap", "trust"])
    answer = {"figures": figures, "points": len(found.points), "file": points, "statement": found.statement}
    return Answer(answer, f"{text}\n\n{found.statement}\n\nPoints: {points}")


@command(app, "predict")
def predict_(
    desk: Desk,
    run: RunName,
    paths: Annotated[list[Path], typer.Argument(help="Image files, and folders of them.")],
    teacher: Annotated[
        bool, typer.Option("--teacher", help="By the teacher of a project, named in RUN's place; needs no training.")
    ] = False,
) -> Answer:
    """Classify images with a trained student, or with a project's teacher.

    What is unlike the project's images, a whole scene say, gets no class but the reason; --json has both.
    """
    from avion_core.usecases.insight.prediction import predict, predict_with_teacher

    found = (predict_with_teacher if teacher else predict)(desk.home, run, paths, progress=desk.progress)
    rows = found.table.to_dict("records")
    none = {"class_key": "odd, see below", "percent": None, "runner_up": None}
    shown = [{**row, **(none if row["odd"] else {"percent": 100 * row["probability"]})} for row in rows]
    odd = [f"{row['path']}: {row['odd']}" for row in rows if row["odd"]]
    data = {"predictions": rows, "problems": found.problems, "temperature": found.temperature, "says": found.says}
    text = [
        table(shown, ["path", "class_key", "percent", "runner_up"]),
        *odd,
        *found.problems,
        found.far_limit,
        found.says,
    ]
    return Answer(data | {"far_limit": found.far_limit}, "\n".join(text))


class _Watcher:
    """Tells a training's progress on standard error."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def event(self, event: Event) -> None:
        from avion_core.experiment import Metrics, Stage

        match event:
            case Stage(message=message):
                self._desk.say(message)
            case Metrics(step=step, steps=steps, values=values):
                self._desk.progress(step, steps, "training steps")
                for name, figure in (("validation_accuracy", "validation"), ("validation_mr", "validation mR")):
                    if name in values:
                        self._desk.say(f"step {step:,} of {steps:,}: {figure} {values[name]:.1f} %")

    def progress(self, done: int, total: int, what: str) -> None:
        self._desk.progress(done, total, what)


def overrides(pairs: list[str] | None, direct: dict[str, Any]) -> dict[str, Any]:
    """--set pairs, and the options that stand for a setting; one given twice is refused."""
    from avion_core.settings import join, read_pair  # brings pydantic along

    options = [(key, value) for key, value in direct.items() if value is not None]
    return join([*map(read_pair, pairs or []), *options])
