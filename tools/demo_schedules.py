"""Try other schedules for the demo without a look at its sealed test images.

    python tools/demo_schedules.py --work build/schedules --shots 1 4
    python tools/demo_schedules.py --work build/schedules --protocol base-to-novel --shots 16

Each schedule trains on the shots of one seed and is measured on labelled images of the pool that the run did not train
on. Neighbouring numbers often show the same place, so an image counts only four numbers or more away from every shot of
its class. At 16 shots none is left: there every image that was not trained on counts, which favours learning by heart.

In base-to-novel the demo's novel classes are not looked at either: its base classes are halved once more.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from demo_results import config_of
from torch.nn.functional import normalize

from avion_core.actor import ALONE
from avion_core.backbones.load import load_towers
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import DistillationConfig, RunConfig
from avion_core.data.project import LabelledImages, ProjectData, class_texts, training_images
from avion_core.distill.adapter import load_adapter
from avion_core.distill.trainer import predict_logits
from avion_core.experiment import run_experiment
from avion_core.features.store import image_features, prepare_images, text_features
from avion_core.metrics.harmonic import harmonic_mean
from avion_core.protocols import find_protocol
from avion_core.prototypes.text_prototypes import visual_prototypes
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.projects.freeze import freeze

AWAY = 4
ALIGNMENT = ("image_weight", "text_weight", "logit_weight")
SCHEDULES: dict[str, Callable[[DistillationConfig], dict[str, Any]]] = {
    "the demo's": lambda own: {},
    "half the passes": lambda own: {"epochs": own.epochs // 2},
    "twice the passes": lambda own: {"epochs": own.epochs * 2},
    "four times the passes": lambda own: {"epochs": own.epochs * 4},
    "a quarter of the rate": lambda own: {"learning_rate": own.learning_rate / 4},
    "twice the alignment": lambda own: {name: 2 * getattr(own, name) for name in ALIGNMENT},
    "four times the passes, alignment of 2": lambda own: {"epochs": own.epochs * 4} | dict.fromkeys(ALIGNMENT, 2.0),
    "a trained projection": lambda own: {"projection": "linear"},
    "the paper's batch and rate": lambda own: {"batch_size": 4, "learning_rate": 5e-4, "schedule": "constant"},
}


def apart(project: ProjectData, shots: LabelledImages, classes: list[str], away: int) -> LabelledImages:
    """Pool images of these classes that no shot of their class is near."""
    number = {
        row.image_id: int(re.findall(r"\d+", row.path)[-1]) for row in project.manifest.itertuples(index=False)
    }  # fmt: skip
    taught: dict[str, list[int]] = {key: [] for key in classes}
    for image, label in zip(shots.image_ids, shots.labels, strict=True):
        taught[classes[label]].append(number[image])
    pool = project.manifest[~project.manifest["image_id"].isin(project.splits.test)]
    by_class = {
        key: [image for image in rows["image_id"] if all(abs(number[image] - n) >= away for n in taught[key])]
        for key, rows in pool.groupby("label")
        if key in taught
    }
    return LabelledImages.of(by_class, classes)


class Measured:
    """The images of one part of a protocol that no run trained on, and what is right on them."""

    def __init__(self, project: ProjectData, home: Home, config: RunConfig, classes: list[str], *, trained: bool):
        backbone = load_towers(config.student, home.weights)
        assert isinstance(backbone, OpenClipTowers)
        self.backbone = backbone
        shots = training_images(project, config, classes) if trained else LabelledImages([], [])
        held = apart(project, shots, classes, AWAY if config.data.shots < 16 else 1)
        self.labels = torch.tensor(held.labels)
        self.texts = class_texts(project.class_names, classes, config.model.template)
        self.pixels = prepare_images(backbone, project.images(held.image_ids), recipe=project.recipe)
        f_shots, f_held = (
            image_features(backbone, project.images(part.image_ids), home.features, recipe=project.recipe)
            if part.image_ids
            else torch.empty(0, backbone.dim)
            for part in (shots, held)
        )
        g = text_features(backbone, self.texts, home.features)
        self.zero_shot = self.percent(f_held @ g.T)
        if trained:
            means = visual_prototypes(f_shots, torch.tensor(shots.labels), classes)
            self.class_mean = self.percent(f_held @ normalize(means + g, dim=1).T)

    def of(self, folder: Path) -> float:
        student, _ = load_adapter(folder / "adapter.safetensors", self.backbone)
        return self.percent(predict_logits(student, self.pixels, student.tokenize(self.texts)))

    def percent(self, logits: torch.Tensor) -> float:
        return 100 * (logits.argmax(1) == self.labels).double().mean().item()


def few_shot(parts: dict[str, Measured]) -> tuple[str, Callable[[Path], str]]:
    (part,) = parts.values()
    before = f"zero-shot {part.zero_shot:.1f}, class mean + text {part.class_mean:.1f}"
    return f"{len(part.labels)} images: {before}", lambda folder: f"{part.of(folder):.1f}"


def base_to_novel(parts: dict[str, Measured]) -> tuple[str, Callable[[Path], str]]:
    def row(base: float, novel: float) -> str:
        return f"base {base:.1f}, novel {novel:.1f}, harmonic mean {harmonic_mean(base, novel):.1f}"

    base, novel = parts["base"], parts["novel"]
    return (
        f"{len(base.labels)} + {len(novel.labels)} images: zero-shot {row(base.zero_shot, novel.zero_shot)}",
        lambda folder: row(base.of(folder), novel.of(folder)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--protocol", choices=["few-shot", "base-to-novel"], default="few-shot")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--halves", choices=["first_half", "seeded_random"], default="first_half")
    parser.add_argument("--only", choices=list(SCHEDULES), nargs="+", default=list(SCHEDULES))
    args = parser.parse_args()
    home = Home(args.work / "curated", ALONE)
    open_demo(home, "ucmerced", curated=True)
    project = freeze(home, "ucmerced-demo")
    if args.protocol == "base-to-novel":
        config = config_of("AVION", args.shots[0], args.seed, args.protocol)
        project = of_classes(project, find_protocol(args.protocol).trained_classes(project.class_names, config))
    for shots in args.shots:
        halves = {"protocol.novel_policy": args.halves}
        config = config_of("AVION", shots, args.seed, args.protocol, **halves)
        measured = find_protocol(args.protocol).parts(project, [], config)
        parts = {part.name: Measured(project, home, config, part.classes, trained=part.trained) for part in measured}
        before, after = (base_to_novel if "novel" in parts else few_shot)(parts)
        print(f"{shots} shots, seed {args.seed}, {before}", flush=True)
        for name in args.only:
            changed = SCHEDULES[name](config.distillation).items()
            own = {f"distillation.{setting}": value for setting, value in changed}
            tried = config_of("AVION", shots, args.seed, args.protocol, **halves, **own)
            folder = args.work / f"{name}-{args.protocol}-{shots}-{args.seed}".replace(" ", "-")
            for _ in run_experiment(project, tried, folder, features=home.features, weights=home.weights):
                pass
            print(f"  {name}: {after(folder)}", flush=True)


def of_classes(project: ProjectData, classes: list[str]) -> ProjectData:
    return replace(
        project,
        manifest=project.manifest[project.manifest["label"].isin(classes)],
        class_names={key: project.class_names[key] for key in classes},
        descriptions=project.descriptions[project.descriptions["class_key"].isin(classes)],
    )


if __name__ == "__main__":
    main()
