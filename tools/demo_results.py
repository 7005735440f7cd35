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

import pandas as pd
import torch

from avion_core.actor import ALONE
from avion_core.backbones.load import load_towers
from avion_core.config import PrototypesConfig, RunConfig
from avion_core.data.project import (
    ProjectData,
    class_texts,
    held_out_images,
    training_images,
)
from avion_core.descriptions.rs_flag import load_rule_set
from avion_core.experiment import run_experiment
from avion_core.features.store import image_features, text_features
from avion_core.methods import find_method
from avion_core.methods.bench import Bench
from avion_core.presets import PRESETS, make_config
from avion_core.protocols.harness import evaluate
from avion_core.protocols.report import OVERALL
from avion_core.prototypes.text_prototypes import prototype_accuracy, text_prototypes, visual_prototypes
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.projects.freeze import freeze

SHOTS, SEEDS = (1, 4, 16), (1, 2, 3)
METHODS = ("AVION", "B0", "B1")
BASELINES = {
    "student zero-shot": ("zero_shot", "student"),
    "student class mean": ("class_mean", "student"),
    "student class mean + text": ("class_mean_text", "student"),
    "student linear probe": ("linear_probe", "student"),
    "student text prototypes": ("text_prototypes", "student"),
    "student mapped text prototypes": ("mapped_prototypes", "student"),
    "teacher zero-shot": ("zero_shot", "teacher"),
    "teacher text prototypes": ("text_prototypes", "teacher"),
    "teacher class mean": ("class_mean", "teacher"),
    "teacher linear probe": ("linear_probe", "teacher"),
}
AVION = ("avion", "student")
HALVES = (("base", "accuracy"), ("novel", "accuracy"), (OVERALL, "harmonic_mean"))
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
    home = Home(work / "curated", ALONE)
    kept = kept_file(work, *task)
    folder = kept.parent
    if kept.is_file():
        return json.loads(kept.read_text())
    project, config = freeze(home, "ucmerced-demo"), config_of(method, shots, seed, protocol)
    start = time.perf_counter()
    for _ in run_experiment(project, config, folder, features=home.features, weights=home.weights):
        pass
    seconds = time.perf_counter() - start
    report = evaluate(project, config, folder, "test", features=home.features, weights=home.weights)
    report.save(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    facts = {"method": method, "shots": shots, "seed": seed, "protocol": protocol}
    shown = report.figures[report.figures["metric"].isin({metric for _, metric in HALVES})]
    columns = ["method", "model", "part", "metric", "value", "low", "high", "n"]
    result = facts | {"seconds": seconds, "peak_gib": peak, "figures": shown[columns].to_dict("records")}
    if protocol == "few-shot":
        result |= {
            "training_accuracy": training_accuracy(project, config, folder, home),
            "right": digits(report.said("all")),
            "class_mean_text_right": digits(report.said("all", "class_mean_text", "student")),
        }
    kept.write_text(json.dumps(result, indent=1))
    own = {f"{part} {metric}": round(report.value(part, metric) or 0.0, 2) for part, metric in report.headline()}
    print(json.dumps(facts | own | {"seconds": round(seconds), "peak_gib": round(peak, 2)}), flush=True)
    return result


def kept_file(work: Path, method: str, shots: int, seed: int, protocol: str) -> Path:
    """Where a run's figures are kept."""
    return work / "runs" / f"{method}-{protocol}-{shots}-{seed}" / "test.json"


def training_accuracy(project: ProjectData, config: RunConfig, folder: Path, home: Home) -> float:
    """How well the student knows its own training images, in percent."""
    method = find_method(config.method)(Bench(config, features=home.features, weights=home.weights), config.options)
    method.load(folder)
    classes = list(project.class_names)
    shots = training_images(project, config, classes)
    said = method.logits(project, shots.image_ids, classes).argmax(1)
    return 100 * (said == torch.tensor(shots.labels)).double().mean().item()


def digits(said: pd.DataFrame) -> str:
    """A digit an image, 1 for right."""
    return "".join(str(int(one)) for one in said["correct"])


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
        home = Home(work / which, ALONE)
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
    """Mean and standard deviation over seeds, with n where it is not all of them."""
    if not values:
        return "missing"
    said = f"{statistics.mean(values):.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")
    return said if len(values) == len(SEEDS) else f"{said} (n = {len(values)})"


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

    def value(result: dict[str, Any], row: tuple[str, str], part: str, metric: str) -> float:
        wanted = {"method": row[0], "model": row[1], "part": part, "metric": metric}
        return next(f["value"] for f in result["figures"] if all(f[name] == is_ for name, is_ in wanted.items()))

    def cells(preset: str, of: Callable[[dict[str, Any]], float]) -> list[str]:
        return [spread([of(r) for r in few if r["method"] == preset and r["shots"] == s]) for s in SHOTS]

    def accuracy_of(row: tuple[str, str]) -> Callable[[dict[str, Any]], float]:
        return lambda result: value(result, row, "all", "accuracy")

    accuracy = {name: cells("AVION", accuracy_of(row)) for name, row in BASELINES.items() if row[1] == "student"}
    accuracy |= {name: cells(name, accuracy_of(AVION)) for name in ("B0", "B1")}
    accuracy["**AVION**"] = cells("AVION", accuracy_of(AVION))
    accuracy |= {name: cells("AVION", accuracy_of(row)) for name, row in BASELINES.items() if row[1] == "teacher"}
    learnt = {name: cells(name, lambda result: result["training_accuracy"]) for name in ("AVION", "B1")}
    learnt["student linear probe, on the test images"] = accuracy["student linear probe"]
    learnt["**AVION**, on the test images"] = accuracy["**AVION**"]
    changes = {"AVION - class mean + text": [paired(few, shots) for shots in SHOTS]}
    novel = {
        name: [spread([value(r, row, part, metric) for r in halves]) for part, metric in HALVES]
        for name, row in (
            ("student zero-shot", BASELINES["student zero-shot"]),
            ("**AVION**", AVION),
            ("teacher zero-shot", BASELINES["teacher zero-shot"]),
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
    parser.add_argument("--kept", action="store_true", help="write the tables of the runs that are there, and run none")
    args = parser.parse_args()
    for which, curated in (("curated", True), ("plain", False)):
        open_demo(Home(args.work / which, ALONE), "ucmerced", curated=curated)
    prototypes = prototype_rows(args.work)
    print(json.dumps(prototypes, indent=1), flush=True)
    tasks = [("AVION", shots, seed, "few-shot") for shots in SHOTS for seed in SEEDS]
    tasks += [("AVION", 16, seed, "base-to-novel") for seed in SEEDS]
    tasks += [(method, shots, seed, "few-shot") for method in METHODS[1:] for shots in SHOTS for seed in SEEDS]
    if args.kept:
        tasks = [task for task in tasks if kept_file(args.work, *task).is_file()]
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
