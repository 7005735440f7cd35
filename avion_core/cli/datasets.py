"""Commands for published data sets: the catalog, a copy verified, one fetched from a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avion_core.cli.frame import Answer, Desk, command, table
from avion_core.cli.tour import datasets

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of `avion datasets list`.")]
_UNKNOWN = "not known"


@command(datasets, "list")
def list_(desk: Desk) -> Answer:
    """The published data sets that are known here."""
    from avion_core.data.catalog import DATA_SETS

    rows = [
        {
            "name": entry.name, "title": entry.title, "task": entry.task, "classes": len(entry.classes) or "",
            "images": f"{entry.images:,}", "get": "yes" if entry.hub else "by hand", "licence": entry.licence,
        }
        for entry in DATA_SETS.values()
    ]  # fmt: skip
    return Answer({"data_sets": rows}, table(rows, list(rows[0])))


@command(datasets, "show")
def show(desk: Desk, name: Name) -> Answer:
    """One data set: where to get it, its licence, classes with their prompt names, counts."""
    from dataclasses import asdict

    from avion_core.data.catalog import KIT, find_data_set
    from avion_core.data.class_names import prompt_names

    entry = find_data_set(name)
    names = prompt_names(entry.classes)
    hub = _UNKNOWN
    if entry.hub:
        hub = f"{entry.hub.repository}, {entry.hub.file}, {entry.hub.digest} (as {entry.hub.known_from} states)"
    lines = [
        f"{entry.title}: {entry.images:,} images of {entry.image_size} px, {entry.source}",
        f"  page     {entry.page}",
        f"  licence  {entry.licence}",
        f"  layout   {entry.layout}",
        f"  hub      {hub}",
        f"  kit      {f'{entry.kit} (of {KIT}; its layout and hash are not known here)' if entry.kit else _UNKNOWN}",
    ]
    lines += [f"  {part:9}{images:,} images" for part, images in entry.splits]
    if names:
        rows = ({"class": key, "prompt name": words} for key, words in names.items())
        lines += ["", table(rows, ["class", "prompt name"])]
    after = f"avion datasets get {name} FOLDER" if entry.hub else f"avion datasets verify FOLDER --as {name}"
    return Answer(asdict(entry) | {"prompt_names": names}, "\n".join([*lines, "", f"Next:  {after}"]))


@command(datasets, "verify")
def verify(
    desk: Desk,
    folder: Annotated[Path, typer.Argument(help="Where the copy lies.")],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="The data set; the default is the one it looks like.")
    ] = None,
) -> Answer:
    """Hold a local copy against what is published: classes, counts, copies by content."""
    from avion_core.usecases.projects.data_sets import verify_data_set

    found = verify_data_set(desk.home, folder, name, progress=desk.progress)
    lines = [f"{found.entry.title} in {found.root}: {found.images:,} images."]
    lines += found.problems or ["All that is published is there."]
    if found.copies:
        lines.append(f"{found.copies:,} images are copies of others, by content; a project keeps each once.")
    lines += [f"  under two classes: {one}" for one in found.across]
    data = {
        "data_set": found.entry.name, "root": found.root, "complete": found.complete, "images": found.images,
        "counts": found.classes, "missing": found.missing, "unknown": found.unknown, "copies": found.copies,
        "across": found.across, "problems": found.problems,
    }  # fmt: skip
    return Answer(data, "\n".join(lines))


@command(datasets, "get")
def get(
    desk: Desk,
    name: Name,
    folder: Annotated[Path, typer.Argument(help="A new folder to unpack it into.")],
) -> Answer:
    """Fetch a data set from the hub that carries it; Ctrl-C keeps what is there, and the next call continues."""
    from avion_core.data.catalog import find_data_set
    from avion_core.jobs.stopping import stop_on_signals
    from avion_core.usecases.projects.data_sets import get_data_set, verify_data_set

    entry = find_data_set(name)
    desk.say(f"licence: {entry.licence}")
    with stop_on_signals() as stop:
        root = get_data_set(desk.home, name, folder, progress=desk.progress, stop=stop)
    found = verify_data_set(desk.home, root, name, progress=desk.progress)
    said = " ".join(found.problems) or "All that is published is there."
    data = {"data_set": name, "folder": root, "complete": found.complete, "problems": found.problems}
    return Answer(data, f"{root}: {found.images:,} images. {said}\nNext:  avion projects create {name} {root}")
