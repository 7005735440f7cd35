"""How long a training will take and how much memory: from earlier runs on this machine, else from a short model."""

from __future__ import annotations

import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from avion_core.backbones.catalog import CatalogEntry
from avion_core.config import RunConfig
from avion_core.errors import CheckpointError, ConfigError, NotFoundError
from avion_core.jobs.devices import device_name, lane_of
from avion_core.jobs.kinds.training import OTHERS
from avion_core.jobs.process import this_process
from avion_core.machine import processors, waiting_for_processors
from avion_core.methods import find_method
from avion_core.presets import parse_config
from avion_core.protocols import find_protocol
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.projects import find_project, list_projects, prompt_names
from avion_core.store.runs import list_runs
from avion_core.store.tables import Run
from avion_core.usecases.jobs import active_jobs
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.captions import caption_counts
from avion_core.usecases.projects.summaries import read_splits
from avion_core.wording import counted

if TYPE_CHECKING:
    from avion_core.methods.method import StepSize

_NEWEST = 5
_TEXT_TOKENS = 8
"""Tokens of a class text that differ from class to class, about; the common beginning is run once."""
_SHARE_OF_PEAK = 0.35
"""What small matrices in a training step reach of the speed of one large product, about."""
_SOLVING_SECONDS = 2.0
_BUSY = 1.25
"""How many times as long on a machine that counts as busy."""
_CLOSED_FORM = (
    "Nothing is trained step by step: seconds, once the images' embeddings are kept; making them comes on top."
)
_LIBRARIES_BYTES = 700_000_000
_BYTES_PER_TOKEN_AND_WIDTH = 80
"""Kept for the backward pass by one block: twenty float32 numbers for each channel of a token."""


@dataclass(frozen=True)
class Estimate:
    """What a run will take. Seconds for all steps with their validations, and for what comes before the first.

    Seconds are for the machine as busy as it is now, where the run computes on its processors.
    """

    steps: int
    seconds: float
    preparation_seconds: float | None
    """None where nobody knows: it depends on which embeddings are kept already."""
    peak_bytes: int
    basis: str
    """One sentence: what it is made from, and how far to trust it."""


@use_case
def estimate(home: Home, project: str, config: RunConfig) -> Estimate | None:
    """Time and memory of a training with these settings; None for models that cannot be trained.

    Raises:
        NotFoundError: no such project.
    """
    entry, method = home.models.known(config.student), find_method(config.method)
    if entry is None or (method.needs.layers and entry.kind != "open_clip"):
        return None
    if not method.needs.backward:
        return Estimate(1, _SOLVING_SECONDS, None, _LIBRARIES_BYTES + _weights_bytes(home, config, entry), _CLOSED_FORM)
    with reading(home.engine) as session:
        row = find_project(session, project)
        classes = _texts(home, row.id, prompt_names(session, row.id), config)
        of_project = {other.id: prompt_names(session, other.id) for other in list_projects(session)}
        known = list_runs(session)
    steps = method.steps(config, _images(home, row.id, config))
    device, host = device_name(config.device), this_process().host
    near = [
        (run, settings)
        for run in known
        if run.seconds_per_step and run.job.device == device and run.job.host == host
        for settings in [parse_config(run.config)]
        if settings.student == config.student
        and settings.method == config.method
        and _precision(settings, device) == _precision(config, device)
        and settings.model.depth == config.model.depth
    ]
    work = _work(entry, _path(home, entry), config, classes)
    pairs = [
        (run, _work(entry, _path(home, entry), settings, texts))
        for run, settings in near
        for texts in [_texts(home, run.project_id, of_project[run.project_id], settings)]
    ]
    same = [(run, other) for run, other in pairs if abs(other / work - 1) < 0.02][:_NEWEST]
    if measured := same or pairs[:_NEWEST]:
        return _as_busy_as_now(home, device, _from_runs(measured, work, steps, config, exact=bool(same)))
    speed = _speed(lane_of(device) == "gpu", entry.dim)
    return _as_busy_as_now(
        home,
        device,
        Estimate(
            steps,
            steps * work / (_SHARE_OF_PEAK * speed),
            None,
            _memory(home, config, entry, _path(home, entry), classes),
            f"No training with this student has run on this machine yet: estimated from the model's size and the "
            f"processor's speed ({speed / 1e9:.0f} GFLOP/s). It may be off by a factor of three; computing the "
            "teacher's embeddings is not included.",
        ),
    )


def _as_busy_as_now(home: Home, device: str, quiet: Estimate) -> Estimate:
    """An estimate for a quiet machine, stretched by what other programs want of its processors now.

    Each of the run's threads, one a processor, has its turn beside theirs. The studio's own jobs do not count: the run
    waits until they have ended.
    """
    if lane_of(device) == "gpu":
        return quiet
    count = processors()
    ours = sum(job.state == "running" for job in active_jobs(home))
    others = max(0.0, waiting_for_processors() - count * ours)
    times = 1 + others / count
    if times <= _BUSY:
        return quiet
    before = None if quiet.preparation_seconds is None else times * quiet.preparation_seconds
    wanted = counted(round(others), "thread of other programs wants", "threads of other programs want")
    return replace(
        quiet,
        seconds=times * quiet.seconds,
        preparation_seconds=before,
        basis=f"{quiet.basis} The machine is busy: {wanted} its {counted(count, 'processor')}, so this is {times:.1f} "
        "times what it takes on a quiet one, and may be off by more than a factor of two.",
    )


def _from_runs(
    measured: list[tuple[Run, float]], work: float, steps: int, config: RunConfig, *, exact: bool
) -> Estimate:
    each = statistics.median(_quiet_step(run) * work / other for run, other in measured)
    alike = [run for run, _ in measured if run.config["teacher"] == config.teacher]
    before = [run.preparation_seconds for run in alike if run.preparation_seconds is not None]
    runs = counted(len(measured), "earlier run")
    how = f"Measured on {runs} on this machine with steps of the same size."
    if not exact:
        how = f"From {runs} on this machine with this student, scaled by the work of a step: a rough figure."
    return Estimate(
        steps,
        steps * each,
        statistics.median(before) if before else None,
        max(run.peak_bytes or 0 for run, _ in measured),
        how,
    )


def _quiet_step(run: Run) -> float:
    """Seconds of a run's step, without those in which other programs had the processors; all, where that is not known.

    A run that had a processor to spare was slowed less than this says; a factor of two is the most that can be.
    """
    others = (run.summary or {}).get(OTHERS) or 0.0
    return (run.seconds_per_step or 0.0) * max(0.5, 1 - others)


def _images(home: Home, project_id: str, config: RunConfig) -> int:
    """Training images of a run; where it trains on some of the classes, about their share. Of captions, those that
    are held out for validation count too."""
    if find_protocol(config.protocol.name).by_captions:
        images = 0
        for one in (project_id, *config.protocol.projects):
            with suppress(NotFoundError):  # which the checks say
                images += caption_counts(home, one).get("train", (0, 0))[0]
        return max(1, images)
    splits = read_splits(home, project_id)
    seed = config.data.seed if config.data.seed in splits.train else min(splits.train)
    counts = [len(images) for images in splits.shots(seed, min(config.data.shots, splits.max_shots)).values()]
    with reading(home.engine) as session:
        names = prompt_names(session, project_id)
    return max(1, round(sum(counts) * _classes(names, config) / max(1, len(names))))


def _texts(home: Home, project_id: str, names: dict[str, str], config: RunConfig) -> int:
    """How many texts a step reads: all classes, or the captions of a batch."""
    if not find_protocol(config.protocol.name).by_captions:
        return _classes(names, config)
    images, captions = caption_counts(home, project_id).get("train", (1, 1))
    return max(1, round(config.distillation.batch_size * captions / images))


def _classes(names: dict[str, str], config: RunConfig) -> int:
    """How many classes training sees; all of them where the protocol cannot be run, which the checks say."""
    try:
        return len(find_protocol(config.protocol.name).trained_classes(names, config))
    except ConfigError:
        return len(names)


def _work(entry: CatalogEntry, path: Path, config: RunConfig, classes: int) -> float:
    """Floating-point operations of one step: a block costs 24 w^2 a token forward, and as much backward again where
    its weights are frozen, twice as much where they are not."""
    size = find_method(config.method).step_size(config, classes)
    (v_layers, v_width, v_tokens), (t_layers, t_width, t_tokens) = _towers(entry, path, size)
    images = v_layers * v_width**2 * v_tokens * size.images
    texts = t_layers * t_width**2 * t_tokens * size.texts
    return max(1.0, (72.0 if size.weights else 48.0) * (images + texts))  # next to nothing for methods on embeddings


def _memory(home: Home, config: RunConfig, entry: CatalogEntry, path: Path, classes: int) -> int:
    """Both models' weights as float32, what the backward pass needs, and the libraries; for trained weights also a
    copy, its gradients and the optimizer's two averages."""
    size = find_method(config.method).step_size(config, classes)
    (v_layers, v_width, v_tokens), (t_layers, t_width, t_tokens) = _towers(entry, path, size)
    kept = v_layers * v_width * v_tokens * size.images + t_layers * t_width * t_tokens * size.texts
    trained = 16 * entry.parameters if size.weights else 0
    return _LIBRARIES_BYTES + _weights_bytes(home, config, entry) + _BYTES_PER_TOKEN_AND_WIDTH * kept + trained


def _weights_bytes(home: Home, config: RunConfig, student: CatalogEntry) -> int:
    """The weights of the models that a run of the method opens."""
    teacher = home.models.known(config.teacher)
    opened = {"student": student.parameters, "teacher": teacher.parameters if teacher else 0}
    return 4 * sum(opened[model] for model in find_method(config.method).models(config))


def _towers(entry: CatalogEntry, path: Path, size: StepSize) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Layers, width and tokens of the image and of the text side."""
    from avion_core.backbones.architectures import model_shape

    shape = model_shape(entry, path)
    (v_layers, v_width, v_tokens), (t_layers, t_width, t_tokens) = shape.image_blocks, shape.text_blocks
    read = min(_TEXT_TOKENS, t_tokens) if shape.causal else t_tokens  # without a causal mask nothing is cut off
    return (v_layers, v_width, v_tokens + size.image_tokens), (t_layers, t_width, read + size.text_tokens)


def _precision(config: RunConfig, device: str) -> str:
    from avion_core.backbones.towers import resolve_precision

    precision = find_method(config.method).step_size(config, 1).precision
    return resolve_precision(precision, "cuda" if lane_of(device) == "gpu" else "cpu")


def _path(home: Home, entry: CatalogEntry) -> Path:
    """The installed weights; what is wrong with them the pre-flight checks say."""
    try:
        return home.weights.path(entry.name) or Path()
    except CheckpointError:
        return Path()


@lru_cache(maxsize=4)
def _speed(on_gpu: bool, width: int) -> float:
    """Floating-point operations a second of one product of two matrices of the model's width.

    The fastest of many: other work slows most of them (their mean was 4 where this says 190 GFLOP/s, beside a test
    suite on two cores), and this figure is kept for as long as the server lives.
    """
    import torch

    device = "cuda" if on_gpu else "cpu"
    left, right = torch.randn(512, width, device=device), torch.randn(width, 4 * width, device=device)
    (left @ right).sum().item()  # warm
    begun, fastest = time.perf_counter(), float("inf")
    while time.perf_counter() - begun < 0.1:
        start = time.perf_counter()
        (left @ right).sum().item()
        fastest = min(fastest, time.perf_counter() - start)
    return 2 * left.numel() * 4 * width / fastest
