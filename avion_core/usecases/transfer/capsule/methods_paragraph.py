"""The methods paragraph of a paper, made from the settings that its runs had, with every number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from avion_core.backbones.entries import ENTRIES
from avion_core.config import RunConfig
from avion_core.methods import find_method
from avion_core.metrics.bootstrap import DRAWS
from avion_core.protocols import find_protocol
from avion_core.settings import flatten
from avion_core.usecases.transfer.capsule.facts import CapsuleRun, Contents
from avion_core.wording import counted

_FREE = ("data.shots", "data.seed", "device")
_SIGNS = re.compile(r"([\\`*_\[\]<>|#])")
_TOGETHER = {
    "series": "the series of their files' names",
    "place": "the places where they were taken",
    "features": "nearness in the teacher's features",
}


def plain(text: str) -> str:
    """A name as Markdown shows it as it is, on one line."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))


def by_title(runs: Iterable[CapsuleRun]) -> dict[str, list[CapsuleRun]]:
    """Row of the tables -> its runs, in the tables' order."""
    found: dict[str, list[CapsuleRun]] = {}
    for run in runs:
        found.setdefault(run.title, []).append(run)
    return found


def methods_document(contents: Contents) -> str:
    """`methods.md`."""
    runs = contents.facts.runs
    rows = by_title(runs)
    parts = [
        "# Methods",
        " ".join([*_data(contents), *_protocols(runs), *_models(contents, runs)]),
        *(f"**{plain(title)}.** {' '.join(_row(of))}" for title, of in rows.items()),
        " ".join(_figures(contents)),
        "## Sources",
        "\n".join(f"- {one}" for one in _sources(contents, rows, runs)),
    ]
    return "\n\n".join(parts) + "\n"


def _data(contents: Contents) -> Iterator[str]:
    for key, data in contents.facts.inputs.items():
        known = f", the classes of {data.known_as}" if data.known_as else ""
        yield (
            f"{plain(data.project)} has {counted(data.images, 'image')} of "
            f"{counted(data.classes, 'class', 'classes')}{known}."
        )
        project = contents.project(key)
        if len(project.splits.test):
            kept = _TOGETHER.get(project.splits.together or "", "")
            near = f", groups and images that belong together by {kept}" if kept else " and groups"
            yield (
                f"A test set of {counted(len(project.splits.test), 'image')} is sealed, the same for all seeds; "
                f"near-copies{near} lie on one side of every split."
            )
        if len(project.captions):
            yield f"It has {counted(len(project.captions), 'caption')}."


def _protocols(runs: Sequence[CapsuleRun]) -> Iterator[str]:
    shown: dict[str, list[RunConfig]] = {}
    for run in runs:
        shown.setdefault(run.config.protocol.name, []).append(run.config)
    for name, configs in shown.items():
        protocol = find_protocol(name)
        seeds = _numbers({config.data.seed for config in configs})
        shots = "" if protocol.by_captions else f" with K = {_numbers({config.data.shots for config in configs})}"
        yield f"{protocol.title}{shots}, seeds {seeds}: {protocol.what[:1].lower()}{protocol.what[1:]}"


def _models(contents: Contents, runs: Sequence[CapsuleRun]) -> Iterator[str]:
    titles = _known(contents)
    for teacher, student in dict.fromkeys((run.config.teacher, run.config.student) for run in runs):
        named = [titles[name][0] if name in titles else name for name in (teacher, student)]
        yield f"The teacher is {named[0]} and the student's backbone {named[1]}."


def _known(contents: Contents) -> dict[str, tuple[str, str]]:
    """Title and source of each model: as the capsule has them, else as the package's catalog does."""
    packaged = {name: (entry.title, entry.source) for name, entry in ENTRIES.items()}
    return packaged | {one.name: (one.title, one.source) for one in contents.facts.weights}


def _row(runs: Sequence[CapsuleRun]) -> Iterator[str]:
    config = runs[0].config
    method = find_method(config.method)
    yield f"{method.what.removesuffix('.')} ({method.source})." if method.source else method.what
    texts = {run.inputs for run in runs}
    if "prototypes" in method.reads:
        yield from _prototypes(config)
    if "distillation" in method.reads:
        yield from _distillation(config)
    options = method.Settings.model_validate(config.options).model_dump()
    if options:
        yield f"Its settings: {', '.join(f'{name} = {value}' for name, value in options.items())}."
    yield f"The template is “{plain(config.model.template)}”."
    yield f"{max(run.trained_parameters for run in runs):,} numbers are trained."
    if varying := _varying(runs):
        yield f"Between its runs also differ: {', '.join(varying)}; each run's settings are in `runs/`."
    if len(texts) > 1:
        yield "Its runs saw different states of the project (`inputs/`)."


def _prototypes(config: RunConfig) -> Iterator[str]:
    rules, texts = config.prototypes, config.descriptions
    if rules.source == "template":
        yield "The text prototypes are the template's."
        return
    yield f"The text prototypes come from curated descriptions, judged by RS-Flag with the rule set `{texts.rule_set}`"
    if not rules.selective:
        yield "(modality " + texts.modality + "); every description weighs the same, and none is cut."
        return
    flag = "adds its bonus to" if rules.flag_mode == "soft" else "filters the texts beside"
    yield (
        f"(modality {texts.modality}), whose flag {flag} the weight; a text is cut where its robust z "
        f"(`{rules.z_mode}`) is above ζ = {rules.zeta:g}; similarity weight β = {rules.beta:g}, overhead bonus "
        f"γ = {rules.gamma:g}."
    )


def _distillation(config: RunConfig) -> Iterator[str]:
    model, train = config.model, config.distillation
    where = "every layer" if model.depth == "deep" else "the first layer"
    yield (
        f"The student gets {model.visual_prompts} visual and {model.text_prompts} text prompts in {where}, drawn with "
        f"a standard deviation of {model.init_std:g}."
    )
    yield (
        f"The loss weighs visual alignment {train.image_weight:g}, textual alignment {train.text_weight:g} and "
        f"similarity alignment {train.logit_weight:g} (temperature {train.temperature:g}, warmed up over the first "
        f"{100 * train.warmup:g} % of the steps); the teacher-student map is `{train.projection}`, fitted with "
        f"{train.map_texts}; teacher logits from {train.teacher_logits.replace('_', ' ')}."
    )
    if train.unlabelled_images:
        yield (
            f"Visual and similarity alignment learn from up to {train.unlabelled_images:,} images without their labels "
            "as well, none of them a validation or test image."
        )
    if train.frozen_weight:
        yield f"A loss of weight {train.frozen_weight:g} keeps embeddings near those of the frozen student."
    if model.class_mean != "none":
        yield "Class vectors are the student's texts with the mean of each class's shots added, by the number of shots."
    yield (
        f"Trained with AdamW (learning rate {train.learning_rate:g}, {train.schedule}; weight decay "
        f"{train.weight_decay:g}) for {counted(train.epochs, 'epoch')} in batches of {train.batch_size}, "
        f"{'with' if train.augment else 'without'} flips and quarter turns."
    )


def _figures(contents: Contents) -> Iterator[str]:
    yield (
        "Tables give mean ± sample standard deviation (n - 1) over seeds. Intervals are 95 %: Wilson's for an "
        f"accuracy, a percentile bootstrap over images ({DRAWS:,} draws) for figures made of several."
    )
    runs = contents.facts.runs
    if contents.facts.against:
        yield (
            f"Gains are points over {plain(contents.facts.against)} on the same images, with an interval for pairs "
            "(Agresti and Min, 2005)."
        )
    looks = sum(len(run.looks) for run in runs)
    measured = "test" in contents.splits
    yield (
        f"The sealed test set was looked at {counted(looks, 'time')} with these runs"
        f"{'' if measured else ', and nothing here was measured on it'}."
    )
    computed = dict.fromkeys(str(one.arithmetic) for run in runs for one in run.arithmetic if one.arithmetic)
    yield f"Computed in {'; '.join(computed) or 'a way that was not recorded'}."


def _sources(contents: Contents, rows: dict[str, list[CapsuleRun]], runs: Sequence[CapsuleRun]) -> Iterator[str]:
    for title, of in rows.items():
        method = find_method(of[0].config.method)
        yield f"{plain(title)}: {method.source or 'a floor of this project (docs/method.md section 7)'}"
    for name in dict.fromkeys(name for run in runs for name in (run.config.teacher, run.config.student)):
        title, source = _known(contents).get(name, (name, "not in the catalog"))
        yield f"{title}: {source}"


def _varying(runs: Sequence[CapsuleRun]) -> list[str]:
    """Settings that differ between the runs of a row, beside shots and seeds."""
    settings = [flatten(run.config.model_dump(mode="json")) for run in runs]
    keys = dict.fromkeys(key for one in settings for key in one if key not in _FREE and not key.startswith("protocol."))
    return [key for key in keys if len({str(one.get(key)) for one in settings}) > 1]


def _numbers(found: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(found)))
