"""Commands that carry things out of a studio and into it: descriptions, review packs, whole projects, images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from avion_core.cli.frame import FAILURE, Answer, Desk, command
from avion_core.cli.tour import Out, Preview, ProjectName, descriptions, projects, review

Classes = Annotated[
    list[str] | None, typer.Option("--class", metavar="KEY", help="Only this class; may be given several times.")
]
Packed = Annotated[Path, typer.Argument(metavar="FILE", help="The pack.")]


@command(descriptions, "export")
def export(
    desk: Desk,
    project: ProjectName,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="File to write; ends in .jsonl, .csv, .parquet or .json.")
    ],
    choice: Annotated[
        Literal["kept", "accepted", "all"], typer.Option("--texts", help="For .json: which texts of each class.")
    ] = "kept",
    classes: Classes = None,
    scores: Annotated[
        bool, typer.Option("--scores/--no-scores", help="Include the teacher's scores and what the rules decide.")
    ] = True,
) -> Answer:
    """Write descriptions with their whole history (JSONL, CSV, Parquet), or texts by class (JSON)."""
    from avion_core.usecases.transfer.exchange import export_descriptions, save

    form = out.suffix.removeprefix(".").lower()
    made = export_descriptions(
        desk.home, project, form, choice=choice, classes=classes, scores=scores, progress=desk.progress  # type: ignore[arg-type]
    )  # fmt: skip
    path = save(made.content, out)
    data = {"file": path, "descriptions": made.descriptions, "decisions": made.decisions}
    return Answer(data | {"without_scores": made.without_scores}, f"{path}: {made.sentence}")


@command(review, "pack")
def pack_review(
    desk: Desk,
    project: ProjectName,
    out: Out,
    reviewer: Annotated[str, typer.Option(help="Who will review.")] = "",
    classes: Classes = None,
) -> Answer:
    """Put descriptions, thumbnails and scores into one file for a colleague without a network."""
    from avion_core.usecases.transfer.review_packs import make_review_pack

    pack = make_review_pack(
        desk.home, project, out, reviewer=reviewer, classes=classes, progress=desk.progress
    )  # fmt: skip
    return Answer(_plain(pack), f"{pack.path}: {pack.sentence}")


@command(review, "open")
def open_review(
    desk: Desk,
    file: Packed,
    reviewer: Annotated[str | None, typer.Option(help="Who reviews, if the pack does not say.")] = None,
) -> Answer:
    """Make a project from a review pack, to review in."""
    from avion_core.usecases.transfer.review_packs import open_review_pack

    project = open_review_pack(desk.home, file, reviewer=reviewer, progress=desk.progress)
    text = (
        f"{project.name}: {project.descriptions:,} descriptions to review.\n"
        f'Next:\n  avion app\n  avion review return "{project.name}" --out verdicts.jsonl'
    )
    return Answer({"id": project.id, "name": project.name, "descriptions": project.descriptions}, text)


@command(review, "return")
def return_review(desk: Desk, project: ProjectName, out: Out) -> Answer:
    """Write the verdicts of an opened review pack into a file to send back."""
    from avion_core.usecases.transfer.exchange import save
    from avion_core.usecases.transfer.review_packs import returned_verdicts

    path = save(returned_verdicts(desk.home, project), out)
    return Answer({"file": path}, f"{path}: send it back; its receiver imports it with `avion review merge`.")


@command(review, "merge")
def merge(
    desk: Desk,
    project: ProjectName,
    file: Annotated[Path, typer.Argument(help="The file that came back: JSON lines, CSV or Parquet.")],
    preview: Preview = False,
) -> Answer:
    """Import a colleague's verdicts; importing twice changes nothing, and disagreements become conflicts."""
    from avion_core.usecases.transfer.review_packs import merge_review

    report = merge_review(desk.home, project, file, preview=preview)
    told = [*report.effects, *report.brought.problems] if preview else []
    return Answer(
        {
            "decisions": report.brought.decisions,
            "conflicts": report.conflicts,
            "elsewhere": report.elsewhere,
            "effects": report.effects,
            "problems": report.brought.problems,
            "written": report.brought.written,
        },
        "\n".join([report.sentence, *told]),
    )


@command(projects, "pack")
def pack(
    desk: Desk,
    project: ProjectName,
    out: Out,
    images: Annotated[bool, typer.Option("--images", help="Include the image files.")] = False,
    features: Annotated[bool, typer.Option("--features", help="Include the computed embeddings.")] = False,
) -> Answer:
    """Put a whole project into one file: all its rows, its splits, and its runs with their students."""
    from avion_core.usecases.transfer.packs import pack_project

    packed = pack_project(desk.home, project, out, images=images, features=features, progress=desk.progress)
    return Answer(_plain(packed), f"{packed.path}: {packed.sentence}")


@command(projects, "unpack")
def unpack(
    desk: Desk,
    file: Packed,
    name: Annotated[str | None, typer.Option(help="Name for the project, if its own is taken.")] = None,
) -> Answer:
    """Unpack a whole project from a pack."""
    from avion_core.usecases.transfer.packs import unpack_project
    from avion_core.usecases.transfer.relink import look_at_root

    project = unpack_project(desk.home, file, name=name, progress=desk.progress)
    look = look_at_root(desk.home, project.id)
    text = f"{project.name} is unpacked ({project.id})."
    if look.lacking:
        text += f" {look.sentence}\nNext:  avion projects relink {project.name} FOLDER"
    data = {"id": project.id, "name": project.name, "image_root": project.image_root}
    return Answer(data | {"images_missing": look.lacking > 0}, text)


@command(projects, "relink")
def relink_(
    desk: Desk,
    project: ProjectName,
    folder: Annotated[
        Path | None, typer.Argument(help="Where the images are now; without it, only a check is made.")
    ] = None,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Link although some images are missing or changed.")
    ] = False,
) -> Answer:
    """Link a project to its images again after they moved; their content shows that they are the same."""
    from avion_core.usecases.transfer.relink import check_root, relink

    if folder is None:
        check = check_root(desk.home, project, progress=desk.progress)
        return Answer(_plain(check), check.sentence, 0 if check.complete else FAILURE)
    check = relink(desk.home, project, folder, incomplete=incomplete, progress=desk.progress)
    return Answer(_plain(check), f"Linked. {check.sentence}")


def _plain(found: object) -> dict[str, object]:
    return dict(vars(found))
