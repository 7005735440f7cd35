"""Measure the options "for my data" (docs/method.md, section 9) beside AVION as published, never on sealed images.

    python tools/option_results.py --work build/options --minutes 40

UC Merced 50-99 and EuroSAT with the demo's pair of models and its schedule, 1 and 4 shots, seeds 1, 2 and 3. Every run
is measured on labelled images outside its shots and the sealed test set, and of these on the half that lies farthest
from every shot in the untrained student's embeddings, without those that share a place with an image that a training
without labels looks at: neighbours promise too much. A training that is in
the work folder is not repeated, one that was stopped is resumed, and what the minutes do not suffice for is said to be
missing. Results go to docs/results/options.json and docs/results/options.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import textwrap
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

from avion_core.actor import ALONE
from avion_core.data.project import LabelledImages, ProjectData, training_images, unlabelled_images
from avion_core.experiment import Stopped, run_experiment
from avion_core.methods import find_method
from avion_core.methods.bench import Bench
from avion_core.methods.method import Method, Task
from avion_core.metrics.accuracy import paired_change
from avion_core.presets import PRESETS, make_config
from avion_core.protocols.placebo import outside_images
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import Demo, open_demo
from avion_core.usecases.projects.freeze import freeze

DEMOS: dict[Demo, str] = {"ucmerced": "UC Merced 50-99", "eurosat": "EuroSAT, set aside"}
SHOTS, SEEDS = (1, 4), (1, 2, 3)
FLOOR, PLAIN = "class mean + text", "AVION"
_LONGER = {"distillation.least_steps": 200}
_UNLABELLED = {"distillation.unlabelled_images": 1000}
_BOTH = {"distillation.teacher_logits": "texts_and_images"}
ROWS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "class mean in the class vectors": {"model.class_mean": "by_shots"},
    "teacher logits from texts and images": {"distillation.teacher_logits": "texts_and_images"},
    "held near the untrained student": {"distillation.frozen_weight": 1.0},
    "all three": {
        "model.class_mean": "by_shots",
        "distillation.teacher_logits": "texts_and_images",
        "distillation.frozen_weight": 1.0,
    },
    "200 steps at least": _LONGER,
    "200 steps, images without labels": _LONGER | _UNLABELLED,
    "200 steps, images without labels, teacher logits from both": _LONGER | _UNLABELLED | _BOTH,
    "the same with the class mean in the class vectors": _LONGER
    | _UNLABELLED
    | _BOTH
    | {"model.class_mean": "by_shots"},
}
RESULTS, PAGE = Path("docs/results/options.json"), Path("docs/results/options.md")
_INTRODUCTION = """
Made by `python tools/option_results.py --work build/options`. The demo's pair of models and its schedule, curated
descriptions, seeds 1, 2 and 3; measured on the half of the labelled images outside shots and sealed test set that lies
farthest from every shot, without those that share a place with an image that a training without labels looks at. Mean
accuracy in percent; in brackets, points over AVION as published and over the class mean with text on the same images,
with 95 % intervals over images (an image that several seeds hold out counts once, by its share). Three seeds say
nothing of how results differ between data sets, and figures of one student say nothing of others.
"""


def far_images(project: ProjectData, task: Task) -> LabelledImages:
    """The half of the images outside shots and test set that lies farthest from every shot."""
    found = outside_images(project, task.config, task.classes, "validation")
    towers = task.bench.towers("student")
    shots = task.bench.see(towers, project, training_images(project, task.config, task.classes).image_ids)
    near = (task.bench.see(towers, project, found.image_ids) @ shots.T).max(dim=1).values
    far = (near <= near.median()).tolist()
    pairs = [pair for pair, keep in zip(zip(found.image_ids, found.labels, strict=True), far, strict=True) if keep]
    return LabelledImages([image for image, _ in pairs], [label for _, label in pairs])


def apart(project: ProjectData, shots: int, seed: int, far: Iterable[str]) -> set[str]:
    """Of the images measured on, those that share no place with an image that a training without labels looks at."""
    config = make_config(overrides={"data.shots": shots, "data.seed": seed} | _UNLABELLED, base=PRESETS["demo"])
    taught = replace(project, manifest=project.manifest[~project.manifest["image_id"].isin(set(far))])
    group = dict(zip(project.manifest["image_id"], project.manifest["group"], strict=True))
    seen = {group[image] for image in unlabelled_images(taught, config, list(project.class_names))} - {""}
    return {image for image in far if group[image] not in seen}


def said(method: Method, project: ProjectData, images: LabelledImages, classes: list[str]) -> dict[str, bool]:
    right = method.logits(project, images.image_ids, classes).argmax(1) == torch.tensor(images.labels)
    return dict(zip(images.image_ids, right.tolist(), strict=True))


def measured(
    home: Home, project: ProjectData, folder: Path, row: str, shots: int, seed: int, until: float
) -> dict[str, Any] | None:
    """What a row says of each image, trained unless it is kept; None where time ran out."""
    kept = folder / "said.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    wanted = {"data.shots": shots, "data.seed": seed, "device": "cpu"}
    config = make_config(overrides=wanted | ROWS.get(row, {"method": "class_mean_text"}), base=PRESETS["demo"])
    bench = Bench(config, features=home.features, weights=home.weights)
    classes = list(project.class_names)
    task, seconds = Task(project, classes, config, bench), 0.0
    far = far_images(project, task)
    # What is measured on is no image that a training without labels looks at.
    taught = replace(project, manifest=project.manifest[~project.manifest["image_id"].isin(far.image_ids)])
    method = find_method(config.method)(bench, config.options)
    if method.needs.backward:
        given = {"features": home.features, "weights": home.weights}
        for event in run_experiment(taught, config, folder, **given, should_stop=lambda: time.time() > until):
            if isinstance(event, Stopped):
                return None
            seconds = getattr(event, "summary", {}).get("training_seconds", seconds)
        method.load(folder)
    else:
        for _ in method.fit(task):
            pass
    folder.mkdir(parents=True, exist_ok=True)
    answer = {"right": said(method, project, far, classes), "seconds": seconds}
    kept.write_text(json.dumps(answer))
    return answer


def collect(home: Home, work: Path, listed: list[tuple[Demo, str]], until: float) -> list[dict[str, Any]]:
    """What was measured before, and what is listed and there is time for."""
    rows: list[dict[str, Any]] = []
    every = [(which, row) for which in DEMOS for row in (FLOOR, *ROWS)]
    tasks = [(which, shots, seed, row) for shots in SHOTS for seed in SEEDS for which, row in every]
    projects = {which: freeze(home, open_demo(home, which, curated=True).id) for which in DEMOS}
    for which, shots, seed, row in tasks:
        folder = work / "runs" / f"{which}-{shots}-{seed}-{row.replace(' ', '_')}"
        if not (folder / "said.json").is_file() and (time.time() > until or (which, row) not in listed):
            continue
        found = measured(home, projects[which], folder, row, shots, seed, until)
        if found is None:
            continue
        kept = apart(projects[which], shots, seed, found["right"])
        found["right"] = {image: right for image, right in found["right"].items() if image in kept}
        rows.append({"set": which, "shots": shots, "seed": seed, "row": row} | found)
        share = 100 * sum(found["right"].values()) / len(found["right"])
        print(f"{which}, {shots} shots, seed {seed}, {row}: {share:.1f} ({found['seconds']:.0f} s)", flush=True)
    return rows


def change(rows: list[dict[str, Any]], own: str, other: str) -> str:
    """Points over another row on the same images of the same seeds."""
    told = {
        name: {
            (one["seed"], image): right for one in rows if one["row"] == name for image, right in one["right"].items()
        }
        for name in (own, other)
    }
    of_image: dict[str, list[tuple[bool, bool]]] = {}
    for (seed, image), right in told[own].items():
        if (seed, image) in told[other]:
            of_image.setdefault(image, []).append((told[other][seed, image], right))
    means = torch.tensor([torch.tensor(pairs).double().mean(0).tolist() for pairs in of_image.values()])  # (N, 2)
    points, low, high = paired_change(means[:, 0], means[:, 1])
    return f"{points:+.1f} ({low:+.1f} to {high:+.1f})"


def page(rows: list[dict[str, Any]]) -> str:
    lines = ["# Options for one's own data", "", *textwrap.wrap(_INTRODUCTION.strip(), 118)]
    lacking: list[str] = []
    for which, shots in product(DEMOS, SHOTS):
        of = [one for one in rows if (one["set"], one["shots"]) == (which, shots)]
        if not of:
            lacking.append(f"{DEMOS[which]} at {shots} shot{'s' if shots > 1 else ''}")
            continue
        lines += ["", f"## {DEMOS[which]}, {shots} shot{'s' if shots > 1 else ''}", ""]
        lines += ["| row | accuracy | seeds | over AVION | over class mean + text |", "|---|---|---|---|---|"]
        for row in (FLOOR, *ROWS):
            shares = [100 * sum(one["right"].values()) / len(one["right"]) for one in of if one["row"] == row]
            if not shares:
                lines.append(f"| {row} | missing | 0 | | |")
                continue
            spread = f" ± {statistics.stdev(shares):.1f}" if len(shares) > 1 else ""
            there = {one["row"] for one in of} - {row}
            over = [change(of, row, other) if other in there else "" for other in (PLAIN, FLOOR)]
            said = [row, f"{statistics.mean(shares):.1f}{spread}", str(len(shares)), *over]
            lines.append(f"| {' | '.join(said)} |")
        images = len({image for one in of for image in one["right"]})
        lines += ["", f"{images:,} images in all."]
    if lacking:
        lines += ["", f"Not measured yet: {'; '.join(lacking)}. The same command goes on where it was."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e6, help="start nothing new after so many")
    parser.add_argument("--rows", nargs="+", choices=[FLOOR, *ROWS], default=[FLOOR, *ROWS])
    parser.add_argument("--sets", nargs="+", choices=list(DEMOS), default=list(DEMOS))
    args = parser.parse_args()
    listed = [(which, row) for which in args.sets for row in args.rows]
    rows = collect(Home(args.work / "home", ALONE), args.work, listed, time.time() + 60 * args.minutes)
    RESULTS.write_text(json.dumps(rows) + "\n")
    PAGE.write_text(page(rows))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
