"""AVION on captions: the teacher's side of images and captions, and the loop that trains on both.

docs/method.md section 6; `distill.caption_trainer` has the losses.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor

from avion_core.backbones.projection import fit_procrustes
from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import ImageTower
from avion_core.data.captioned import Captioned
from avion_core.distill.caption_trainer import CaptionData, CaptionTrainer
from avion_core.distill.teacher_side import TeacherSide
from avion_core.methods.bench import Bench
from avion_core.methods.method import Task


def teach(task: Task) -> TeacherSide:
    """What the student learns from: the teacher's view of the training images and captions, and the map.

    The map is fitted on both. Its agreement is measured on validation images.
    """
    bench, config = task.bench, task.config
    teacher, student = bench.towers("teacher"), bench.backbone()
    texts, ids = _texts(task), _image_ids(task)
    f_t, g_t = _seen(bench, teacher, task), bench.read(teacher, texts)
    projection = agreement = None
    if config.distillation.projection == "procrustes":
        f_s, g_s = _seen(bench, student, task), bench.read(student, texts)
        projection = fit_procrustes(f_t, f_s, ids, g_t, g_s, texts)
        if task.watched is not None and task.watched.image_ids:
            held_out = task.watched.project, task.watched.image_ids
            agreement = projection.agreement(bench.see(teacher, *held_out), bench.see(student, *held_out))
    hashes = teacher.weights_hash, student.weights_hash
    return TeacherSide(f_t, g_t, teacher.logit_scale, projection, *hashes, agreement)


def trainer(task: Task, student: PromptedStudent, side: TeacherSide) -> CaptionTrainer:
    """The loop over images and their captions, on the teacher's numbers."""
    bench, backbone, texts = task.bench, student.backbone, _texts(task)
    place = {text: number for number, text in enumerate(texts)}
    watched = task.watched
    frozen = task.config.distillation.frozen_weight > 0
    data = CaptionData(
        pixels=torch.cat([bench.pixels(part.project, part.image_ids) for part in task.captioned]),
        image_ids=_image_ids(task),
        tokens=backbone.tokenize(texts),
        texts_of=[captions for part in task.captioned for captions in _captions(part, place)],
        teacher_images=side.images.to(bench.device),
        teacher_texts=side.prototypes.to(bench.device),
        teacher_scale=side.scale,
        frozen_images=(_seen(bench, backbone, task) if frozen else torch.empty(0)).to(bench.device),
        frozen_texts=(bench.read(backbone, texts) if frozen else torch.empty(0)).to(bench.device),
        validation_pixels=torch.empty(0) if watched is None else bench.pixels(watched.project, watched.image_ids),
        validation_tokens=torch.empty(0) if watched is None else backbone.tokenize(watched.texts),
        validation_owners=torch.tensor([] if watched is None else watched.owners, dtype=torch.long),
    )
    config = task.config
    return CaptionTrainer(student, data, config.distillation, projection=side.projection, seed=config.data.seed)


def _texts(task: Task) -> list[str]:
    """The different training captions, in their order."""
    return list(dict.fromkeys(chain.from_iterable(part.texts for part in task.captioned)))


def _image_ids(task: Task) -> list[str]:
    return [image for part in task.captioned for image in part.image_ids]


def _seen(bench: Bench, towers: ImageTower, task: Task) -> Tensor:
    """(N, D) embeddings of the training images of all projects."""
    return torch.cat([bench.see(towers, part.project, part.image_ids) for part in task.captioned])


def _captions(part: Captioned, place: dict[str, int]) -> list[list[int]]:
    """Of each image, the places of its captions."""
    found: list[list[int]] = [[] for _ in part.image_ids]
    for owner, text in zip(part.owners, part.texts, strict=True):
        found[owner].append(place[text])
    return found
