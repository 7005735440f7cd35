"""The teacher's side of the texts, as several methods take it: text prototypes p_c, and R between the two spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from avion_core.backbones.projection import Projection, fit_procrustes
from avion_core.data.project import class_texts
from avion_core.prototypes.judged import grounds_of
from avion_core.prototypes.text_prototypes import TextPrototypes

if TYPE_CHECKING:
    from avion_core.methods.method import Task


def judged(task: Task) -> TextPrototypes:
    """Judge the descriptions of the task's classes on its shots (docs/method.md section 3).

    Raises:
        PrototypeError: a class without a usable description, and no fallback to the template.
    """
    config, bench, teacher = task.config, task.bench, task.bench.towers("teacher")
    f_t = bench.see(teacher, task.project, task.shots.image_ids)  # (N, D_T)
    labels, store = torch.tensor(task.shots.labels), bench.features
    grounds = grounds_of(task.project, config, task.classes, f_t, labels, teacher, store, bench.progress)
    return grounds.judged(config.prototypes, config.descriptions)


def fitted_map(task: Task) -> Projection:
    """R on the shots and on texts of equal weight in total (docs/method.md section 5).

    The texts are the kept descriptions, or the class templates: where the run's `map_texts` says so, and where no
    description is kept.
    """
    bench, student, teacher = task.bench, task.bench.towers("student"), task.bench.towers("teacher")
    f_t, f_s = (bench.see(towers, task.project, task.shots.image_ids) for towers in (teacher, student))
    texts: list[str] = []
    if task.config.distillation.map_texts == "descriptions":
        table = task.prototypes.table
        texts = list(table.loc[table["kept"], "text"])
    texts = texts or class_texts(task.project.class_names, task.classes, task.config.model.template)
    g_t, g_s = (bench.read(towers, texts) for towers in (teacher, student))
    return fit_procrustes(f_t, f_s, task.shots.image_ids, g_t, g_s, texts)


def held_out_agreement(task: Task) -> float | None:
    """Mean cosine between R f_T(x) and f_S(x) on the validation images, to which R was not fitted; None without any."""
    images, bench = task.validation.image_ids, task.bench
    if not images:
        return None
    f_t, f_s = (bench.see(bench.towers(model), task.project, images) for model in ("teacher", "student"))
    return task.projection.agreement(f_t, f_s)
