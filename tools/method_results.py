"""Measure the methods of other papers on the demo's sealed test images, beside AVION, and write the table.

    python tools/method_results.py --work build/methods --minutes 40

Few-shot at 1, 4 and 16 shots, three seeds each, on the demo's student. All that is trained has the demo preset's
schedule (20 passes, batches of 16, AdamW with a rate of 0.002 that falls along a cosine, images turned and mirrored),
full fine-tuning its own rate: a processor has no time for the papers' schedules. Methods without training are measured
together, once for each shots and seed. A run that is already in the work folder is not repeated, and one that was
stopped is resumed; what the minutes do not suffice for is marked as missing. AVION's rows are those of
demo/results.json, made by tools/demo_results.py with the same schedule.
Results go to docs/results/demo-methods.json and docs/results/demo-methods.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from demo_results import spread

from avion_core.actor import ALONE
from avion_core.config import RunConfig
from avion_core.data.project import ProjectData
from avion_core.experiment import Stopped, run_experiment
from avion_core.methods import find_method
from avion_core.methods.bench import Bench
from avion_core.methods.method import Method, Task
from avion_core.presets import PRESETS, make_config
from avion_core.protocols import find_protocol
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.projects.freeze import freeze

SHOTS, SEEDS = (1, 4, 16), (1, 2, 3)
UNTRAINED = ("zero_shot", "zero_shot_ensemble", "rs_transclip", "class_mean", "class_mean_text", "linear_probe")
UNTRAINED = (*UNTRAINED, "tip_adapter")
SCHEDULE = {"epochs": 20, "batch_size": 16, "learning_rate": 2e-3, "optimizer": "adamw", "warmup_epochs": 0}
SCHEDULE |= {"weight_decay": 0.01, "augment": True}
TRAINED: dict[str, dict[str, Any]] = {
    "tip_adapter_f": {"augment": False, "learning_rate": 1e-3},
    "coop": {},
    "full_fine_tuning": {"learning_rate": 1e-5},
    "vpt_shallow": {},
    "vpt_deep": {},
    "applenet": {},
}
RESULTS, PAGE = Path("docs/results/demo-methods.json"), Path("docs/results/demo-methods.md")
EARLIER = Path("demo/results.json")
BASELINE = "class_mean_text"


def config_of(method: str, shots: int, seed: int) -> RunConfig:
    """The demo's settings with a method and its schedule."""
    wanted: dict[str, Any] = {"method": method, "data.shots": shots, "data.seed": seed}
    options = SCHEDULE | TRAINED[method] if method in TRAINED else {}
    wanted |= {f"options.{key}": value for key, value in options.items()}
    return make_config(overrides=wanted, base=PRESETS["demo"])


def rows_of(methods: list[Method], project: ProjectData, config: RunConfig, seconds: float) -> list[dict[str, Any]]:
    """A row for each method: what it says of the sealed test images.

    The same tasks and parts as the harness's, without its bootstrap of figures that this table does not show.
    """
    protocol = find_protocol(config.protocol.name)
    classes = protocol.trained_classes(project.class_names, config)
    task = Task(project, classes, config, methods[0].bench).measured_on("test")
    part = protocol.parts(project, [], config)[0]
    images, rows = part.images(config, "test"), []
    for method in methods:
        if not method.needs.backward:
            for _ in method.fit(task):
                pass
        right = method.logits(project, images.image_ids, part.classes).argmax(1) == torch.tensor(images.labels)
        of_run = {"method": method.name, "shots": config.data.shots, "seed": config.data.seed}
        rows.append(
            of_run
            | {"value": 100 * right.double().mean().item(), "n": len(right), "parameters": method.trained_parameters}
            | {"training_seconds": seconds, "right": "".join(str(int(one)) for one in right)}
        )
    return rows


def untrained(home: Home, project: ProjectData, shots: int, seed: int) -> list[dict[str, Any]]:
    config = config_of("zero_shot", shots, seed)
    bench = Bench(config, features=home.features, weights=home.weights)
    return rows_of([find_method(name)(bench) for name in UNTRAINED], project, config, 0.0)


def trained(
    home: Home, project: ProjectData, folder: Path, task: tuple[str, int, int], until: float
) -> list[dict[str, Any]] | None:
    """A training and its test figures; None where time ran out."""
    method, shots, seed = task
    config = config_of(method, shots, seed)
    summary: dict[str, Any] = {}
    for event in run_experiment(
        project, config, folder, features=home.features, weights=home.weights, should_stop=lambda: time.time() > until
    ):
        if isinstance(event, Stopped):
            return None
        summary = getattr(event, "summary", summary)
    own = find_method(method)(Bench(config, features=home.features, weights=home.weights), config.options)
    own.load(folder)
    return rows_of([own], project, config, summary["training_seconds"])


def collect(home: Home, work: Path, until: float) -> list[dict[str, Any]]:
    """Every row that is kept or that there is time for, the quickest first."""
    project = freeze(home, "ucmerced-demo")
    tasks = [("", shots, seed) for shots in SHOTS for seed in SEEDS]
    tasks += [("tip_adapter_f", shots, seed) for shots in SHOTS for seed in SEEDS]
    tasks += [(m, shots, seed) for shots in SHOTS for seed in SEEDS for m in TRAINED if m != "tip_adapter_f"]
    rows: list[dict[str, Any]] = []
    for method, shots, seed in tasks:
        folder = work / "runs" / f"{method or 'untrained'}-{shots}-{seed}"
        kept = folder / "rows.json"
        if not kept.is_file():
            if time.time() > until:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            found = trained(home, project, folder, (method, shots, seed), until) if method else None
            found = found if method else untrained(home, project, shots, seed)
            if found is None:
                continue
            kept.write_text(json.dumps(found))
            said = ", ".join(f"{row['method']} {row['value']:.1f}" for row in found)
            print(f"{shots} shots, seed {seed}: {said} ({found[0]['training_seconds']:.0f} s)", flush=True)
        rows += json.loads(kept.read_text())
    return rows


def earlier(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """AVION's rows of the demo's own results, on the same images in the same order."""
    found = []
    for run in json.loads(EARLIER.read_text())["runs"]:
        if (run["method"], run["protocol"]) != ("AVION", "few-shot"):
            continue
        where = {"shots": run["shots"], "seed": run["seed"]}
        same = next(row for row in rows if row["method"] == BASELINE and {k: row[k] for k in where} == where)
        pairs = zip(same["right"], run["class_mean_text_right"], strict=True)
        if sum(a != b for a, b in pairs) > len(same["right"]) // 100:  # rounding turns a few images over
            raise SystemExit(f"{EARLIER} was made on other images, weights or splits: run tools/demo_results.py again")
        value = 100 * run["right"].count("1") / len(run["right"])
        found.append({"method": "avion", **where, "value": value, "n": len(run["right"]), "right": run["right"]})
    return found


def change(rows: list[dict[str, Any]], method: str, shots: int) -> str:
    """Points over the baseline on the same images, 95 % over images; each image's seeds are averaged first."""

    def right(name: str) -> dict[int, str]:
        return {row["seed"]: row["right"] for row in rows if (row["method"], row["shots"]) == (name, shots)}

    own, base = right(method), right(BASELINE)
    if not own:
        return "missing"
    of_seeds = [[int(a) - int(b) for a, b in zip(own[seed], base[seed], strict=True)] for seed in own]
    images = [100 * statistics.mean(one) for one in zip(*of_seeds, strict=True)]
    centre, half = statistics.mean(images), 1.96 * statistics.stdev(images) / len(images) ** 0.5
    few = "" if len(own) == len(SEEDS) else f", n = {len(own)}"
    return f"{centre:+.1f} ({centre - half:+.1f} to {centre + half:+.1f}{few})"


def accuracy(rows: list[dict[str, Any]], method: str, shots: int) -> str:
    return spread([row["value"] for row in rows if (row["method"], row["shots"]) == (method, shots)])


def page(rows: list[dict[str, Any]]) -> str:
    """The document."""
    names = ["avion", *UNTRAINED, *TRAINED]
    methods = {name: find_method(name) for name in names}
    titles = {name: m.title + (" (transductive)" if m.transductive else "") for name, m in methods.items()}
    heads = [f"{shots} shot{'s' if shots > 1 else ''}" for shots in SHOTS]
    counted = {row["method"]: row["parameters"] for row in sorted(rows, key=shots_of) if "parameters" in row}

    def cost(name: str) -> list[str]:
        if name == "avion":
            return ["see the model card"] * 2
        of_most = [row["training_seconds"] for row in rows if (row["method"], row["shots"]) == (name, max(SHOTS))]
        seconds = f"{statistics.mean(of_most):.0f}" if of_most else "missing"
        return [f"{counted[name]:,}" if name in counted else "missing", seconds]

    first = [[titles[n], *(accuracy(rows, n, shots) for shots in SHOTS), *cost(n)] for n in names]
    second = [[titles[n], *(change(rows, n, shots) for shots in SHOTS)] for n in names if n != BASELINE]
    missing = [f"{titles[n]} at {s}" for n in TRAINED for s in SHOTS if accuracy(rows, n, s) == "missing"]
    few = [f"{titles[n]} at {s}" for n in TRAINED for s in SHOTS if "(n =" in accuracy(rows, n, s)]
    lines = [
        "# Methods on the demo, few-shot",
        "",
        "Made by `python tools/method_results.py --work build/methods`. UC Merced 50 to 99, the demo's pair of models,",
        f"{rows[0]['n']} sealed test images, seeds {', '.join(map(str, SEEDS))}. All that is trained has the demo's",
        "schedule, not its paper's. AVION's row is that of `demo/results.json`, whose embeddings differ from these by",
        "rounding: class mean + text answers otherwise on at most 2 of the images there. Seconds are those of the",
        "training steps on a busy machine of two cores, and say little of others.",
        "",
        "Accuracy in percent, mean ± standard deviation over seeds (n = 3 unless it says otherwise).",
        "",
        table(["", *heads, "trained numbers", "seconds at 16 shots"], first),
        "",
        "Change in points against class mean + text on the same images, with the 95 % interval over images.",
        "",
        table(["", *heads], second),
        "",
        f"Not measured: {'; '.join(missing) or 'nothing is missing'}."
        + (f" With fewer than three seeds: {'; '.join(few)}." if few else ""),
        "MaPLe, PromptSRC, PromptKD-style, CoCoOp and CLIP-LoRA are in the harness and not in this table yet; nor are",
        "the papers' schedules, or base-to-novel.",
    ]
    return "\n".join(lines) + "\n"


def shots_of(row: dict[str, Any]) -> int:
    return row["shots"]


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop training after so many; run again to go on")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    until = time.time() + 60 * args.minutes
    home = Home(args.work / "curated", ALONE)
    open_demo(home, "ucmerced", curated=True)
    rows = collect(home, args.work, until)
    rows += earlier(rows)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    PAGE.write_text(page(rows))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
