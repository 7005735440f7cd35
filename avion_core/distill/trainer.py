"""Training the student's prompts: one loop, read from top to bottom (docs/method.md section 6)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avion_core.backbones.projection import Projection
from avion_core.backbones.prompted import PromptedStudent, TextBatch
from avion_core.config import DistillationConfig
from avion_core.distill.losses import cosine_alignment, relational_alignment, similarity_alignment, warmup_weight
from avion_core.errors import TrainingError

REPORT_EVERY = 10
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class TrainingData:
    """What the student learns from; teacher sides are computed once and never change."""

    pixels: Tensor
    """(N, 3, S, S) uint8, the student's view of the training images."""
    image_ids: list[str]
    """Their N content hashes."""
    labels: Tensor
    """(N,) class indices."""
    classes: TextBatch
    """TextBatch of the C class texts."""
    teacher_images: Tensor
    """(N, D_T) f_T."""
    teacher_prototypes: Tensor
    """(C, D_T) p_c; both unit norm."""
    teacher_scale: float
    """s_T, the factor of the teacher's logits."""
    validation_pixels: Tensor
    validation_labels: Tensor
    """`validation_pixels`, `validation_labels`: (V, 3, S, S) and (V,); V may be 0."""


@dataclass
class TrainingState:
    """Everything that the next step depends on, and the best student so far."""

    step: int = 0
    learned: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    optimizer: dict[str, Any] = field(default_factory=dict[str, Any])
    random: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))
    accuracy: float | None = None
    """On the validation images, in percent, as last measured."""
    best_accuracy: float = -1.0
    best_step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict[str, Tensor])


@dataclass(frozen=True)
class StepReport:
    """One step's figures."""

    step: int
    epoch: int
    values: dict[str, float]
    """Loss (the weighted sum) and its parts task, image, text, logit; scale (s_S after the step), warmup (w(t)), rate;
    validation_accuracy (percent) where it was measured."""


class Trainer:
    """Distils a teacher into a student's prompts.

    Args:
        student: its prompts, scale and (option `linear`) map are trained in place.
        data: training images, class texts and the teacher's side of both.
        config: losses, schedule and optimizer.
        projection: the fitted map for `procrustes`; None for the other options.
        seed: seed of the batch order, the augmentation and the trained map's start.

    Raises:
        TrainingError: dimensions that differ under `none`, or a missing map.
    """

    def __init__(
        self,
        student: PromptedStudent,
        data: TrainingData,
        config: DistillationConfig,
        *,
        projection: Projection | None = None,
        seed: int = 0,
    ) -> None:
        teacher_dim, student_dim = data.teacher_images.shape[1], student.embed_dim
        if config.projection == "none" and teacher_dim != student_dim:
            raise TrainingError(
                "teacher and student embeddings differ in dimension",
                "Set distillation.projection to procrustes, linear or gram.",
                value=f"{teacher_dim} and {student_dim}",
            )
        if config.projection == "procrustes" and projection is None:
            raise TrainingError("the procrustes map is missing", "Fit it on the training pairs first.")
        self.student, self.data, self.config, self.seed = student, data, config, seed
        self.projection = projection
        self.steps_per_epoch = -(-len(data.labels) // config.batch_size)
        self.steps = config.epochs * self.steps_per_epoch
        device = student.logit_scale.device
        self.linear = (
            nn.Linear(student_dim, teacher_dim, bias=False, device=device) if config.projection == "linear" else None
        )
        if self.linear is not None:
            generator = torch.Generator().manual_seed(seed)
            start = torch.empty(teacher_dim, student_dim)
            nn.init.orthogonal_(start, generator=generator)
            self.linear.weight.data.copy_(start)
        self.image_target = projection(data.teacher_images) if projection else data.teacher_images  # (N, D)
        self.text_target = projection(data.teacher_prototypes) if projection else data.teacher_prototypes  # (C, D)
        self.teacher_logits = data.teacher_scale * data.teacher_images @ data.teacher_prototypes.T  # (N, C)
        decayed = [student.visual_prompts, student.text_prompts] + (
            [self.linear.weight] if self.linear is not None else []
        )
        groups = [
            {"params": [p for p in decayed if p.numel()], "weight_decay": config.weight_decay},
            {"params": [student.logit_scale], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self.random = torch.Generator().manual_seed(seed)
        self.state = TrainingState()

    def learned(self) -> dict[str, Tensor]:
        """Copies of what is trained: prompts, scale and, under `linear`, the map."""
        tensors = dict(self.student.state_dict())
        if self.linear is not None:
            tensors["projection"] = self.linear.weight
        return {name: tensor.detach().clone() for name, tensor in tensors.items()}

    def snapshot(self) -> TrainingState:
        """The state after the last finished step; a run that goes on from it is identical to an unbroken one."""
        state = self.state
        state.learned, state.optimizer, state.random = (
            self.learned(),
            self.optimizer.state_dict(),
            self.random.get_state(),
        )
        return state

    def restore(self, state: TrainingState) -> None:
        """Go on from a snapshot of a trainer made with the same arguments."""
        learned = dict(state.learned)
        projection = learned.pop("projection", None)
        self.student.load_state_dict(learned)
        if self.linear is not None and projection is not None:
            self.linear.weight.data.copy_(projection)
        self.optimizer.load_state_dict(state.optimizer)
        self.random.set_state(state.random)
        self.state = state

    def run(
        self,
        should_stop: Callable[[], bool] = lambda: False,
        save: Callable[[TrainingState], None] = lambda state: None,
    ) -> Iterator[StepReport]:
        """Train from the current step to the last; yields a report a step, a few at a time.

        `save` gets a snapshot every `checkpoint_seconds`, at a stop and at the end; after `should_stop`
        says so the loop ends with the step in hand finished and saved.

        Raises:
            TrainingError: a loss, or a student after a step, that is not finite, with the step and its images;
                nothing of it is saved.
        """
        pending: list[tuple[int, dict[str, Tensor], dict[str, float]]] = []
        saved_at = time.monotonic()
        while self.state.step < self.steps:
            step, epoch = self.state.step, self.state.step // self.steps_per_epoch
            parts = self._step(self._batch(step), step)
            self.state.step = step + 1
            last_of_epoch = self.state.step % self.steps_per_epoch == 0
            measured = {"warmup": warmup_weight(step, self.steps, self.config.warmup), "rate": self._rate(step)}
            due = (epoch + 1) % self.config.validate_every == 0 or self.state.step == self.steps
            if last_of_epoch and due and len(self.data.validation_labels):
                measured["validation_accuracy"] = self._validate()
            pending.append((step, parts, measured))
            stop = should_stop()
            overdue = time.monotonic() - saved_at >= self.config.checkpoint_seconds
            if len(pending) >= REPORT_EVERY or last_of_epoch or stop or overdue:
                # One transfer from the device for several steps; a bad loss is found before anything is saved.
                yield from self._reports(pending)
                pending = []
            if stop or overdue or self.state.step == self.steps:
                save(self._sound_snapshot(step))
                saved_at = time.monotonic()
            if stop:
                return

    def _sound_snapshot(self, step: int) -> TrainingState:
        """The state after this step; a sound loss may still have had a gradient that was not finite."""
        state = self.snapshot()
        if not all(tensor.isfinite().all() for tensor in state.learned.values()):
            raise self._not_finite("the student", step, state.learned["logit_scale"].item())
        return state

    def _not_finite(self, what: str, step: int, value: object) -> TrainingError:
        images = ", ".join(self.data.image_ids[i][:12] for i in self._batch(step).tolist())
        return TrainingError(
            f"{what} is not a number at step {step + 1}, images {images}",
            "Start a new run with a lower distillation.learning_rate, or with distillation.precision float32.",
            value=value,
        )

    def _batch(self, step: int) -> Tensor:
        """Indices of a step's images: a new order an epoch, a function of (seed, epoch) alone."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = torch.randperm(
            len(self.data.labels), generator=torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        )
        size = self.config.batch_size
        return order[place * size : (place + 1) * size]

    def _step(self, batch: Tensor, step: int) -> dict[str, Tensor]:
        """One update; returns the loss parts, unweighted, and the scale after it, still on the device."""
        student, data, config = self.student, self.data, self.config
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(step)
        batch = batch.to(data.labels.device)
        pixels = self._view(data.pixels[batch])  # (B, 3, S, S) uint8
        f = student.encode_image(pixels)  # (B, D_S)
        g = student.encode_text(data.classes)  # (C, D_S)
        logits = student.logit_scale.exp() * f @ g.T  # (B, C)
        parts = {
            "task": F.cross_entropy(logits, data.labels[batch]),
            "image": self._align(f, self.image_target[batch]),
            "text": self._align(g, self.text_target),
            "logit": similarity_alignment(logits, self.teacher_logits[batch], config.temperature),
        }
        warmed = warmup_weight(step, self.steps, config.warmup) * config.logit_weight
        loss = parts["task"] + config.image_weight * parts["image"] + config.text_weight * parts["text"]
        loss = loss + warmed * parts["logit"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        student.clamp_scale()
        parts |= {"loss": loss, "scale": student.logit_scale.exp()}
        return {name: value.detach() for name, value in parts.items()}

    def _align(self, student: Tensor, target: Tensor) -> Tensor:
        if self.config.projection == "gram":
            return relational_alignment(student, target)
        return cosine_alignment(self.linear(student) if self.linear is not None else student, target)

    def _view(self, pixels: Tensor) -> Tensor:
        """The batch as it is, or (option `augment`) each image mirrored and turned at random."""
        if not self.config.augment:
            return pixels
        turns = torch.randint(8, (len(pixels),), generator=self.random).tolist()
        views = [torch.rot90(image, turn % 4, (1, 2)) for image, turn in zip(pixels, turns, strict=True)]
        return torch.stack([view.flip(2) if turn > 3 else view for view, turn in zip(views, turns, strict=True)])

    def _rate(self, step: int) -> float:
        base = self.config.learning_rate
        if self.config.schedule == "constant":
            return base
        return base * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / self.steps)).item())

    @torch.no_grad()
    def _validate(self) -> float:
        """Accuracy in percent on the validation images; remembers the best student (the earlier one at a tie)."""
        logits = predict_logits(self.student, self.data.validation_pixels, self.data.classes)
        accuracy = 100 * (logits.argmax(1) == self.data.validation_labels).double().mean().item()
        self.state.accuracy = accuracy
        if accuracy > self.state.best_accuracy:
            self.state.best_accuracy, self.state.best_step, self.state.best = accuracy, self.state.step, self.learned()
        return accuracy

    def _reports(self, pending: list[tuple[int, dict[str, Tensor], dict[str, float]]]) -> Iterator[StepReport]:
        if not pending:
            return
        names = list(pending[0][1])
        rows = torch.stack([torch.stack([parts[n].float() for n in names]) for _, parts, _ in pending]).tolist()
        for (step, _, measured), row in zip(pending, rows, strict=True):
            values = dict(zip(names, row, strict=True))
            if not all(torch.isfinite(torch.tensor(v)) for v in row):
                raise self._not_finite("the loss", step, values)
            yield StepReport(step + 1, step // self.steps_per_epoch + 1, values | measured)


@torch.no_grad()
def predict_logits(student: PromptedStudent, pixels: Tensor, classes: TextBatch) -> Tensor:
    """s_S f_S . g_S(c): pixels (N, 3, S, S) uint8 -> logits (N, C), float32."""
    g = student.encode_text(classes)
    f = torch.cat([student.encode_image(part.to(g.device)) for part in pixels.split(EVALUATION_BATCH)])
    return student.logit_scale.exp() * f @ g.T
