"""AVION: deep prompts in both encoders of a frozen student, distilled from a teacher that has read descriptions.

docs/method.md sections 3 to 6. `distill.trainer` holds the loop and its losses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import resolve_precision
from avion_core.config import RunConfig
from avion_core.data.project import ProjectData, class_texts, unlabelled_images
from avion_core.distill.adapter import load_adapter, load_class_means, load_state, save_adapter, save_state
from avion_core.distill.arithmetic import take_down
from avion_core.distill.class_means import ClassMeans
from avion_core.distill.loop import TrainingState
from avion_core.distill.student_towers import StudentTowers
from avion_core.distill.teacher_side import TeacherSide
from avion_core.distill.trainer import Trainer, TrainingData, training_steps
from avion_core.errors import TrainingError
from avion_core.methods import captions
from avion_core.methods.bench import Bench
from avion_core.methods.events import Event, Metrics, Saved, Stage, Stopped
from avion_core.methods.method import Method, Needs, StepSize, Task
from avion_core.methods.texts import held_out_agreement

BEST, STATE, PROTOTYPES = "best.safetensors", "state.safetensors", "prototypes.parquet"


class Avion(Method):
    """logits = s_S f_S(x) . g_S(c), with learnt prompts in both encoders."""

    name = "avion"
    title = "AVION"
    what = "The student with trained prompts."
    source = "CVPR 2026, arXiv 2603.12659"
    needs = Needs(pixels=True, teacher=True, texts=True, backward=True, layers=True)
    reads = ("descriptions", "prototypes", "model", "distillation")
    any_classes = True
    trains_student = True
    retrieves = True
    file = "adapter.safetensors"
    curves: ClassVar = {
        "warmup": ("Warm-up weight w(t)", "How much the similarity alignment counts, from 0 to 1."),
        "scale": ("Logit scale s", "The student's learned factor on its similarities (at most 100)."),
    }

    def __init__(self, bench: Bench, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(bench, options)
        self._summary: dict[str, Any] = {}
        self._means: ClassMeans | None = None

    @classmethod
    def steps(cls, config: RunConfig, images: int) -> int:
        return training_steps(config.distillation, images)

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        model, distillation = config.model, config.distillation
        tokens = model.visual_prompts, model.text_prompts
        images = distillation.batch_size * (2 if distillation.unlabelled_images else 1)
        return StepSize(images, classes, *tokens, precision=distillation.precision)

    def fit(self, task: Task) -> Iterator[Event]:
        """Writes prototypes.parquet, teacher.safetensors, adapter.safetensors (the last step's, the one that is
        reported), best.safetensors (the best on validation) and state.safetensors."""
        folder, config, bench, project = task.folder, task.config, self.bench, task.project
        if folder is None:
            raise TrainingError("a training needs a folder of its own", "Give the task a folder.")
        yield Stage("loading the student")
        backbone = bench.backbone()
        if not TeacherSide.is_kept(folder):
            yield Stage("loading the teacher")
            bench.towers("teacher")
            if task.captioned:
                yield Stage("teacher embeddings of images and captions")
                captions.teach(task).save(folder)
            else:
                yield Stage("teacher embeddings and text prototypes")
                task.prototypes.full_table().to_parquet(folder / PROTOTYPES)
                _teach(task).save(folder)
                yield Saved("prototypes", folder / PROTOTYPES)
        bench.close("teacher")  # the largest of the models: the student needs the room
        side = TeacherSide.load(folder)
        side.demand(backbone, "student")

        yield Stage("decoding the training images")
        state = load_state(folder / STATE)[0] if (folder / STATE).is_file() else None
        precision = resolve_precision(config.distillation.precision, bench.device)
        arithmetic, changed = take_down(folder, precision, bench.device, state.step if state else None)
        student = PromptedStudent(backbone, config.model, seed=config.data.seed, precision=arithmetic.dtype)
        trainer = captions.trainer(task, student, side) if task.captioned else _trainer(task, student, side)
        facts = _facts(task, side)
        if state is not None:
            trainer.restore(state)
            yield Stage(f"resuming after step {state.step}. {changed}".removesuffix(". "))

        def save(state: TrainingState) -> None:
            # The adapters first: a state that stands says that they do.
            save_adapter(folder / self.file, state.learned, facts | {"step": state.step})
            if state.best:
                save_adapter(folder / BEST, state.best, facts | {"step": state.best_step})
            save_state(folder / STATE, state, facts)

        yield Stage("training")
        for report in trainer.run(task.should_stop, save):
            yield Metrics(report.step, trainer.steps, report.epoch, report.values)
        if trainer.state.step < trainer.steps:
            yield Stopped(trainer.state.step, trainer.steps)
            return
        self.student = student.eval()
        self._learnt, self._facts = trainer.learned(), facts | {"step": trainer.steps}
        if config.model.class_mean == "by_shots" and not task.captioned:
            f = bench.see(self.towers, project, task.shots.image_ids)  # (N, D_S)
            names = {key: project.class_names[key] for key in task.classes}
            self._means = ClassMeans.of(f, task.shots.labels, names)
            self.save(folder)
        yield Saved("adapter", folder / self.file)
        self._summary = {
            f"best_validation_{'mr' if task.captioned else 'accuracy'}": (
                trainer.state.best_accuracy if trainer.state.best else None
            ),
            "best_step": trainer.state.best_step,
            "projection": config.distillation.projection,
            "projection_rank": side.projection.rank if side.projection else None,
            "projection_agreement": side.agreement,
            "unlabelled_images": len(side.unlabelled_ids),
            "training_seconds": trainer.state.seconds,
        }

    @property
    def towers(self) -> StudentTowers:
        return StudentTowers(self.student)

    def logits(self, project: ProjectData, image_ids: Sequence[str], classes: Sequence[str]) -> Tensor:
        towers = self.towers
        f = self.bench.see(towers, project, image_ids).cpu()  # (N, D_S)
        texts = class_texts(project.class_names, list(classes), self.bench.config.model.template)
        g = towers.encode_text(texts).cpu()  # (C, D_S)
        if self._means is not None:
            g = self._means.added_to(g, {key: project.class_names[key] for key in classes})
        return towers.logit_scale * f @ g.T  # (N, C)

    def save(self, folder: Path) -> None:
        means = {} if self._means is None else self._means.tensors()
        save_adapter(folder / self.file, self._learnt | means, self._facts)

    def load(self, folder: Path) -> None:
        """The adapter on the run's backbone, the last step's; refuses other weights of student or teacher."""
        self.student, self._facts = load_adapter(folder / self.file, self.bench.backbone())
        self._learnt = dict(self.student.state_dict())
        self._means = load_class_means(folder / self.file)
        TeacherSide.load(folder).demand(self.bench.towers("teacher"), "teacher")

    @property
    def trained_parameters(self) -> int:
        return sum(tensor.numel() for tensor in self._learnt.values())

    def summary(self) -> dict[str, Any]:
        return self._summary


def _trainer(task: Task, student: PromptedStudent, side: TeacherSide) -> Trainer:
    """The loop over the labelled images, on the teacher's numbers."""
    bench, config, project = task.bench, task.config, task.project
    pixels, validation_pixels = (bench.pixels(project, part.image_ids) for part in (task.shots, task.validation))
    data = TrainingData(
        pixels=pixels,
        image_ids=task.shots.image_ids,
        labels=torch.tensor(task.shots.labels, device=bench.device),
        classes=student.tokenize(class_texts(project.class_names, task.classes, config.model.template)),
        teacher_images=side.images.to(bench.device),
        teacher_prototypes=side.prototypes.to(bench.device),
        teacher_scale=side.scale,
        validation_pixels=validation_pixels,
        validation_labels=torch.tensor(task.validation.labels, dtype=torch.long, device=bench.device),
        unlabelled_pixels=bench.pixels(project, list(side.unlabelled_ids)) if side.unlabelled_ids else None,
        teacher_unlabelled=None if side.unlabelled is None else side.unlabelled.to(bench.device),
    )
    return Trainer(student, data, config.distillation, projection=side.projection, seed=config.data.seed)


def _teach(task: Task) -> TeacherSide:
    """What the student learns from: the teacher's view of the shots, p_c, and the map between the two spaces."""
    bench, teacher = task.bench, task.bench.towers("teacher")
    mapped = task.config.distillation.projection == "procrustes"
    more = unlabelled_images(task.project, task.config, task.classes)
    return TeacherSide(
        images=bench.see(teacher, task.project, task.shots.image_ids),  # (N, D_T)
        prototypes=task.prototypes.vectors,  # (C, D_T)
        scale=teacher.logit_scale,
        projection=task.projection if mapped else None,
        teacher_hash=teacher.weights_hash,
        student_hash=bench.backbone().weights_hash,
        agreement=held_out_agreement(task) if mapped else None,
        unlabelled=bench.see(teacher, task.project, more) if more else None,  # (U, D_T)
        unlabelled_ids=tuple(more),
    )


def _facts(task: Task, side: TeacherSide) -> dict[str, Any]:
    """What the adapter says of itself."""
    project, backbone = task.project, task.bench.backbone()
    verdicts = project.descriptions[project.descriptions["verdict"] != "undecided"]
    return {
        "backbone": backbone.name,
        "backbone_hash": backbone.weights_hash,
        "teacher": task.config.teacher,
        "template": task.config.model.template,
        "class_names": {key: project.class_names[key] for key in task.classes},
        "projection": {
            "kind": task.config.distillation.projection,
            "rank": side.projection.rank if side.projection else None,
        },
        "config": task.config.model_dump(mode="json"),
        "verdicts": dict(zip(verdicts["description_id"], verdicts["verdict"], strict=True)),
    }
