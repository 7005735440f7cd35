"""A training step by step, whatever is trained: one loop, read from top to bottom.

It can be stopped and resumed to the same bits, reports a few steps at a time, watches validation accuracy, and ends on
numbers that are not finite. AVION's losses are in `trainer`; other methods' in `avion_core.methods`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from avion_core.errors import CheckpointError, TrainingError

REPORT_EVERY = 10
_SLOTS: dict[type[torch.optim.Optimizer], frozenset[str]] = {
    torch.optim.AdamW: frozenset({"step", "exp_avg", "exp_avg_sq"})
}
"""What an optimizer keeps of every parameter once it has made a step."""


class Pace(Protocol):
    """The settings that a loop reads; a run's own have the same names."""

    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def schedule(self) -> str: ...
    @property
    def augment(self) -> bool: ...
    @property
    def validate_every(self) -> int: ...
    @property
    def checkpoint_seconds(self) -> float: ...


@dataclass
class TrainingState:
    """Everything that the next step depends on, and the best student so far."""

    step: int = 0
    learned: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    optimizer: dict[str, Any] = field(default_factory=dict[str, Any])
    random: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))
    accuracy: float | None = None
    """On the validation images, in percent, as last measured (mR where captions are trained on)."""
    best_accuracy: float = -1.0
    best_step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    seconds: float = 0.0
    """Wall time of all steps so far, over every resume."""
    source: str = ""
    """The file it was read from, for messages."""


@dataclass(frozen=True)
class StepReport:
    """One step's figures."""

    step: int
    epoch: int
    values: dict[str, float]
    """Loss (the weighted sum) and its parts by name, rate; validation_accuracy or validation_mr (percent) where it was
    measured."""


class Loop(ABC):
    """Steps of an optimizer over N training images.

    Args:
        image_ids: content hashes of the N images, for messages.
        pace: batches, rate, and how often to validate and save.
        steps: how many there are.
        seed: seed of the batch order and of the augmentation.
    """

    keeps_best: ClassVar[bool] = True
    """Whether the best student on validation is kept beside the last."""
    settings: ClassVar[str] = "options."
    """What the dotted keys of its settings begin with, for hints."""
    optimizer: torch.optim.Optimizer

    def __init__(self, image_ids: Sequence[str], pace: Pace, steps: int, seed: int) -> None:
        self.image_ids, self.pace, self.steps, self.seed = list(image_ids), pace, steps, seed
        self.steps_per_epoch = -(-len(image_ids) // pace.batch_size)
        self.random = torch.Generator().manual_seed(seed)
        self.state = TrainingState()

    @abstractmethod
    def learned(self) -> dict[str, Tensor]:
        """Copies of what is trained, by name."""

    @abstractmethod
    def put_back(self, learned: Mapping[str, Tensor]) -> None:
        """Take over what `learned` gave."""

    @abstractmethod
    def losses(self, batch: Tensor, step: int) -> dict[str, Tensor]:
        """The loss to descend on under "loss", and its parts, each a scalar on the device.

        Args:
            batch: (B,) indices of the step's images, on the CPU.
        """

    def right(self) -> Tensor:
        """(V,) bool: which validation images are told right now; V may be 0. A loop without classes has its own
        `watched`."""
        return torch.empty(0, dtype=torch.bool)

    def after_step(self) -> dict[str, Tensor]:
        """What follows the optimizer's step; figures that the report gives beside the losses."""
        return {}

    def measured(self, step: int) -> dict[str, float]:
        """Further figures of a step for its report."""
        return {}

    def snapshot(self) -> TrainingState:
        """The state after the last finished step; a run that goes on from it is identical to an unbroken one.

        It is a copy: the steps that follow do not change it.
        """
        return replace(
            self.state,
            learned=self.learned(),
            optimizer=copy.deepcopy(self.optimizer.state_dict()),
            random=self.random.get_state(),
            best=dict(self.state.best),
        )

    def restore(self, state: TrainingState) -> None:
        """Go on from a snapshot of a loop made with the same arguments, which stays as it is.

        Raises:
            CheckpointError: the state is damaged, or another loop's.
        """
        if problem := self._misfit(state):
            hint = "Restore the file from a copy of the run's folder, or start a new run."
            what = f"the training state is damaged or another run's: {problem}"
            raise CheckpointError(what, hint, value=state.source)
        self.put_back(state.learned)
        self.optimizer.load_state_dict(copy.deepcopy(state.optimizer))  # it would go on with these very tensors
        self.random.set_state(state.random)
        self.state = replace(state, learned={}, optimizer={}, best=dict(state.best))

    def _misfit(self, state: TrainingState) -> str:
        """What of a state is not this loop's, in words; "" where it can go on from it."""
        shapes = _shapes(self.learned())
        if _shapes(state.learned) != shapes or (state.best and _shapes(state.best) != shapes):
            return "its trained tensors are others"
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        own, kept = self.optimizer.state_dict()["param_groups"], state.optimizer["param_groups"]
        if [(group.keys(), group.get("params")) for group in kept] != [
            (group.keys(), group["params"]) for group in own
        ]:
            return "its optimizer has other groups"
        slots: dict[int, dict[str, Tensor | None]] = state.optimizer["state"]
        needed = _SLOTS.get(type(self.optimizer), frozenset[str]())
        for number, of_one in slots.items():
            whole = number < len(parameters) and needed <= of_one.keys()
            tensors = [slot for slot in of_one.values() if slot is not None]  # momentum that has not begun
            if not whole or any(slot.dim() and slot.shape != parameters[number].shape for slot in tensors):
                return "the moments of its optimizer are others"
        if not state.best_step <= state.step <= self.steps:
            return f"it stands at step {max(state.step, state.best_step)} of {self.steps}"
        try:
            torch.Generator().set_state(state.random)
        except (RuntimeError, TypeError):
            return "its random state is not one"
        return ""

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
        saved_at = counted_to = time.monotonic()
        while self.state.step < self.steps:
            step, epoch = self.state.step, self.state.step // self.steps_per_epoch
            parts = self._step(self.batch(step), step)
            self.state.step = step + 1
            last_of_epoch = self.state.step % self.steps_per_epoch == 0
            measured = self.measured(step) | {"rate": self.rate(step)}
            due = (epoch + 1) % self.pace.validate_every == 0
            if (last_of_epoch and due) or self.state.step == self.steps:
                measured |= self._validated()
            pending.append((step, parts, measured))
            stop = should_stop()
            overdue = time.monotonic() - saved_at >= self.pace.checkpoint_seconds
            if len(pending) >= REPORT_EVERY or last_of_epoch or stop or overdue or self.state.step == self.steps:
                # One transfer from the device for several steps; a bad loss is found before anything is saved.
                yield from self._reports(pending)
                pending = []
            if stop or overdue or self.state.step == self.steps:
                self.state.seconds += time.monotonic() - counted_to
                counted_to = time.monotonic()
                save(self._sound_snapshot(step))
                saved_at = time.monotonic()
            if stop:
                return

    def batch(self, step: int) -> Tensor:
        """Indices of a step's images: a new order an epoch, a function of (seed, epoch) alone."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = torch.randperm(
            len(self.image_ids), generator=torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        )
        size = self.pace.batch_size
        return order[place * size : (place + 1) * size]

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        base = self.pace.learning_rate
        if self.pace.schedule == "constant":
            return base
        return base * 0.5 * (1 + torch.cos(torch.tensor(math.pi * step / self.steps)).item())

    def view(self, pixels: Tensor) -> Tensor:
        """The batch as it is, or (option `augment`) each image mirrored and turned at random."""
        if not self.pace.augment:
            return pixels
        turns = torch.randint(8, (len(pixels),), generator=self.random).tolist()
        views = [torch.rot90(image, turn % 4, (1, 2)) for image, turn in zip(pixels, turns, strict=True)]
        return torch.stack([view.flip(2) if turn > 3 else view for view, turn in zip(views, turns, strict=True)])

    def _step(self, batch: Tensor, step: int) -> dict[str, Tensor]:
        """One update; returns the loss and its parts, still on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step)
        parts = self.losses(batch, step)
        self.optimizer.zero_grad(set_to_none=True)
        parts["loss"].backward()
        self.optimizer.step()
        return {name: value.detach() for name, value in (parts | self.after_step()).items()}

    def watched(self) -> tuple[str, float] | None:
        """The figure that training is watched with, in percent, and its name; None without validation images."""
        right = self.right()
        return ("validation_accuracy", 100 * right.double().mean().item()) if len(right) else None

    @torch.no_grad()
    def _validated(self) -> dict[str, float]:
        """What the validation images say; remembers the best student (the earlier one at a tie)."""
        found = self.watched()
        if found is None:
            return {}
        name, value = found
        self.state.accuracy = value
        if value > self.state.best_accuracy:
            self.state.best_accuracy, self.state.best_step = value, self.state.step
            self.state.best = self.learned() if self.keeps_best else {}
        return {name: value}

    def _sound_snapshot(self, step: int) -> TrainingState:
        """The state after this step; a sound loss may still have had a gradient that was not finite."""
        state = self.snapshot()
        bad = [name for name, tensor in state.learned.items() if not tensor.isfinite().all()]
        if bad:
            raise self._not_finite("the student", step, ", ".join(bad))
        return state

    def _not_finite(self, what: str, step: int, value: object) -> TrainingError:
        images = ", ".join(self.image_ids[i][:12] for i in self.batch(step).tolist())
        lower = f"{self.settings}learning_rate, or with {self.settings}precision float32"
        return TrainingError(
            f"{what} is not a number at step {step + 1}, images {images}",
            f"Start a new run with a lower {lower}.",
            value=value,
        )

    def _reports(self, pending: list[tuple[int, dict[str, Tensor], dict[str, float]]]) -> Iterator[StepReport]:
        if not pending:
            return
        names = list(pending[0][1])
        rows = torch.stack([torch.stack([parts[n].float() for n in names]) for _, parts, _ in pending]).tolist()
        for (step, _, measured), row in zip(pending, rows, strict=True):
            values = dict(zip(names, row, strict=True))
            if not all(math.isfinite(v) for v in row):
                raise self._not_finite("the loss", step, values)
            yield StepReport(step + 1, step // self.steps_per_epoch + 1, values | measured)


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
