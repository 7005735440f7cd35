"""Commands that have descriptions written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from avion_core.cli.frame import FAILURE, Answer, Desk, command, table
from avion_core.cli.tour import ProjectName, app, descriptions


@command(app, "describe")
def describe(
    desk: Desk,
    project: ProjectName,
    writer: Annotated[
        Literal["gemini", "openai-compatible", "file"],
        typer.Option(help="The writer. Its key comes from the environment."),
    ] = "gemini",
    model: Annotated[str, typer.Option(help="The model to ask; Gemini has a default.")] = "",
    base_url: Annotated[str, typer.Option(help="Address of an OpenAI-compatible server, up to and with /v1.")] = "",
    file: Annotated[str, typer.Option(help="The file with the texts, for --writer file.")] = "",
    per_class: Annotated[int, typer.Option(help="Descriptions per class from this writer; existing ones count.")] = 50,
    only: Annotated[
        list[str] | None, typer.Option("--class", help="Only this class; may be given several times.")
    ] = None,
    prompt: Annotated[
        str, typer.Option(help="The prompt: remote-sensing, contrast, plain, or your own.")
    ] = "remote-sensing",
    language: Annotated[str, typer.Option(help="The language to write in.")] = "English",
    view: Annotated[Literal["nadir", "oblique"], typer.Option(help="From straight above, or at an angle.")] = "nadir",
    sensor: Annotated[str, typer.Option(help="The sensor, such as Sentinel-2.")] = "",
    resolution: Annotated[str, typer.Option(help="Ground sampling distance, such as 0.3 m.")] = "",
    region: Annotated[str, typer.Option(help="The region on Earth.")] = "",
    season: Annotated[str, typer.Option(help="The season.")] = "",
    distinguish: Annotated[
        int, typer.Option(help="How many classes that the teacher confuses with it to name; 0 for none.")
    ] = 3,
    distinguish_from: Annotated[
        list[str] | None,
        typer.Option(help="Name this class instead, to be distinguished from; may be given several times."),
    ] = None,
    pictures: Annotated[int, typer.Option(help="How many training images of each class to send along.")] = 0,
    concurrency: Annotated[int, typer.Option(help="How many classes to ask about at the same time.")] = 4,
    rpm: Annotated[float | None, typer.Option(help="Requests per minute that the account allows.")] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for a complete answer before a request is repeated.")
    ] = 180.0,
    price_in: Annotated[float | None, typer.Option(help="Price per million tokens sent.")] = None,
    price_out: Annotated[float | None, typer.Option(help="Price per million tokens written.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only estimate requests, time and cost.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the newest unfinished generation.")] = False,
) -> Answer:
    """Have a language model write descriptions of the classes; a repeated call adds what is missing."""
    from avion_core.usecases.writing import ordering

    if resume:
        return _written(desk, project, ordering.resume(desk.home, project))
    from avion_core.usecases.projects.summaries import get_project

    imaging = {"modality": get_project(desk.home, project).modality, "view": view, "sensor": sensor}
    settings = ordering.make_writing_settings(
        {
            "writer": writer,
            "model": model,
            "base_url": base_url,
            "file": file,
            "per_class": per_class,
            "classes": tuple(only or ()),
            "prompt": prompt,
            "language": language,
            "imaging": {**imaging, "resolution": resolution, "region": region, "season": season},
            "distinguish": distinguish,
            "distinguish_from": tuple(distinguish_from or ()),
            "pictures": pictures,
            "concurrency": concurrency,
            "requests_per_minute": rpm,
            "timeout_seconds": timeout,
            "price_in": price_in,
            "price_out": price_out,
        }
    )
    made = ordering.plan_writing(desk.home, project, settings, desk.progress)
    desk.end_line()
    said = _planned(made)
    if plan:
        return Answer({"plan": made.estimate, "note": made.note}, said)
    desk.say(said)
    return _written(desk, project, ordering.order_descriptions(desk.home, project, settings))


@command(descriptions, "compare")
def compare(desk: Desk, project: ProjectName) -> Answer:
    """Compare writers: what the project would be with each one's texts alone."""
    from avion_core.usecases.curation import curation_table
    from avion_core.usecases.writing.compare_writers import compare_writers

    found = compare_writers(desk.home, curation_table(desk.home, project, progress=desk.progress))
    desk.end_line()
    rows = [
        {
            "writer": one.name,
            "texts": one.texts,
            "classes": one.classes,
            "accuracy": one.accuracy,
            "RS-Flag": one.flagged,
            "kept": one.kept,
            "n_eff": one.n_eff,
            "similarity": f"{one.similarity[1]:.3f}",
            "diversity": f"{one.diversity:.3f}",
            "cost": one.cost,
        }
        for one in found.writers
    ]
    text = table(rows, list(rows[0])) if rows else "No descriptions yet."
    said = f"\nClass names alone: {found.template:.1f} % of {found.validation_images} validation images."
    return Answer({"writers": found.writers, "template_accuracy": found.template}, text + said)


def _written(desk: Desk, project: str, generation: str) -> Answer:
    from avion_core.descriptions.writers.generate import ClassDone, Event
    from avion_core.descriptions.writers.patience import Waiting
    from avion_core.jobs.stopping import stop_on_signals
    from avion_core.usecases.writing import generations, ordering

    total = generations.get_generation(desk.home, project, generation).classes
    lacking: list[str] = []
    done = 0

    def listen(event: Event) -> None:
        nonlocal done
        if isinstance(event, Waiting):
            desk.end_line()
            desk.say(f"Waiting {event.seconds:.0f} s: {event.why}.")
        if isinstance(event, ClassDone):
            done += 1
            desk.progress(done, total, "classes")
            if event.problem:
                lacking.append(f"{event.class_key}: {event.problem}")

    with stop_on_signals() as stop:
        state = ordering.write_here(desk.home, generation, stop, listen)
    desk.end_line()
    view = generations.get_generation(desk.home, project, generation)
    rows = view.table.to_dict("records")
    cost = "" if view.cost is None else f", cost {view.cost:.4f}"
    lines = [
        table(rows, ["class_key", "asked", "got", "problem"]),
        f"{view.written:,} descriptions by {view.settings.model} in {view.table['asked'].sum():,} requests{cost}.",
        *lacking,
    ]
    if state == "stopped":
        lines.append(f"Stopped. Resume it with: avion describe {project} --resume")
    data: dict[str, Any] = {
        "generation": view.id,
        "state": state,
        "written": view.written,
        "cost": view.cost,
        "lacking": lacking,
        "classes": rows,
    }
    return Answer(data, "\n".join(lines), FAILURE if lacking else 0)


def _planned(made: Any) -> str:
    estimate = made.estimate
    cost = "" if estimate.cost is None else f", cost about {estimate.cost:.2f}"
    said = (
        f"{estimate.descriptions:,} descriptions of {estimate.classes:,} classes: {estimate.requests:,} requests, "
        f"about {estimate.tokens_in:,} tokens sent and {estimate.tokens_out:,} written, "
        f"{estimate.seconds / 60:,.0f} min{cost}."
    )
    return f"{said} {made.note}".strip()
