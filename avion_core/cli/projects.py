"""Commands from the demo to descriptions.

Each command imports what it needs when it is called: `avion --help` must not wait for torch.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from avion_core.cli.frame import Answer, Desk, command, problem_lines, table
from avion_core.cli.tour import Preview, ProjectName, app, descriptions, projects

_SUGGESTED = "suggested"


@command(app, "demo")
def demo(
    desk: Desk,
    curated: Annotated[
        bool, typer.Option("--curated", help="Include the reference verdicts that come with the demo.")
    ] = False,
) -> Answer:
    """Open the bundled demo projects and say what to do next."""
    from avion_core.usecases.projects.creating import open_demo

    opened = []
    for which in ("ucmerced", "eurosat"):
        desk.say(f"opening {which}")
        opened.append(open_demo(desk.home, which, curated=curated))
    first = opened[0].name
    text = "\n".join(
        [
            *(
                f"{project.name}: {project.images:,} images, {len(project.classes)} classes, "
                f"{project.descriptions:,} descriptions"
                for project in opened
            ),
            "",
            "Next:",
            "  avion app                        review the descriptions, train and look at the results, in the browser",
            f"  avion prototypes {first}   what the rules keep, cut and weigh",
            f"  avion train {first}        a student in a few minutes",
            "  avion evaluate latest            what it gained",
        ]
    )
    return Answer({"projects": [brief(project) for project in opened]}, text)


@command(projects, "look")
def look(
    desk: Desk, folder: Annotated[Path, typer.Argument(help="A folder of images, or of class folders with images.")]
) -> Answer:
    """Preview a folder as a project: images, classes, the data set it seems to be, the recipe it needs."""
    from avion_core.usecases.projects.images import look_into

    found = look_into(desk.home, folder)
    lines = [f"{found.pictures:,} images in {found.root}"]
    lines.append(f"{len(found.classes):,} class folders: {', '.join(found.classes)}" if found.classes
                 else "No class folders: label the images in the studio, or give --labels FILE.")  # fmt: skip
    if found.layout.question:
        lines.append(f"{found.layout.question} Say what they are: --folders {found.layout.order}, or another.")
    if found.data_set:
        lines.append(f"These are the classes of {found.data_set}.")
    if found.recipe:
        lines.append(f"They need a rendering recipe; suggested: {_options(found.recipe)}")
    return Answer(dict(vars(found)), "\n".join(lines))


@command(projects, "create")
def create(
    desk: Desk,
    name: Annotated[str, typer.Argument(help="The project's name.")],
    folder: Annotated[
        Path | None, typer.Argument(help="Class folders with images, or a flat folder with --labels.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Instead of a folder: .npz or Parquet with embeddings of images and texts."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV, Excel or Parquet with path, label, group, split; or a caption file (JSON)."),
    ] = None,
    class_folders: Annotated[
        bool, typer.Option("--class-folders/--unlabelled", help="Whether its sub-folders are the classes.")
    ] = True,
    folders: Annotated[
        Literal["class", "split", "split/class", "class/split", "group/class", "other/class"] | None,
        typer.Option(help="What the folders are, if not classes alone; splits that they name are kept."),
    ] = None,
    keep_together: Annotated[
        Literal["series", "place", "features"] | None,
        typer.Option(
            help="Keep neighbours on one side of the splits: tiles of one scene and ten numbers in a row, images of "
            "one block of ground, or images that the teacher finds alike."
        ),
    ] = None,
    block_km: Annotated[
        float | None, typer.Option(help="Side of a block of ground, for --keep-together place.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="A name from `avion models list`; without one, the best that is installed.")
    ] = None,
    student: Annotated[str | None, typer.Option(help="A name from `avion models list`, as for the teacher.")] = None,
    modality: Annotated[
        Literal["optical", "sar", "multispectral"], typer.Option(help="The kind of sensor.")
    ] = "optical",
    bands: Annotated[
        str | None, typer.Option(help="Bands for red, green and blue, counted from 1, such as 4,3,2.")
    ] = None,
    low: Annotated[str | None, typer.Option(help="Stored value shown as black: one, or one per band.")] = None,
    high: Annotated[
        str | None, typer.Option(help="Stored value shown at full brightness: one, or one per band.")
    ] = None,
    nodata: Annotated[float | None, typer.Option(help="Stored value that means no measurement.")] = None,
    depth: Annotated[
        Literal["byte", "integer", "real"] | None,
        typer.Option(help="The values that low and high are for; 8-bit files beside deeper ones keep theirs."),
    ] = None,
) -> Answer:
    """Make a project from a folder of images, or from embeddings alone; its splits are drawn once and frozen."""
    from avion_core.data.recipe import RenderingRecipe
    from avion_core.usecases.models.catalog import usable_pair
    from avion_core.usecases.projects.creating import create_project
    from avion_core.usecases.projects.images import look_into

    of_images = {
        "--labels": labels, "--folders": folders, "--teacher": teacher, "--student": student, "--bands": bands,
        "--low": low, "--high": high, "--nodata": nodata, "--depth": depth, "--keep-together": keep_together,
        "--block-km": block_km,
        "--unlabelled": None if class_folders else True,
    }  # fmt: skip
    if (folder is None) == (features is None):
        raise typer.BadParameter("Give a FOLDER of images, or --features FILE.")
    if features is not None:
        return _from_features(desk, name, features, modality, of_images)
    assert folder is not None
    pair, better = usable_pair(desk.home)
    recipe = RenderingRecipe(
        bands=_numbers("--bands", bands, int), low=_numbers("--low", low, float), high=_numbers("--high", high, float),
        nodata=nodata, depth=depth,
    )  # fmt: skip
    root = folder if labels else look_into(desk.home, folder).root
    project = create_project(
        desk.home, name, root, labels=labels, class_folders=class_folders,
        order=folders, together=keep_together, block_km=block_km, recipe=recipe,
        teacher=teacher or pair[0], student=student or pair[1],
        modality=modality, progress=desk.progress,
    )  # fmt: skip
    if better and not (teacher and student):
        desk.end_line()
        desk.say(better)
    return Answer(_whole(project), _described(project))


def _from_features(desk: Desk, name: str, file: Path, modality: str, of_images: dict[str, Any]) -> Answer:
    from avion_core.usecases.projects.from_features import create_from_features

    if odd := [option for option, value in of_images.items() if value is not None]:
        raise typer.BadParameter(f"{odd[0]} is about a folder of images, and --features has none.")
    project = create_from_features(desk.home, name, file, modality=modality)
    return Answer(_whole(project), f"{_described(project)}\nNext:  avion prototypes {project.name}")


@command(projects, "list")
def list_projects_(desk: Desk) -> Answer:
    """All projects."""
    from avion_core.usecases.projects.summaries import read_projects

    sound, damaged = read_projects(desk.home)
    found = [brief(project) for project in sound]
    columns = ["name", "images", "classes", "descriptions", "archived", "image_root"]
    text = table(found, columns) if found else "No project yet."
    text += "".join(f"\n{project.name} ({project.id}) cannot be read. {project.problem}" for project in damaged)
    return Answer({"projects": found, "damaged": damaged}, text)


@command(projects, "show")
def show(desk: Desk, project: ProjectName) -> Answer:
    """One project: classes, splits, and problems found in its folder."""
    from avion_core.usecases.projects.summaries import get_project

    summary = get_project(desk.home, project)
    return Answer(_whole(summary), _described(summary))


@command(projects, "copies")
def copies(desk: Desk, project: ProjectName) -> Answer:
    """Look for near-copies among a project's images, and say which of them a split divides."""
    from avion_core.usecases.projects.near_copies import seek_near_copies

    found = seek_near_copies(desk.home, project, desk.progress)
    lines = [f"{problem.path}: {problem.message}" for problem in found]
    return Answer({"near_copies": found}, "\n".join(lines) or "No near-copies.")


@command(descriptions, "import")
def import_(
    desk: Desk,
    project: ProjectName,
    file: Annotated[
        Path, typer.Argument(help='JSONL, CSV, Excel, Parquet, {"class": ["text", ...]}, or a reply (.txt).')
    ],
    split_sentences: Annotated[bool, typer.Option("--split-sentences", help="One description per sentence.")] = False,
    writer: Annotated[str | None, typer.Option(help="Who wrote them, if the file does not say.")] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=CLASS",
            help="A class name of the file and the class that it means; may be given several times, and is remembered. "
            "`--match suggested` takes the suggestions of a preview.",
        ),
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Leave out the texts of this class of the file.")
    ] = None,
    preview: Preview = False,
) -> Answer:
    """Import descriptions, and their verdicts if the file has any; what the project has already is skipped."""
    from avion_core.usecases.projects.descriptions import ImportReport, import_descriptions

    def bring(matched: dict[str, str], preview: bool) -> ImportReport:
        return import_descriptions(
            desk.home, project, file, split_sentences=split_sentences, writer=writer,
            match=matched, leave_out=leave_out or (), preview=preview,
        )  # fmt: skip

    given = [part for part in match or () if part != _SUGGESTED]
    if wrong := [part for part in given if "=" not in part]:
        raise typer.BadParameter(f"--match takes NAME=CLASS, such as 'Annual Crop Land=AnnualCrop', not {wrong[0]!r}.")
    matched = {written.strip(): name.strip() for written, _, name in (part.partition("=") for part in given)}
    if _SUGGESTED in (match or ()):
        looked = bring(matched, True)
        matched = {written: key for written, key in looked.suggestions.items() if key} | matched
    report = bring(matched, preview)
    data = {"added": report.added, "known": report.known, "duplicates": report.duplicates, "written": report.written}
    data |= {"decisions": report.decisions, "taken_for": report.taken_for}
    data |= {"unknown_classes": report.unknown_classes, "suggestions": report.suggestions, "matched": report.matched}
    text = report.sentence
    if report.unknown_classes:
        pairs = (f"{name}={key or 'CLASS'}" for name, key in report.suggestions.items())
        shown = (f"--match {shlex.quote(pair)}" for pair in pairs)
        text += f"\nTo import them too: {' '.join(shown)}"
    return Answer(data | {"left_out": report.left_out, "problems": report.problems}, text)


@command(descriptions, "list")
def list_descriptions(desk: Desk, project: ProjectName) -> Answer:
    """All descriptions in their current text, with their verdicts."""
    from avion_core.usecases.projects.current_descriptions import current_descriptions
    from avion_core.usecases.projects.summaries import get_project

    rows = current_descriptions(desk.home, get_project(desk.home, project).id).to_dict("records")
    text = table(rows, ["class_key", "verdict", "writer", "text"]) if rows else "No description yet."
    return Answer({"descriptions": rows}, text)


@command(descriptions, "flag")
def flag(
    desk: Desk,
    project: ProjectName,
    rule_set: Annotated[Literal["paper", "extended"] | None, typer.Option(help="Default: the project's.")] = None,
) -> Answer:
    """Judge every description by RS-Flag, with the reasons."""
    from avion_core.descriptions.rs_flag import load_rule_set
    from avion_core.usecases.curation.rules import current_rules
    from avion_core.usecases.projects.current_descriptions import current_descriptions
    from avion_core.usecases.projects.summaries import get_project

    project_id = get_project(desk.home, project).id
    config = current_rules(desk.home, project_id)[1]
    rules = load_rule_set(rule_set or config.rule_set, config.modality)
    rows = []
    for row in current_descriptions(desk.home, project_id).to_dict("records"):
        judged = rules.judge(row["text"])
        reasons = [reason.sentence for reason in judged.reasons if reason.passed == judged.flag]
        rows.append(
            {
                "description_id": row["description_id"], "class_key": row["class_key"], "text": row["text"],
                "flag": judged.flag, "words": judged.words, "reasons": reasons,
            }
        )  # fmt: skip
    flagged = sum(row["flag"] for row in rows)
    shown = table(
        ({**row, "flag": "yes" if row["flag"] else "no", "why": " ".join(row["reasons"])} for row in rows),
        ["class_key", "flag", "why", "text"],
    )
    data = {"rule_set": rules.name, "version": rules.version, "flagged": flagged, "descriptions": rows}
    return Answer(data, f"{shown}\n\n{flagged:,} of {len(rows):,} are flagged by the rule set {rules.name}.")


def brief(project: Any) -> dict[str, Any]:
    """A project as lists of projects give it."""
    return {
        "id": project.id, "name": project.name, "image_root": project.image_root, "images": project.images,
        "labelled": project.labelled, "classes": len(project.classes), "descriptions": project.descriptions,
        "verdicts": project.verdicts, "teacher": project.teacher, "student": project.student,
        "archived": project.archived,
    }  # fmt: skip


def _whole(project: Any) -> dict[str, Any]:
    details = {
        "classes": project.classes,
        "problems": project.problems,
        "near_copies_sought": project.near_copies_sought,
        "notes": project.notes,
        "keep_together": project.together,
        "recipe": project.recipe,
    }
    return {**brief(project), **details, "defaults": project.defaults}


def _described(project: Any) -> str:
    rows = [
        {
            "class": c.key,
            "prompt name": c.prompt_name,
            "images": c.count,
            "train": c.train,
            "val": c.validation,
            "test": c.test,
        }
        for c in project.classes
    ]
    head = f"{project.name} ({project.id}): {project.images:,} images in {project.image_root}"
    lines = [head, f"teacher {project.teacher}, student {project.student}", ""]
    lines.append(table(rows, ["class", "prompt name", "images", "train", "val", "test"]))
    if not project.near_copies_sought:
        lines += ["", f"Near-copies were not looked for yet: avion projects copies {project.id}"]
    if project.problems:
        lines += ["", f"{len(project.problems):,} problems found:"]
        lines += problem_lines(project.problems)
    return "\n".join([*lines, *(f"  {note}" for note in project.notes)])


def _options(recipe: Any) -> str:
    """A recipe as options of `avion projects create`."""
    words = []
    for name, value in recipe.model_dump(exclude_defaults=True).items():
        parts = value if isinstance(value, tuple | list) else (value,)
        shown = ",".join(part if isinstance(part, str) else f"{part:g}" for part in parts)
        words.append(f"--{name} {shown}")
    return " ".join(words)


def _numbers(option: str, text: str | None, kind: type) -> tuple[Any, ...] | None:
    try:
        return None if text is None else tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{option} takes numbers with commas, such as 4,3,2, and not {text!r}.") from None
