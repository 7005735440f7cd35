"""Training the student's prompts: the losses of each step (docs/method.md section 6); `loop` has the steps."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avion_core.backbones.projection import Projection
from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.text_side import TextBatch
from avion_core.config import DistillationConfig
from avion_core.distill.loop import Loop
from avion_core.distill.losses import cosine_alignment, relational_alignment, similarity_alignment, warmup_weight
from avion_core.errors import TrainingError

EVALUATION_BATCH = 64


def training_steps(config: DistillationConfig, images: int) -> int:
    """Steps of a training on so many labelled images."""
    return max(config.epochs * -(-images // config.batch_size), config.least_steps)


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
    unlabelled_pixels: Tensor | None = None
    teacher_unlabelled: Tensor | None = None
    """`unlabelled_pixels`, `teacher_unlabelled`: (U, 3, S, S) and (U, D_T), of images whose labels nobody looks at."""


class PromptLoop(Loop):
    """The steps of a prompted student under a teacher, whatever it learns from: what is trained, and how it is aligned.

    Args:
        student: its prompts, scale and (option `linear`) map are trained in place.
        image_ids: content hashes of the N training images.
        teacher_images: (N, D_T) f_T; more rows for further images that a loop aligns with.
        config: losses, schedule and optimizer.
        projection: the fitted map for `procrustes`; None for the other options.
        seed: seed of the batch order, the augmentation and the trained map's start.

    Raises:
        TrainingError: dimensions that differ under `none`, or a missing map.
    """

    settings = "distillation."

    def __init__(
        self,
        student: PromptedStudent,
        image_ids: Sequence[str],
        teacher_images: Tensor,
        config: DistillationConfig,
        projection: Projection | None,
        seed: int,
    ) -> None:
        teacher_dim, student_dim = teacher_images.shape[1], student.embed_dim
        if config.projection == "none" and teacher_dim != student_dim:
            raise TrainingError(
                "teacher and student embeddings differ in dimension",
                "Set distillation.projection to procrustes, linear or gram.",
                value=f"{teacher_dim} and {student_dim}",
            )
        if config.projection == "procrustes" and projection is None:
            raise TrainingError("the procrustes map is missing", "Fit it on the training pairs first.")
        super().__init__(image_ids, config, training_steps(config, len(image_ids)), seed)
        self.student, self.config, self.projection = student, config, projection
        self.device = student.logit_scale.device
        self.linear = (
            nn.Linear(student_dim, teacher_dim, bias=False, device=self.device)
            if config.projection == "linear"
            else None
        )
        if self.linear is not None:
            generator = torch.Generator().manual_seed(seed)
            start = torch.empty(teacher_dim, student_dim)
            nn.init.orthogonal_(start, generator=generator)
            self.linear.weight.data.copy_(start)
        self.image_target = self.target(teacher_images)  # (N, D)
        decayed = [student.visual_prompts, student.text_prompts] + (
            [self.linear.weight] if self.linear is not None else []
        )
        groups = [
            {"params": [p for p in decayed if p.numel()], "weight_decay": config.weight_decay},
            {"params": [student.logit_scale], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)

    def learned(self) -> dict[str, Tensor]:
        """Copies of what is trained: prompts, scale and, under `linear`, the map."""
        tensors = dict(self.student.state_dict())
        if self.linear is not None:
            tensors["projection"] = self.linear.weight
        return {name: tensor.detach().clone() for name, tensor in tensors.items()}

    def put_back(self, learned: Mapping[str, Tensor]) -> None:
        learned = dict(learned)
        projection = learned.pop("projection", None)
        self.student.load_state_dict(learned)
        if self.linear is not None and projection is not None:
            self.linear.weight.data.copy_(projection)

    def target(self, teacher: Tensor) -> Tensor:
        """What the student's embeddings are aligned with: the teacher's, (N, D_T), through the map where there is
        one."""
        return self.projection(teacher) if self.projection else teacher

    def align(self, student: Tensor, target: Tensor) -> Tensor:
        """L_img or L_text, under the run's option of a map."""
        if self.config.projection == "gram":
            return relational_alignment(student, target)
        return cosine_alignment(self.linear(student) if self.linear is not None else student, target)

    def weighed(self, parts: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """The parts task, image, text and logit, and frozen where it counts, with their weighted sum as "loss"."""
        config = self.config
        warmed = warmup_weight(step, self.steps, config.warmup) * config.logit_weight
        loss = parts["task"] + config.image_weight * parts["image"] + config.text_weight * parts["text"]
        loss = loss + warmed * parts["logit"]
        if "frozen" in parts:
            loss = loss + config.frozen_weight * parts["frozen"]
        return parts | {"loss": loss}

    def after_step(self) -> dict[str, Tensor]:
        self.student.clamp_scale()
        return {"scale": self.student.logit_scale.exp()}

    def measured(self, step: int) -> dict[str, float]:
        return {"warmup": warmup_weight(step, self.steps, self.config.warmup)}


class Trainer(PromptLoop):
    """Distils a teacher into a student's prompts, on labelled images and class texts; see `PromptLoop`."""

    def __init__(
        self,
        student: PromptedStudent,
        data: TrainingData,
        config: DistillationConfig,
        *,
        projection: Projection | None = None,
        seed: int = 0,
    ) -> None:
        seen = data.teacher_images
        if data.teacher_unlabelled is not None:  # after the labelled ones, as in `_with_unlabelled`
            seen = torch.cat([seen, data.teacher_unlabelled])
        super().__init__(student, data.image_ids, seen, config, projection, seed)
        self.data = data
        self.text_target = self.target(data.teacher_prototypes)  # (C, D)
        self.teacher_logits = data.teacher_scale * seen @ _judges(data, config).T  # (N + U, C)
        self.frozen_images, self.frozen_texts = self._before() if config.frozen_weight else (None, None)

    def losses(self, batch: Tensor, step: int) -> dict[str, Tensor]:
        """L and its parts task, image, text and logit, and frozen where it counts, unweighted (docs/method.md section
        6)."""
        student, data, config = self.student, self.data, self.config
        batch = batch.to(data.labels.device)
        labelled = len(batch)
        pixels, seen = self._with_unlabelled(batch, step)
        f = student.encode_image(self.view(pixels))  # (B, D_S), B labelled and as many without a label
        g = student.encode_text(data.classes)  # (C, D_S)
        logits = student.logit_scale.exp() * f @ g.T  # (B, C)
        parts = {
            "task": F.cross_entropy(logits[:labelled], data.labels[batch]),
            "image": self.align(f, self.image_target[seen]),
            "text": self.align(g, self.text_target),
            "logit": similarity_alignment(logits, self.teacher_logits[seen], config.temperature),
        }
        if self.frozen_images is not None and self.frozen_texts is not None:
            kept = cosine_alignment(f[:labelled], self.frozen_images[batch]), cosine_alignment(g, self.frozen_texts)
            parts["frozen"] = (kept[0] + kept[1]) / 2
        return self.weighed(parts, step)

    def _with_unlabelled(self, batch: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """A step's pixels (uint8) and their places among the teacher's: the labelled images, and as many others, in an
        order that is a function of (seed, pass) alone."""
        data = self.data
        if data.unlabelled_pixels is None:
            return data.pixels[batch], batch
        size, count = self.config.batch_size, len(data.unlabelled_pixels)
        start = step * size
        passes = range(start // count, (start + size - 1) // count + 1)
        orders = [torch.randperm(count, generator=_of_pass(self.seed, number)) for number in passes]
        more = torch.cat(orders)[start - passes[0] * count :][:size].to(batch.device)
        return torch.cat([data.pixels[batch], data.unlabelled_pixels[more]]), torch.cat(
            [batch, more + len(data.labels)]
        )

    def right(self) -> Tensor:
        data = self.data
        if not len(data.validation_labels):
            return torch.empty(0, dtype=torch.bool)
        logits = predict_logits(self.student, data.validation_pixels, data.classes)
        return logits.argmax(1) == data.validation_labels

    @torch.no_grad()
    def _before(self) -> tuple[Tensor, Tensor]:
        """(N, D_S) and (C, D_S): what the student makes of images and class texts without any prompt, unaugmented."""
        student, data = self.student, self.data
        visual, text = student.visual_prompts[:, :0], student.text_prompts[:, :0]
        parts = [student.encoders.image(part, visual) for part in data.pixels.split(EVALUATION_BATCH)]
        return torch.cat(parts), student.encoders.text(data.classes, text)


def _of_pass(seed: int, number: int) -> torch.Generator:
    """Not the order of the labelled images (`Loop.batch`): the two must not go in step."""
    return torch.Generator().manual_seed(seed * 1_000_003 + 500_000 + number)


def _judges(data: TrainingData, config: DistillationConfig) -> Tensor:
    """(C, D_T) what the teacher's logits are held against: p_c, or normalize(p_c + v_c)."""
    if config.teacher_logits == "texts":
        return data.teacher_prototypes
    sums = torch.zeros_like(data.teacher_prototypes).index_add(0, data.labels, data.teacher_images)
    return F.normalize(data.teacher_prototypes + F.normalize(sums, dim=1), dim=1)


@torch.no_grad()
def predict_logits(student: PromptedStudent, pixels: Tensor, classes: TextBatch) -> Tensor:
    """s_S f_S . g_S(c): pixels (N, 3, S, S) uint8 -> logits (N, C), float32."""
    g = student.encode_text(classes)
    f = torch.cat([student.encode_image(part.to(g.device)) for part in pixels.split(EVALUATION_BATCH)])
    return student.logit_scale.exp() * f @ g.T
