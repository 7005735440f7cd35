"""The teacher's side of the texts, as several methods take it: text prototypes p_c, and R between the two spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from avion_core.backbones.projection import Projection, fit_procrustes
from avion_core.data.project import class_texts
from avion_core.descriptions.rs_flag import load_rule_set
from avion_core.prototypes.judged import grounds_of
from avion_core.prototypes.text_prototypes import TextPrototypes, text_prototypes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from avion_core.backbones.towers import Towers
    from avion_core.data.project import ProjectData
    from avion_core.methods.bench import Bench
    from avion_core.methods.method import Task

_CUTS_NOTHING = 100.0
"""The largest robust z that settings allow."""


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


def without_images(bench: Bench, towers: Towers, project: ProjectData, classes: Sequence[str]) -> Tensor:
    """(K, D) prototypes of classes without images, in a model's own space: kept descriptions weighed by RS-Flag alone,
    verdicts counting as always; the class's sentence where it has none. With beta = 0 no image has a say."""
    config = bench.config
    rules = config.prototypes.model_copy(
        update={"source": "descriptions", "beta": 0.0, "zeta": _CUTS_NOTHING, "template_fallback": True}
    )
    candidates = project.descriptions[project.descriptions["class_key"].isin(classes)].reset_index(drop=True)
    g = bench.read(towers, list(candidates["text"])).cpu() if len(candidates) else torch.empty(0, towers.dim)
    sentences = bench.read_classes(towers, project, classes).cpu()
    rule_set = load_rule_set(config.descriptions.rule_set, config.descriptions.modality)
    return text_prototypes(candidates, g, sentences, classes, rule_set, rules, sentences).vectors


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
