"""Measure the demo pair on the demo's sealed test images, and write the tables of its model card.

    python tools/demo_results.py --work build/results

Runs AVION, B0 and B1 at 1, 4 and 16 shots and AVION base-to-novel at 16 shots, three seeds each, on the curated
descriptions, with the demo preset's schedule for all. A run that is already in the work folder is not repeated.
Results go to demo/results.json and between the markers of demo/MODEL_CARD.md.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from avion_core.backbones.load import load_towers
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import PRESETS, PrototypesConfig, RunConfig, make_config
from avion_core.data.project import (
    LabelledImages,
    ProjectData,
    class_texts,
    held_out_images,
    training_images,
)
from avion_core.descriptions.rs_flag import load_rule_set
from avion_core.distill.adapter import load_adapter
from avion_core.distill.trainer import predict_logits
from avion_core.experiment import run_experiment
from avion_core.features.store import image_features, prepare_images, text_features
from avion_core.protocols.baselines import class_mean
from avion_core.protocols.evaluate import evaluate
from avion_core.prototypes.text_prototypes import prototype_accuracy, text_prototypes, visual_prototypes
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.projects import open_demo

SHOTS, SEEDS = (1, 4, 16), (1, 2, 3)
METHODS = ("AVION", "B0", "B1")
BASELINES = {
    "student zero-shot": "zero_shot_accuracy",
    "student class mean": "class_mean_accuracy",
    "student class mean + text": "class_mean_text_accuracy",
    "student linear probe": "linear_probe_accuracy",
    "teacher zero-shot": "teacher_zero_shot_accuracy",
    "teacher text prototypes": "teacher_prototype_accuracy",
    "teacher class mean": "teacher_class_mean_accuracy",
    "teacher linear probe": "teacher_linear_probe_accuracy",
}
HALVES = ("base_accuracy", "novel_accuracy", "harmonic_mean")
CARD, RESULTS = Path("demo/MODEL_CARD.md"), Path("demo/results.json")


def config_of(method: str, shots: int, seed: int, protocol: str = "few-shot", **settings: Any) -> RunConfig:
    preset = "demo" if method == "AVION" else method
    wanted = {"data.shots": shots, "data.seed": seed, "protocol.name": protocol} | settings
    schedule = {f"distillation.{name}": value for name, value in PRESETS["demo"]["distillation"].items()}
    return make_config(preset, schedule | wanted, base=PRESETS["demo"])


def run(task: tuple[str, int, int, str], work: Path, threads: int) -> dict[str, Any]:
    """One run and its test figures; kept in its folder."""
    method, shots, seed, protocol = task
    torch.set_num_threads(threads)
    home = Home(work / "curated")
    folder = work / "runs" / f"{method}-{protocol}-{shots}-{seed}"
    kept = folder / "test.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    project, config = freeze(home, "ucmerced-demo"), config_of(method, shots, seed, protocol)
    start = time.perf_counter()
    for _ in run_experiment(project, config, folder, features=home.features, weights=home.weights):
        pass
    seconds = time.perf_counter() - start
    figures = evaluate(project, config, folder, "test", features=home.features, weights=home.weights)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    facts = {"method": method, "shots": shots, "seed": seed, "protocol": protocol}
    result = facts | {"seconds": seconds, "peak_gib": peak} | {k: v for k, v in figures.items() if isinstance(v, float)}
    if protocol == "few-shot":
        result |= beside_the_class_mean(project, config, folder, home)
    kept.write_text(json.dumps(result, indent=1))
    shown = {k: round(v, 2) if isinstance(v, float) else v for k, v in result.items() if not k.endswith("right")}
    print(json.dumps(shown), flush=True)
    return result


def beside_the_class_mean(project: ProjectData, config: RunConfig, folder: Path, home: Home) -> dict[str, Any]:
    """How well the student knows its own training images, and on which test images it and class mean + text are right.

    The latter as a digit an image, 1 for right.
    """
    backbone = load_towers(config.student, home.weights)
    assert isinstance(backbone, OpenClipTowers)
    student, _ = load_adapter(folder / "adapter.safetensors", backbone)
    classes = list(project.class_names)
    texts = class_texts(project.class_names, classes, config.model.template)

    def student_right(part: LabelledImages) -> torch.Tensor:
        pixels = prepare_images(backbone, project.images(part.image_ids), recipe=project.recipe)
        return predict_logits(student, pixels, student.tokenize(texts)).argmax(1) == torch.tensor(part.labels)

    shots, test = training_images(project, config, classes), held_out_images(project, config, classes, "test")
    f_shots, f_test = (
        image_features(backbone, project.images(part.image_ids), home.features, recipe=project.recipe)
        for part in (shots, test)
    )
    g = text_features(backbone, texts, home.features)
    means = class_mean(f_shots, torch.tensor(shots.labels), classes, g)
    of_means = (f_test @ means.T).argmax(1) == torch.tensor(test.labels)
    return {
        "training_accuracy": 100 * student_right(shots).double().mean().item(),
        "right": digits(student_right(test)),
        "class_mean_text_right": digits(of_means),
    }


def digits(right: torch.Tensor) -> str:
    return "".join(str(int(one)) for one in right)


def prototype_rows(work: Path) -> dict[str, list[float]]:
    """Test accuracy of the teacher with text prototypes of each kind, one figure a seed; 16 shots."""
    rows: dict[str, list[float]] = {}
    for seed in SEEDS:
        for name, vectors, images in prototype_kinds(work, config_of("AVION", 16, seed)):
            rows.setdefault(name, []).append(prototype_accuracy(vectors, *images))
    return rows


def prototype_kinds(
    work: Path, config: RunConfig
) -> Iterable[tuple[str, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]]:
    kinds: tuple[tuple[str, str, Callable[[PrototypesConfig], PrototypesConfig]], ...] = (
        ("all descriptions, same weight", "plain", lambda c: c.model_copy(update={"selective": False})),
        ("all descriptions, rules only", "plain", lambda c: c),
        ("all descriptions, rules only, hard flag", "plain", lambda c: c.model_copy(update={"flag_mode": "hard"})),
        ("curated, same weight", "curated", lambda c: c.model_copy(update={"selective": False})),
        ("curated and selected", "curated", lambda c: c),
    )
    for index, (name, which, change) in enumerate(kinds):
        home = Home(work / which)
        project = freeze(home, "ucmerced-demo")
        teacher = load_towers(config.teacher, home.weights)
        classes = list(project.class_names)
        shots, test = training_images(project, config, classes), held_out_images(project, config, classes, "test")
        f_train, f_test = (
            image_features(teacher, project.images(part.image_ids), home.features, recipe=project.recipe)
            for part in (shots, test)
        )
        images = (f_test, torch.tensor(test.labels))
        if index == 0:
            templates = class_texts(project.class_names, classes, config.model.template)
            yield "class names in the template", text_features(teacher, templates, home.features), images
        visual = visual_prototypes(f_train, torch.tensor(shots.labels), classes)
        table = project.descriptions.reset_index(drop=True)
        g = text_features(teacher, list(table["text"]), home.features)
        rules = load_rule_set(config.descriptions.rule_set, config.descriptions.modality)
        yield name, text_prototypes(table, g, visual, classes, rules, change(config.prototypes)).vectors, images


def spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def shots_head() -> list[str]:
    return [f"{s} shot{'s' if s > 1 else ''}" for s in SHOTS]


def paired(few: list[dict[str, Any]], shots: int) -> str:
    """Mean over images of what changed, each image's seeds averaged first: seeds share their test images."""
    some = [r for r in few if r["method"] == "AVION" and r["shots"] == shots]
    of_seeds = [[int(a) - int(b) for a, b in zip(r["right"], r["class_mean_text_right"], strict=True)] for r in some]
    changes = [100 * statistics.mean(one) for one in zip(*of_seeds, strict=True)]
    centre, half = statistics.mean(changes), 1.96 * statistics.stdev(changes) / len(changes) ** 0.5
    return f"{centre:+.1f} ({centre - half:+.1f} to {centre + half:+.1f})"


def table(head: list[str], rows: dict[str, list[str]]) -> str:
    lines = [" | ".join(["", *head]), "|".join(["---"] * (len(head) + 1))]
    lines += [" | ".join([name, *cells]) for name, cells in rows.items()]
    return "\n".join(f"| {line} |" for line in lines)


def tables(results: list[dict[str, Any]], prototypes: dict[str, list[float]]) -> str:
    few = [r for r in results if r["protocol"] == "few-shot"]
    halves = [r for r in results if r["protocol"] == "base-to-novel"]

    def cells(method: str, key: str) -> list[str]:
        return [spread([r[key] for r in few if r["method"] == method and r["shots"] == s]) for s in SHOTS]

    accuracy = {name: cells("AVION", key) for name, key in BASELINES.items() if name.startswith("student")}
    accuracy |= {name: cells(name, "accuracy") for name in ("B0", "B1")}
    accuracy["**AVION**"] = cells("AVION", "accuracy")
    accuracy |= {name: cells("AVION", key) for name, key in BASELINES.items() if name.startswith("teacher")}
    learnt = {name: cells(name, "training_accuracy") for name in ("AVION", "B1")}
    learnt["student linear probe, on the test images"] = accuracy["student linear probe"]
    learnt["**AVION**, on the test images"] = accuracy["**AVION**"]
    changes = {"AVION - class mean + text": [paired(few, shots) for shots in SHOTS]}
    novel = {
        name: [spread([r[f"{prefix}{key}"] for r in halves]) for key in HALVES]
        for name, prefix in (
            ("student zero-shot", "zero_shot_"),
            ("**AVION**", ""),
            ("teacher zero-shot", "teacher_zero_shot_"),
        )
    }
    costs = {
        name: [
            f"{statistics.mean(r['seconds'] for r in some):.0f}",
            f"{max(r['peak_gib'] for r in some):.1f}",
        ]
        for name, some in (
            *(
                (f"few-shot, {name}", [r for r in few if r["method"] == "AVION" and r["shots"] == s])
                for s, name in zip(SHOTS, shots_head(), strict=True)
            ),
            ("base-to-novel, 16 shots", halves),
        )
    }
    return "\n\n".join(
        [
            "Accuracy in percent on the 525 sealed test images, mean ± standard deviation of 3 seeds.",
            table(shots_head(), accuracy),
            "AVION against class mean + text on the same test images: change in points, 95 % interval over images.",
            table(shots_head(), changes),
            "What was learnt: accuracy on the run's own training images, beside the test images.",
            table(shots_head(), learnt),
            "Base-to-novel, 16 shots of the 11 base classes, 10 novel classes never trained on.",
            table(["base", "novel", "harmonic mean"], novel),
            "The teacher with text prototypes of each kind (16 shots where images are needed).",
            table(["accuracy"], {name: [spread(values)] for name, values in prototypes.items()}),
            "Cost of an AVION run, teacher features included; peak memory of the process, evaluation included.",
            table(["seconds", "peak GiB"], costs),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=1, help="runs at once; each takes an equal share of the cores")
    args = parser.parse_args()
    for which, curated in (("curated", True), ("plain", False)):
        open_demo(Home(args.work / which), "ucmerced", curated=curated)
    prototypes = prototype_rows(args.work)
    print(json.dumps(prototypes, indent=1), flush=True)
    tasks = [("AVION", shots, seed, "few-shot") for shots in SHOTS for seed in SEEDS]
    tasks += [("AVION", 16, seed, "base-to-novel") for seed in SEEDS]
    tasks += [(method, shots, seed, "few-shot") for method in METHODS[1:] for shots in SHOTS for seed in SEEDS]
    work = partial(run, work=args.work, threads=max(1, torch.get_num_threads() // args.processes))
    # A new process a run, so that each reports its own peak of memory.
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        results = list(pool.map(work, tasks))
    RESULTS.write_text(json.dumps({"runs": results, "prototypes": prototypes}, indent=1) + "\n")
    text = tables(results, prototypes)
    print(text)
    if CARD.is_file():
        card = CARD.read_text()
        marked = f"<!-- results -->\n\n{text}\n\n<!-- end of results -->"
        CARD.write_text(re.sub(r"<!-- results -->.*?<!-- end of results -->", lambda _: marked, card, flags=re.S))


if __name__ == "__main__":
    main()
