"""Checks before a training on captions: what there is to learn from, and what several data sets share."""

from __future__ import annotations

from collections.abc import Iterator

from avion_core.config import RunConfig
from avion_core.data.captioned import captioned_part, shared_images, teaching_captions
from avion_core.data.project import ProjectData
from avion_core.errors import NotFoundError
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.runs.check import Check
from avion_core.wording import counted

_IMPORT = "Import a caption file with `avion captions import`, or on the page Projects."


@use_case
def caption_checks(home: Home, project: str, config: RunConfig) -> Iterator[Check]:
    """What can be told of the captions that a run trains and is measured on."""
    projects = [freeze(home, project)]
    for other in config.protocol.projects:
        try:
            projects.append(freeze(home, other))
        except NotFoundError as error:
            yield Check("Other project", f"{error.what[:1].upper()}{error.what[1:]}: {other}.", "error", error.hint)
    yield Check("Shots", "Not used: all training captions teach.", "ok")
    seed = config.data.seed
    for data, taught in zip(projects, teaching_captions(projects, seed), strict=True):
        yield from _of_one(data, len(taught.image_ids), len(taught.texts), seed)
    if len(projects) > 1:
        yield _shared(projects, seed)


def _of_one(data: ProjectData, images: int, texts: int, seed: int) -> Iterator[Check]:
    if not images:
        what = "no training image with captions" if len(data.captions) else "no captions"
        yield Check("Captions", f"The project {data.name} has {what}.", "error", _IMPORT, page="projects")
        return
    said = f"{data.name}: {counted(texts, 'caption')} of {counted(images, 'training image')}."
    yield Check("Captions", said, "ok")
    for part, without in (("validation", "Nothing shows how good the student is while it trains."), ("test", "")):
        if not captioned_part(data, part, seed).image_ids:
            said = f"The project {data.name} has no {part} image with captions. {without}".strip()
            yield Check("Captions", said, "warning", _IMPORT)


def _shared(projects: list[ProjectData], seed: int) -> Check:
    """Data sets of captions share images, and the same image in another encoding is not found by its content."""
    shared = shared_images(projects, seed)
    found = "No training image of one is held out by another"
    if shared:
        found = f"{counted(shared, 'training image is', 'training images are')} held out by another and left out"
    said = (
        f"{found}, as far as their contents tell. The same picture in another encoding is not found so: RSITMD and "
        "RSICD are known to share images, and figures of a joint training promise too much there."
    )
    hint = "Read them beside those of a training on one data set alone."
    return Check("Leakage", said, "warning", hint)
