"""Checks before a training starts, and the command that would start the same one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pandas as pd
import psutil

from avion_core.backbones.catalog import is_given
from avion_core.config import RunConfig
from avion_core.data.class_names import is_wordless, said_of_wordless
from avion_core.data.project import free_images
from avion_core.data.splits import Splits
from avion_core.errors import CheckpointError, ConfigError, DataError, NotFoundError, TrainingError
from avion_core.jobs.devices import device_name, lane_of
from avion_core.jobs.executors import chosen_executor
from avion_core.methods import find_method
from avion_core.methods.bench import Model
from avion_core.protocols import find_protocol
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.jobs import list_jobs
from avion_core.store.runs import list_runs
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import ProjectSummary, get_project, read_manifest, read_splits
from avion_core.usecases.runs.caption_checks import caption_checks
from avion_core.usecases.runs.check import Check
from avion_core.usecases.runs.estimate import estimate
from avion_core.usecases.runs.label_budget import LabelBudget, within_budget
from avion_core.wording import counted

_LARGE_PARAMETERS = 300_000_000
_ROOM_BYTES = 1_000_000_000


@use_case
def preflight(home: Home, project: str, config: RunConfig) -> list[Check]:
    """Everything that can be told before a run starts, without computing.

    Raises:
        NotFoundError: no such project.
    """
    summary = get_project(home, project)
    names = {entry.key: entry.prompt_name for entry in summary.classes}
    trained, of_protocol = list(names), []
    protocol = find_protocol(config.protocol.name)
    try:
        protocol.check(config)
        trained = protocol.trained_classes(names, config)
    except ConfigError as error:
        usual = {"protocol.name": RunConfig().protocol.name, "protocol.projects": ()}
        of_protocol = [Check("Protocol", f"{error.what[:1].upper()}{error.what[1:]}.", "error", error.hint, usual)]
    if protocol.by_captions:
        learned_from = [*_folder(summary), *caption_checks(home, summary.id, config)]
    else:
        learned_from = [
            *_other_projects(home, config),
            *_names(home, names, config),
            *_wordless(names, trained),
            *_folder(summary),
            *_images(home, summary, config, trained),
            *_descriptions(home, summary, config, trained),
        ]
    return [
        *of_protocol,
        *_models(home, config),
        *learned_from,
        *_machine(home, config),
        *_cost(home, summary, config),
        *_repeats(home, summary, config),
    ]


@use_case
def refuse_unready(home: Home, project: str, config: RunConfig) -> None:
    """Raise for the first thing that keeps a run from starting: a ConfigError where other settings would fix it."""
    for check in preflight(home, project, config):
        if check.severity == "error":
            wrong = ConfigError if check.settings else TrainingError
            raise wrong(check.message.removesuffix("."), check.hint)


def _other_projects(home: Home, config: RunConfig) -> Iterator[Check]:
    """The projects that a protocol measures on as well."""
    for name in config.protocol.projects:
        try:
            other = get_project(home, name)
        except NotFoundError as error:
            yield Check("Other project", f"{error.what[:1].upper()}{error.what[1:]}: {name}.", "error", error.hint)
            continue
        drawn = read_splits(home, other.id)
        if config.data.seed in drawn.train and config.data.shots <= drawn.max_shots and drawn.drawn:
            yield Check("Other project", f"{other.name} is measured on as well.", "ok")
            yield from _names(home, {entry.key: entry.prompt_name for entry in other.classes}, config)
        else:
            hint = "Draw its validation and test images, or choose other shots or another seed."
            yield Check("Other project", f"{other.name} has no images held out for these shots.", "error", hint)


def _names(home: Home, names: dict[str, str], config: RunConfig) -> Iterator[Check]:
    """Whether the models can tell the classes' sentences apart."""
    from avion_core.backbones.reading_length import clip_readers  # brings torch along
    from avion_core.backbones.sentences import CLIP_READER, cut_sentences

    readers = clip_readers(home.weights, (config.teacher, config.student)) or [CLIP_READER]
    try:
        cut = cut_sentences(names, config.model.template, readers)
    except DataError as error:
        yield Check("Class names", f"{error.what[:1].upper()}{error.what[1:]}.", "error", error.hint, page="classes")
        return
    if cut:
        room = min(reader.room for reader in readers)
        said = f"The models read {room} tokens of a sentence, and the end is cut off here: {_some(cut)}."
        yield Check("Class names", said, "warning", "Give these classes shorter names.", page="classes")


def _models(home: Home, config: RunConfig) -> Iterator[Check]:
    method = find_method(config.method)
    needed = method.models(config)
    both: tuple[tuple[Model, str], ...] = (("teacher", config.teacher), ("student", config.student))
    for model, name in both:
        role = model.capitalize()
        entry = home.models.known(name)
        if entry is None:
            names = ", ".join(home.models.entries)
            yield Check(role, f"The catalog has no model {name}.", "error", f"Choose one of: {names}.")
            continue
        try:
            installed = home.weights.path(name) is not None
        except CheckpointError as error:
            yield Check(role, str(error), "error", error.hint, page="models", model=name)
            continue
        if installed:
            yield Check(role, f"{entry.title} is installed.", "ok")
        else:
            hint = f"Run `avion models download {name}`, or `avion models add {name} FILE` for a file of your own."
            said = f"The weights of {entry.title} are not installed."
            if model in needed:
                yield Check(role, said, "error", hint, page="models", model=name)
            else:
                said = f"{said} Its rows are left out of the evaluation."
                yield Check(role, said, "warning", hint, page="models", model=name)
        if model == "student" and method.needs.layers and entry.kind != "open_clip":
            yield Check(
                role,
                f"{entry.title} cannot be a student: prompts cannot be added to it.",
                "error",
                "Choose a method that trains on embeddings, such as class_mean."
                if is_given(name)
                else "Choose a CLIP model from open_clip, such as demo-student.",
            )
    teacher, student = home.models.known(config.teacher), home.models.known(config.student)
    for one in (teacher, student):
        if one and one.warning:
            yield Check("Leakage", f"{one.title}: {one.warning}", "warning", "Read results on such data with care.")
    if student and not student.visual_prompts and method.step_size(config, 1).image_tokens:
        prompted = "model" in method.reads
        yield Check(
            "Student",
            f"{student.title} has a convolutional image tower, which takes no prompts.",
            "error",
            "Set model.visual_prompts to 0 (prompts in the texts alone), or choose a vision transformer."
            if prompted
            else "Choose a method without prompts in the image encoder, or a vision transformer.",
            {"model.visual_prompts": 0} if prompted else {},
        )
    if (
        "distillation" in method.reads
        and config.distillation.projection == "none"
        and teacher
        and student
        and teacher.dim != student.dim
    ):
        yield Check(
            "Map",
            f"Teacher and student differ in dimension ({teacher.dim} and {student.dim}).",
            "error",
            "Set distillation.projection to procrustes, linear or gram.",
            {"distillation.projection": "procrustes"},
        )


def _wordless(names: dict[str, str], trained: list[str]) -> Iterator[Check]:
    """Names that say nothing to a model: the student's texts are made of them."""
    wordless = [names[key] for key in trained if is_wordless(names[key])]
    if wordless:
        said, hint = said_of_wordless(wordless).split(". ", 1)
        yield Check("Class names", f"{said}.", "warning", hint, page="projects")


def _folder(summary: ProjectSummary) -> Iterator[Check]:
    if summary.pictures and not summary.image_root.is_dir():
        hint = "Connect the drive, move the folder back, or link the project to its new place."
        yield Check("Images", f"{summary.image_root} was not found.", "error", hint, page="projects")


def _images(home: Home, summary: ProjectSummary, config: RunConfig, trained: list[str]) -> Iterator[Check]:
    splits = read_splits(home, summary.id)
    if config.data.seed not in splits.train or config.data.shots > splits.max_shots:
        seeds = ", ".join(map(str, splits.train))
        yield Check(
            "Shots",
            f"The project has no split with {config.data.shots} shots and seed {config.data.seed}.",
            "error",
            f"Choose up to {splits.max_shots} shots and one of the seeds {seeds}.",
            {
                "data.shots": min(config.data.shots, splits.max_shots),
                "data.seed": config.data.seed if config.data.seed in splits.train else min(splits.train),
            },
        )
        return
    if len(trained) < 2:
        classes = "no class" if not trained else "only one class"
        hint = "Add the classes that the student should distinguish."
        yield Check("Classes", f"There is {classes} to train on.", "error", hint, page="classes")
        return
    if not find_method(config.method).needs.shots:
        yield Check("Shots", "Not used: the classes are distinguished by their names.", "ok")
        return
    of_all = splits.shots(config.data.seed, config.data.shots)
    shots = {key: len(of_all.get(key, ())) for key in trained}
    least = min(shots.values())
    if not any(shots.values()):
        hint = "Label a few images of each class."
        yield Check("Shots", "No image is labelled for training yet.", "error", hint, page="label")
    elif least == 0:
        without = _some([key for key, images in shots.items() if not images])
        hint = "Label a few images of each, or take the class out of the project."
        yield Check("Shots", f"No labelled training image: {without}.", "error", hint, page="label")
    elif least < config.data.shots:
        fewer = _some([key for key, images in shots.items() if images < config.data.shots])
        yield Check(
            "Shots",
            f"Fewer than {config.data.shots} training images: {fewer}.",
            "warning",
            "They train with what they have. Label more of their images, or choose fewer shots.",
            {"data.shots": least},
            page="label",
        )
    else:
        yield Check("Shots", f"{config.data.shots} training images in each of {len(shots)} classes.", "ok")
    held_out = splits.validation_images(config.data.seed, config.data.shots)
    if least and not any(held_out.get(key) for key in trained):
        yield Check(
            "Validation",
            "There are no validation images, so nothing shows how good the student is.",
            "warning",
            "Label two images or more of each class, then draw the validation and test images.",
            page="label",
        )
    yield from _unlabelled(home, summary, splits, config, trained)


def _unlabelled(
    home: Home, summary: ProjectSummary, splits: Splits, config: RunConfig, trained: list[str]
) -> Iterator[Check]:
    """Images without labels, where AVION is to learn from such."""
    if not config.distillation.unlabelled_images or "distillation" not in find_method(config.method).reads:
        return
    every = [entry.key for entry in summary.classes]
    free = len(free_images(read_manifest(home, summary.id), splits, config, trained, every))
    if free:
        used = counted(min(free, config.distillation.unlabelled_images), "image")
        yield Check("Images without labels", f"Learns from {used} without labels as well.", "ok")
    else:
        hint = "Add images to the project, or learn from labelled images alone."
        off = {"distillation.unlabelled_images": 0}
        yield Check("Images without labels", "None are outside the shots and held-out images.", "warning", hint, off)


def _descriptions(home: Home, summary: ProjectSummary, config: RunConfig, trained: list[str]) -> Iterator[Check]:
    method = find_method(config.method)
    if not method.needs.texts:
        yield Check("Descriptions", f"Not used by {method.title}.", "ok")
        return
    if config.prototypes.source == "template":
        yield Check("Descriptions", "Not used: prototypes come from the class-name template.", "ok")
        return
    candidates, labels = _candidates(home, summary, config)
    usable = set(candidates.loc[candidates["verdict"] != "rejected", "class_key"])
    without = [key for key in trained if key not in usable]
    if without:
        fallback = config.prototypes.template_fallback
        yield Check(
            "Descriptions",
            f"No usable description: {_some(without)}.",
            "warning" if fallback else "error",
            "They use the template."
            if fallback
            else "Generate or import descriptions for them, accept one of each, or use the class name where a "
            "class has no description.",
            {} if fallback else {"prototypes.template_fallback": True},
            page="review" if set(without) <= set(candidates["class_key"]) else "generate",
        )
    if labels is not None and labels.crossed:
        hint, fix = "", {}
        if not labels.left_out:
            hint, fix = (
                "It matters where few-shot figures are compared: to leave them out, set data.label_budget to kept.",
                {"data.label_budget": "kept"},
            )
        yield Check("Label budget", labels.sentence, "ok" if labels.left_out else "warning", hint, fix)
    conflicts = sum(candidates["conflict"])
    if conflicts:
        yield Check(
            "Verdicts",
            f"Reviewers disagree on {counted(conflicts, 'description')}.",
            "warning",
            "Settle them in the review; until then the rules decide.",
            page="agreement",
        )
    judged = sum(candidates["verdict"] != "undecided")
    yield Check(
        "Descriptions", f"{judged:,} of {len(candidates):,} are reviewed; the rules decide on the others.", "ok"
    )


def _candidates(home: Home, summary: ProjectSummary, config: RunConfig) -> tuple[pd.DataFrame, LabelBudget | None]:
    """The descriptions that a run would use, and the labels behind them; None where the settings are wrong as it is."""
    table, splits = current_descriptions(home, summary.id), read_splits(home, summary.id)
    names = {entry.key: entry.prompt_name for entry in summary.classes}
    try:
        return within_budget(home, summary.id, config, table, splits, names)
    except ConfigError:
        return table, None


def _machine(home: Home, config: RunConfig) -> Iterator[Check]:
    import torch

    teacher = home.models.known(config.teacher)
    if _elsewhere():
        yield Check("Device", "Chosen by the cluster.", "ok")
    elif torch.cuda.is_available() and config.device != "cpu":
        yield Check("Device", torch.cuda.get_device_name(), "ok")
    elif config.device == "cuda":
        hint = "Set device to auto or cpu, or check the driver."
        yield Check("Device", "No CUDA device was found.", "error", hint, {"device": "auto"})
    elif teacher and teacher.parameters > _LARGE_PARAMETERS:
        hint = "The first run takes long; its teacher embeddings are kept, and later runs reuse them."
        yield Check("Device", f"{teacher.title} takes seconds per image on a CPU.", "warning", hint)
    else:
        yield Check("Device", "The CPU.", "ok")
    room = shutil.disk_usage(home.path).free
    if room < _ROOM_BYTES:
        hint = "Free some space, or choose another folder with AVION_HOME."
        yield Check("Disk", f"Only {room / 1e9:.1f} GB are free in {home.path}.", "warning", hint)
    with reading(home.engine) as session:
        at_work = len(list_jobs(session, kinds=("training",), states=("running",)))
    if at_work:
        hint = "Add this one to the queue: it starts when they are done."
        yield Check("Other runs", f"{at_work} already running; they share the machine.", "warning", hint, page="runs")


def _cost(home: Home, summary: ProjectSummary, config: RunConfig) -> Iterator[Check]:
    needed = estimate(home, summary.id, config)
    if needed is None or _elsewhere():
        return
    free = _free_bytes(config)
    if needed.peak_bytes > free:
        hint = "Choose a smaller distillation.batch_size or smaller models, or close other programs."
        said = f"It needs about {needed.peak_bytes / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free."
        smaller = {"distillation.batch_size": config.distillation.batch_size // 2}
        if "distillation" not in find_method(config.method).reads:
            smaller, hint = {}, "Choose smaller models, or close other programs."
        yield Check("Memory", said, "warning", hint, smaller if config.distillation.batch_size > 1 else {})


def _repeats(home: Home, summary: ProjectSummary, config: RunConfig) -> Iterator[Check]:
    """The same settings once more: right after reviews, a waste without them."""
    with reading(home.engine) as session:
        # Through the model: a run of an earlier version lacks settings that came later.
        twins = [run for run in list_runs(session, summary.id) if RunConfig.model_validate(run.config) == config]
    if twins:
        newest = twins[0]
        said = f"The run “{newest.name}” ({newest.id}) has the same settings, and is {newest.job.state}."
        hint = "If nothing was reviewed or labelled since, look at that run instead."
        yield Check("Same settings", said, "warning", hint, page="runs", run=newest.id)


def _elsewhere() -> bool:
    """Whether runs are trained on other machines, of whose devices and memory nothing is known here."""
    return chosen_executor() != "local"


def _free_bytes(config: RunConfig) -> int:
    if lane_of(device_name(config.device)) == "gpu":
        import torch

        return torch.cuda.mem_get_info()[0]
    return psutil.virtual_memory().available


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
