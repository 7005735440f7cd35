"""Try other schedules for the demo without a look at its sealed test images.

    python tools/demo_schedules.py --work build/schedules --shots 1 4

Each schedule trains on the shots of one seed and is measured on labelled images of the pool that the run did not train
on. Neighbouring numbers often show the same place, so an image counts only four numbers or more away from every shot of
its class; at 16 shots none is left.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import torch
from demo_results import config_of

from avion_core.backbones.load import load_towers
from avion_core.backbones.towers import OpenClipTowers
from avion_core.distill.adapter import load_adapter
from avion_core.distill.trainer import predict_logits
from avion_core.experiment import run_experiment
from avion_core.features.store import image_features, prepare_images, text_features
from avion_core.protocols.baselines import class_mean
from avion_core.protocols.project_data import LabelledImages, ProjectData, class_texts, training_images
from avion_core.studio.home import Home
from avion_core.studio.projects import open_demo
from avion_core.studio.snapshot import project_data

AWAY = 4
SCHEDULES = {
    "the demo's": {},
    "four times the passes": {"distillation.epochs": 80},
    "four times the passes, a quarter of the rate": {"distillation.epochs": 80, "distillation.learning_rate": 5e-4},
    "the paper's batch and rate": {
        "distillation.batch_size": 4,
        "distillation.learning_rate": 5e-4,
        "distillation.schedule": "constant",
    },
}


def apart(project: ProjectData, shots: LabelledImages, classes: list[str]) -> LabelledImages:
    """Pool images that no shot of their class is near."""
    number = {
        row.image_id: int(re.findall(r"\d+", row.path)[-1]) for row in project.manifest.itertuples(index=False)
    }  # fmt: skip
    taught: dict[str, list[int]] = {key: [] for key in classes}
    for image, label in zip(shots.image_ids, shots.labels, strict=True):
        taught[classes[label]].append(number[image])
    pool = project.manifest[~project.manifest["image_id"].isin(project.splits.test)]
    by_class = {
        key: [image for image in rows["image_id"] if min(abs(number[image] - n) for n in taught[key]) >= AWAY]
        for key, rows in pool.groupby("label")
        if key in taught
    }
    return LabelledImages.of(by_class, classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    home = Home(args.work / "curated")
    open_demo(home, "ucmerced", curated=True)
    project = project_data(home, "ucmerced-demo")
    classes = list(project.class_names)
    for shots in args.shots:
        config = config_of("AVION", shots, args.seed)
        backbone = load_towers(config.student, home.weights)
        assert isinstance(backbone, OpenClipTowers)
        taught = training_images(project, config, classes)
        held = apart(project, taught, classes)
        texts = class_texts(project.class_names, classes, config.model.template)
        truth = torch.tensor(held.labels)
        f_taught, f_held = (
            image_features(backbone, project.images(part.image_ids), home.features, recipe=project.recipe)
            for part in (taught, held)
        )
        means = class_mean(
            f_taught, torch.tensor(taught.labels), classes, text_features(backbone, texts, home.features)
        )
        print(
            f"{shots} shots, {len(truth)} images: class mean + text {percent(f_held @ means.T, truth):.1f}", flush=True
        )
        for name, settings in SCHEDULES.items():
            config = config_of("AVION", shots, args.seed, **settings)
            folder = args.work / f"{name}-{shots}-{args.seed}".replace(" ", "-")
            for _ in run_experiment(project, config, folder, features=home.features, weights=home.weights):
                pass
            student, _ = load_adapter(folder / "adapter.safetensors", backbone)
            tokens = student.tokenize(texts)
            learnt, unseen = (
                percent(
                    predict_logits(
                        student, prepare_images(backbone, project.images(p.image_ids), recipe=project.recipe), tokens
                    ),
                    torch.tensor(p.labels),
                )
                for p in (taught, held)
            )
            print(f"  {name}: training images {learnt:.1f}, unseen {unseen:.1f}", flush=True)


def percent(logits: torch.Tensor, labels: torch.Tensor) -> float:
    return 100 * (logits.argmax(1) == labels).double().mean().item()


if __name__ == "__main__":
    main()
