"""Commands for what images show: labels, the cards of their classes, and how far people agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avion_core.cli.frame import Answer, Desk, command, problem_lines, table
from avion_core.cli.tour import Out, Preview, ProjectName, Seed, app, captions, classes, labels

ClassKey = Annotated[str, typer.Argument(metavar="CLASS", help="A key of `avion classes list`.")]
Words = Annotated[str, typer.Argument(metavar="NAME", help="The words that prompts use.")]


@command(labels, "export")
def export_labels_(desk: Desk, project: ProjectName, out: Out) -> Answer:
    """Write the labels of a project's images (CSV: path, label, group, split)."""
    from avion_core.usecases.projects.labels import export_labels
    from avion_core.usecases.transfer.exchange import save

    path = save(export_labels(desk.home, project), out)
    return Answer({"file": path}, f"{path}: the labels of all images, by path.")


@command(labels, "split")
def export_split_(desk: Desk, project: ProjectName, out: Out, seed: Seed = None) -> Answer:
    """Write a seed's split as CoOp's JSON: training, validation and test images with their classes.

    So that numbers can be laid beside other people's; `avion projects create --labels` reads it.
    """
    from avion_core.usecases.projects.labels import export_split
    from avion_core.usecases.transfer.exchange import save

    path = save(export_split(desk.home, project, seed or 1), out)
    return Answer({"file": path}, f"{path}: the split of seed {seed or 1}, by path.")


@command(labels, "import")
def import_labels_(
    desk: Desk,
    project: ProjectName,
    file: Annotated[Path, typer.Argument(help="CSV, Excel or Parquet with path and label.")],
    preview: Preview = False,
) -> Answer:
    """Label images from a table; the label page can undo the import in one step."""
    from avion_core.usecases.projects.labels import import_labels

    report = import_labels(desk.home, project, file, preview=preview)
    lines = [report.sentence, *problem_lines(report.problems)]
    data = {
        "given": report.given,
        "known": report.known,
        "problems": report.problems,
        "written": report.written,
        "taken_for": report.taken_for,
    }
    return Answer(data, "\n".join(lines))


@command(captions, "import")
def import_captions_(
    desk: Desk,
    project: ProjectName,
    file: Annotated[Path, typer.Argument(help="Karpathy-style JSON, as RSITMD and RSICD have it.")],
    preview: Preview = False,
) -> Answer:
    """Give images the captions of a file, in place of those they had; paths are relative to the image folder."""
    from avion_core.usecases.projects.captions import import_captions

    report = import_captions(desk.home, project, file, preview=preview)
    lines = [report.sentence, *problem_lines(report.problems)]
    data = {"parts": report.parts, "replaced": report.replaced, "written": report.written}
    return Answer(data | {"problems": report.problems}, "\n".join(lines))


@command(classes, "list")
def list_classes(desk: Desk, project: ProjectName) -> Answer:
    """The classes of a project with their cards."""
    from avion_core.usecases.projects.summaries import get_project

    found = get_project(desk.home, project).classes
    rows = [{**vars(entry), "class": entry.key, "prompt name": entry.prompt_name} for entry in found]
    columns = ["class", "prompt name", "count", "local_name", "code", "parent", "definition"]
    return Answer({"classes": found}, table(rows, columns) if rows else "No class yet.")


@command(classes, "add")
def add(desk: Desk, project: ProjectName, name: Words) -> Answer:
    """Make a class."""
    from avion_core.usecases.projects.classes import add_class

    key = add_class(desk.home, project, name)
    return Answer({"class": key}, f"{key} is now a class.")


@command(classes, "rename")
def rename(desk: Desk, project: ProjectName, class_key: ClassKey, name: Words) -> Answer:
    """Rename a class as prompts call it; its key, labels, descriptions and verdicts stay."""
    from avion_core.usecases.projects.classes import rename_class

    rename_class(desk.home, project, class_key, name)
    return Answer({"class": class_key, "prompt_name": name}, f"{class_key} is now called {name}.")


@command(classes, "merge")
def merge(
    desk: Desk,
    project: ProjectName,
    class_key: ClassKey,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The class to merge it into.")],
) -> Answer:
    """Merge a class into another, with its images, descriptions and verdicts."""
    from avion_core.usecases.projects.classes import merge_classes

    merge_classes(desk.home, project, class_key, into)
    return Answer({"class": class_key, "into": into}, f"{class_key} is now part of {into}.")


@command(classes, "aliases")
def aliases(desk: Desk, project: ProjectName) -> Answer:
    """Other names by which imports find the classes, as `avion descriptions import --match` named them."""
    from avion_core.usecases.projects.class_aliases import class_aliases

    rows = [dict(vars(alias)) for alias in class_aliases(desk.home, project)]
    text = table(rows, ["alias", "class_key", "descriptions", "who"]) if rows else "No class has another name."
    return Answer({"aliases": rows}, text)


@command(classes, "forget-alias")
def forget_alias_(
    desk: Desk, project: ProjectName, alias: Annotated[str, typer.Argument(metavar="NAME", help="The other name.")]
) -> Answer:
    """Take another name off its class, and the undecided descriptions that came in under it out."""
    from avion_core.usecases.projects.class_aliases import forget_alias

    sentence = forget_alias(desk.home, project, alias)
    return Answer({"forgotten": alias}, sentence)


@command(classes, "undo")
def undo(desk: Desk, project: ProjectName) -> Answer:
    """Undo the newest rename, addition, merge, split or other name."""
    from avion_core.usecases.projects.classes import undo_change

    sentence = undo_change(desk.home, project)
    return Answer({"undone": sentence}, sentence)


@command(classes, "export")
def export_cards_(desk: Desk, project: ProjectName, out: Out) -> Answer:
    """Write the class cards (CSV): keys, prompt names, definitions, includes, excludes, parents, codes, colours."""
    from avion_core.usecases.projects.classes import export_cards
    from avion_core.usecases.transfer.exchange import save

    path = save(export_cards(desk.home, project), out)
    return Answer({"file": path}, f"{path}: fill it in, then import it with `avion classes import`.")


@command(classes, "import")
def import_cards_(
    desk: Desk,
    project: ProjectName,
    file: Annotated[Path, typer.Argument(help="CSV with class_key and any columns of `avion classes export`.")],
) -> Answer:
    """Fill in class cards from a table, all rows or none."""
    from avion_core.data.class_names import said_taken_for
    from avion_core.usecases.projects.classes import import_cards

    report = import_cards(desk.home, project, file.expanduser())
    spelled = f"; {said_taken_for(report.taken_for)}" if report.taken_for else ""
    return Answer(dict(vars(report)), f"{len(report.changed):,} class cards have changed{spelled}.")


@command(app, "agreement")
def agreement_(desk: Desk, project: ProjectName) -> Answer:
    """How far reviewers agree: Cohen's kappa for two, Krippendorff's alpha for more, and the conflicts."""
    from avion_core.usecases.curation.agreement import agreement, conflicts, review_progress

    found, open_ = agreement(desk.home, project), conflicts(desk.home, project)
    progress = review_progress(desk.home, project)
    data = {
        "reviewers": found.reviewers,
        "items": found.items,
        "kappa": found.kappa,
        "alpha": found.alpha,
        "pairs": found.pairs.to_dict("records"),
        "classes": found.per_class.to_dict("records"),
        "progress": progress.to_dict("records"),
        "conflicts": open_.to_dict("records"),
    }
    lines = [found.sentence]
    if len(progress):
        lines += ["", table(data["progress"], list(progress.columns))]
    if len(open_):
        shown = [{**row, "accepts": ", ".join(row["accepts"]), "rejects": ", ".join(row["rejects"])}
                 for row in data["conflicts"]]  # fmt: skip
        lines += ["", f"{len(open_):,} in conflict:", table(shown, ["class_key", "accepts", "rejects", "text"])]
    return Answer(data, "\n".join(lines))
