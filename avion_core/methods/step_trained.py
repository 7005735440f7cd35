"""Methods whose learner is trained step by step on the frozen student; a subclass makes the learner."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch
from pydantic import BaseModel
from torch import Tensor

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.towers import ImageTower, resolve_precision
from avion_core.config import RunConfig
from avion_core.data.project import LabelledImages, ProjectData
from avion_core.distill.adapter import load_state, save_state
from avion_core.distill.arithmetic import take_down
from avion_core.distill.loop import TrainingState
from avion_core.distill.tensor_file import read_tensors, write_tensors
from avion_core.errors import CheckpointError, TrainingError
from avion_core.methods.bench import Bench
from avion_core.methods.events import Event, Metrics, Saved, Stage, Stopped
from avion_core.methods.learner import EVALUATED_AT_ONCE, Learner, LearnerLoop, Lesson
from avion_core.methods.method import Method, Needs, StepSize, Task
from avion_core.methods.training_settings import TrainingSettings

STATE = "state.safetensors"
AnyLearner = TypeVar("AnyLearner", bound=Learner)
AnySettings = TypeVar("AnySettings", bound=TrainingSettings)


class _Facts(BaseModel):
    method: str
    weights_hash: str


class StepTrained(Method, Generic[AnyLearner, AnySettings]):
    """logits as the trained learner gives them; `Settings` is the class of its settings."""

    needs = Needs(pixels=True, backward=True, layers=True)
    any_classes = True
    settings: AnySettings

    def __init__(self, bench: Bench, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(bench, options)
        self._seconds: float | None = None
        self._precision: str | None = None

    @classmethod
    def own(cls, config: RunConfig) -> AnySettings:
        """Its own settings in a run's."""
        return cast(AnySettings, cls.Settings.model_validate(config.options))

    @classmethod
    def steps(cls, config: RunConfig, images: int) -> int:
        return cls.own(config).steps(images, config.data.shots)

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        return StepSize(own.batch_size, classes, precision=own.precision)

    @property
    def precision(self) -> str:
        """Number format of the encoders, float32 or bfloat16; a run that goes on keeps the one it began with."""
        return self._precision or self.resolved_precision()

    def resolved_precision(self) -> str:
        """What the setting comes to on this device."""
        return resolve_precision(self.settings.precision, self.bench.device)

    @abstractmethod
    def make(self, encoders: FrozenEncoders) -> AnyLearner:
        """The learner as it starts, by the run's settings and seed."""

    def prepare(self, learner: AnyLearner, task: Task) -> None:
        """Give the learner what training alone needs."""

    def finish(self, learner: AnyLearner, task: Task) -> None:
        """What is chosen once training is over."""

    def facts_of(self, learner: AnyLearner) -> dict[str, Any]:
        """What the file says of the learner beside its tensors."""
        return {}

    def shape(self, learner: AnyLearner, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Give a new learner the sizes that a file holds, where settings and backbone do not."""

    def fit(self, task: Task) -> Iterator[Event]:
        """Writes method.safetensors (the last step's) and state.safetensors."""
        folder, bench, project, seed = task.folder, self.bench, task.project, task.config.data.seed
        if folder is None:
            raise TrainingError("a training needs a folder of its own", "Give the task a folder.")
        yield Stage("loading the student")
        state, kept = load_state(folder / STATE) if (folder / STATE).is_file() else (None, {})
        arithmetic, changed = take_down(folder, self.precision, bench.device, state.step if state else None)
        self._precision = arithmetic.precision
        learner = self._made()
        yield Stage("preparing the training images")
        names = [project.class_names[key] for key in task.classes]
        views, held_out = (self._views(learner, project, part) for part in (task.shots, task.validation))
        labels, held_out_labels = (
            torch.tensor(part.labels, dtype=torch.long, device=bench.device) for part in (task.shots, task.validation)
        )
        self.prepare(learner, task)
        lesson = Lesson(views, task.shots.image_ids, labels, learner.read(names), held_out, held_out_labels)
        steps = self.settings.steps(len(labels), task.config.data.shots)
        loop = LearnerLoop(learner, lesson, self.settings, steps, seed)
        facts = self._facts(task) | self.facts_of(learner)
        if state is not None:
            self._demand(kept, folder / STATE)
            loop.restore(state)
            yield Stage(f"resuming after step {state.step}. {changed}".removesuffix(". "))

        def save(state: TrainingState) -> None:
            # What was learned first: a state that stands says that it does.
            write_tensors(folder / self.file, state.learned, facts | {"step": state.step})
            save_state(folder / STATE, state, facts)

        yield Stage("training")
        for report in loop.run(task.should_stop, save):
            yield Metrics(report.step, loop.steps, report.epoch, report.values)
        if loop.state.step < loop.steps:
            yield Stopped(loop.state.step, loop.steps)
            return
        self.learner, self._kept, self._seconds = learner.eval(), facts | {"step": steps}, loop.state.seconds
        self.finish(learner, task)
        self.save(folder)
        yield Saved("method", folder / self.file)

    def _made(self) -> AnyLearner:
        precision = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        return self.make(FrozenEncoders(self.bench.backbone(), precision)).to(self.bench.device)

    def _views(self, learner: AnyLearner, project: ProjectData, part: LabelledImages) -> Tensor:
        if not learner.changes_images and not self.settings.augment:
            return self.bench.see(learner.tower(), project, part.image_ids).to(self.bench.device)
        return self.bench.pixels(project, part.image_ids)

    def _facts(self, task: Task) -> dict[str, Any]:
        return {
            "method": self.name,
            "backbone": self.bench.backbone().name,
            "weights_hash": self.bench.backbone().weights_hash,
            "template": task.config.model.template,
            "class_names": {key: task.project.class_names[key] for key in task.classes},
            "config": task.config.model_dump(mode="json"),
        }

    def _demand(self, facts: Mapping[str, Any], path: Path) -> None:
        """See that a file was made by this method on these weights."""
        backbone = self.bench.backbone()
        if (facts.get("method"), facts.get("weights_hash")) != (self.name, backbone.weights_hash):
            raise CheckpointError(
                f"{path.name} was fitted by {facts.get('method')} on other weights than {backbone.name}",
                "Put back the weights that the run began with, or start a new run.",
                value=facts.get("weights_hash"),
            )

    @property
    def towers(self) -> ImageTower:
        return self.learner.tower()

    def logits(self, project: ProjectData, image_ids: Sequence[str], classes: Sequence[str]) -> Tensor:
        learner = self.learner
        seen = self.bench.see(learner.tower(), project, image_ids).to(self.bench.device)
        with torch.no_grad():
            read = learner.read([project.class_names[key] for key in classes])
            parts = [learner.logits(part, read).float().cpu() for part in seen.split(EVALUATED_AT_ONCE)]
        return torch.cat(parts)

    def save(self, folder: Path) -> None:
        write_tensors(folder / self.file, self.learner.state_dict(), self._kept)

    def load(self, folder: Path) -> None:
        learner = self._made()
        needed = tuple(learner.state_dict())
        tensors, facts = read_tensors(folder / self.file, f"a trained {self.title}", needed, _Facts)
        self._demand(facts, folder / self.file)
        self.shape(learner, tensors, facts)
        learned = {name: tensors[name] for name in needed}
        if odd := [name for name, own in learner.state_dict().items() if own.shape != learned[name].shape]:
            raise CheckpointError(
                f"{odd[0]} of {self.file} has the wrong shape ({tuple(learned[odd[0]].shape)})",
                "Restore the file from a copy of the run's folder, or start a new run.",
                value=str(folder / self.file),
            )
        learner.load_state_dict(learned)
        self.learner, self._kept = learner.eval(), facts

    @property
    def trained_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.learner.parameters())

    def summary(self) -> dict[str, Any]:
        return {"training_seconds": self._seconds}
