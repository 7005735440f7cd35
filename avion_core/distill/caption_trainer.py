"""Training the student's prompts on captions: the losses of each step (docs/method.md section 6); `loop` has the steps.

Retrieval has no classes: an image's captions are its texts, and all of them are positives. L_text is taken of each
caption, L_logit both ways over the step's images and captions.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from avion_core.backbones.projection import Projection
from avion_core.backbones.prompted import PromptedStudent
from avion_core.config import DistillationConfig
from avion_core.distill.losses import cosine_alignment, multi_positive, similarity_alignment
from avion_core.distill.trainer import EVALUATION_BATCH, PromptLoop
from avion_core.metrics.retrieval import embedding_recalls

TEXTS_AT_ONCE = 256


@dataclass(frozen=True)
class CaptionData:
    """What the student learns from: N images with M different captions, and V images with W captions to watch it with.

    A caption that several images have is one text, and a positive of each of them.
    """

    pixels: Tensor
    """(N, 3, S, S) uint8, the student's view of the training images."""
    image_ids: list[str]
    """Their N content hashes; the same twice where two data sets have the image."""
    tokens: Tensor
    """(M, L) token ids as the student reads them, on the CPU."""
    texts_of: Sequence[Sequence[int]]
    """Of each image, the places of its captions; one at least."""
    teacher_images: Tensor
    """(N, D_T) f_T."""
    teacher_texts: Tensor
    """(M, D_T) g_T(t); both unit norm."""
    teacher_scale: float
    """s_T, the factor of the teacher's logits."""
    frozen_images: Tensor
    """(N, D_S), and"""
    frozen_texts: Tensor
    """(M, D_S): what the student made of both before it was trained."""
    validation_pixels: Tensor
    """(V, 3, S, S) uint8; V may be 0."""
    validation_tokens: Tensor
    """(W, L)."""
    validation_owners: Tensor
    """(W,) the place of each caption's image."""


class CaptionTrainer(PromptLoop):
    """Distils a teacher into a student's prompts, on images and their captions; see `PromptLoop`."""

    def __init__(
        self,
        student: PromptedStudent,
        data: CaptionData,
        config: DistillationConfig,
        *,
        projection: Projection | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(student, data.image_ids, data.teacher_images, config, projection, seed)
        self.data = data
        self.text_target = self.target(data.teacher_texts)  # (M, D)
        together: dict[str, set[int]] = {}
        for image, texts in zip(data.image_ids, data.texts_of, strict=True):
            together.setdefault(image, set()).update(texts)
        self._positives = [together[image] for image in data.image_ids]

    def losses(self, batch: Tensor, step: int) -> dict[str, Tensor]:
        """L and its parts task, image, text and logit, and frozen where it counts, unweighted (docs/method.md section
        6)."""
        student, data, config = self.student, self.data, self.config
        texts, match = self.texts_of(batch)
        places = batch.to(self.device)
        f = student.encode_image(self.view(data.pixels[places]))  # (B, D_S)
        g = student.encode_text(student.batch(data.tokens[texts]))  # (T, D_S)
        texts, match = texts.to(self.device), match.to(self.device)
        logits = student.logit_scale.exp() * f @ g.T  # (B, T)
        taught = data.teacher_scale * data.teacher_images[places] @ data.teacher_texts[texts].T  # (B, T)
        ways = (logits, taught), (logits.T, taught.T)
        by_way = [similarity_alignment(own, teacher, config.temperature) for own, teacher in ways]
        parts = {
            "task": multi_positive(logits, match),
            "image": self.align(f, self.image_target[places]),
            "text": self.align(g, self.text_target[texts]),
            "logit": (by_way[0] + by_way[1]) / 2,
        }
        if config.frozen_weight:
            kept = cosine_alignment(f, data.frozen_images[places]), cosine_alignment(g, data.frozen_texts[texts])
            parts["frozen"] = (kept[0] + kept[1]) / 2
        return self.weighed(parts, step)

    def texts_of(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """The different captions of a step's B images, places (T,) in order, and which match: (B, T) bool."""
        images = batch.tolist()
        texts = sorted({text for image in images for text in self.data.texts_of[image]})
        match = torch.tensor([[text in self._positives[image] for text in texts] for image in images])
        return torch.tensor(texts), match

    def watched(self) -> tuple[str, float] | None:
        data = self.data
        if not len(data.validation_pixels):
            return None
        pixels = data.validation_pixels.split(EVALUATION_BATCH)
        images = torch.cat([self.student.encode_image(part.to(self.device)) for part in pixels])
        return "validation_mr", embedding_recalls(images, self._read(), data.validation_owners)["mr"]

    def _read(self) -> Tensor:
        """(W, D_S) embeddings of the validation captions; equal ones are equal to the bit, as ties demand."""
        different, place = self.data.validation_tokens.unique(dim=0, return_inverse=True)
        parts = [self.student.encode_text(self.student.batch(part)) for part in different.split(TEXTS_AT_ONCE)]
        return torch.cat(parts)[place.to(self.device)]
