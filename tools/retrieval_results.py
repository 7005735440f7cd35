"""Train the demo student on captions and measure what it finds before and after: docs/results/retrieval.md.

    python tools/retrieval_results.py --data DATA --work build/retrieval

DATA holds `aid150/`, `ucmerced/` and `captions/dataset_rsicd.json`, `captions/dataset_ucm_captions.json`, whose images
have a `path` in it. Two runs: RSICD (the images of it that AID holds; the demo pair was pre-trained on the training
captions, never on a test image) and the captions of UC Merced's images 50-99, none of which the pair has seen. A run
that is in the work folder goes on or is not repeated.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from avion_core.actor import ALONE
from avion_core.data.captioned import captioned_part, match_captions
from avion_core.data.captions import Captions, read_captions
from avion_core.data.images import content_id
from avion_core.data.project import ProjectData
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.sources import ImageFolder
from avion_core.data.splits import draw_rank, undrawn
from avion_core.experiment import Finished, Metrics, run_experiment
from avion_core.files import write_json, write_text
from avion_core.presets import PRESETS, make_config
from avion_core.protocols.harness import evaluate
from avion_core.protocols.retrieval import OWN
from avion_core.usecases.insight.rows import recall_table
from avion_core.usecases.installation.home import Home

RESULTS = Path("docs/results")
_HELD_OUT_NUMBER = 50


def held_out(path: str) -> bool:
    """Whether a picture of UC Merced is one that the demo pair has never seen: "ucmerced/beach/beach57.jpg"."""
    return int(Path(path).stem[-2:]) >= _HELD_OUT_NUMBER


RUNS: dict[str, tuple[str, Callable[[str], bool], int, str]] = {
    "RSICD": ("rsicd", lambda _: True, 1, "images of RSICD that AID holds; of the training images a part, by hash"),
    "UCM captions, 50-99": ("ucm_captions", held_out, 3, "images 50-99 of each class"),
}
"""Title -> caption file, which images, passes, and these in words."""
MOST = {"train": 1_600, "validation": 200}
"""Images of a part; all test images are measured on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/retrieval"))
    parser.add_argument("--sets", nargs="+", choices=list(RUNS), default=list(RUNS), help="only these runs")
    args = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Any]] = {}
    for title in args.sets:
        found[title] = measured(title, args.data, args.work)
        write_json(RESULTS / "retrieval.json", found, indent=1)
        write_text(RESULTS / "retrieval.md", document(found))


def measured(title: str, data: Path, work: Path) -> dict[str, Any]:
    """A run's facts and its figures on the test captions."""
    name, wanted, epochs, _ = RUNS[title]
    folder, home = work / name, Home(work / "home", ALONE)
    if (folder / "figures.json").is_file():
        return json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    project = of_captions(title, data, name, wanted)
    base = PRESETS["demo"] | {"protocol": {"name": "retrieval"}}
    config = make_config(overrides={"distillation.epochs": epochs, "distillation.validate_every": epochs}, base=base)
    kept = {"features": home.features, "weights": home.weights}
    began, summary = time.monotonic(), dict[str, Any]()
    for event in run_experiment(project, config, folder, **kept):
        if isinstance(event, Metrics) and event.step % 20 == 0:
            print(f"{title}: step {event.step} of {event.steps}, {time.monotonic() - began:.0f} s", flush=True)
        if isinstance(event, Finished):
            summary = event.summary
    report = evaluate(project, config, folder, "test", **kept)
    parts = {part: captioned_part(project, part, config.data.seed) for part in ("train", "validation", "test")}
    facts = {
        "images": {part: [len(of.image_ids), len(of.texts)] for part, of in parts.items()},
        "steps": summary["steps"],
        "seconds": round(summary["training_seconds"]),
        "rows": recall_table(report, OWN).to_dict("records"),
    }
    write_json(folder / "figures.json", facts, indent=1)
    return facts


def of_captions(title: str, data: Path, name: str, wanted: Callable[[str], bool]) -> ProjectData:
    """The images of a caption file that are in the data folder, with their captions."""
    read = read_captions(data / f"captions/dataset_{name}.json")
    here = [wanted(path) and (data / path).is_file() for path in read.table["path"]]
    table = read.table[here]
    ids = {path: content_id(data / path) for path in table["path"]}
    captions, _ = match_captions(Captions(table, []), ids)
    for part, most in MOST.items():
        images = sorted(captions.loc[captions["split"] == part, "image_id"].unique(), key=draw_rank)
        captions = captions[(captions["split"] != part) | captions["image_id"].isin(images[:most])]
    path_of = {image: path for path, image in ids.items()}
    manifest = pd.DataFrame(
        [{"image_id": image, "path": path, "label": "", "group": ""} for image, path in path_of.items()]
    )
    nothing = pd.DataFrame(columns=["description_id", "class_key", "text", "verdict", "writer"])
    return ProjectData(title, ImageFolder(data, path_of), manifest, undrawn(), RenderingRecipe(), {}, nothing, captions)


def document(found: dict[str, dict[str, Any]]) -> str:
    """The page of results, from the kept figures alone."""
    said = [
        "# Retrieval with the demo pair",
        "",
        "What the demo student finds before (zero-shot) and after training on captions, beside its teacher. Made by",
        "",
        f"    python tools/retrieval_results.py --data DATA --work build/retrieval --sets {' '.join(map(repr, found))}",
        "",
        "on one CPU core, one seed. R@K in percent, the expected hit under random order among equal scores. mR is "
        "the mean of the six, with its 95 % interval by a bootstrap over test images (each with all of its captions). "
        "Settings: the preset `demo` (batch 16, rate 0.002, cosine, augmented), the protocol `retrieval`, and the "
        "passes that the tables name. A published model's numbers cannot be compared with these: the galleries are "
        "parts of the published test sets.",
    ]
    for title, facts in found.items():
        epochs, words = RUNS[title][2:]
        counts = ", ".join(
            f"{images:,} {part} images with {texts:,} captions" for part, (images, texts) in facts["images"].items()
        )
        said += [
            "",
            f"## {title}",
            "",
            f"{words[:1].upper()}{words[1:]}: {counts}. {epochs} pass{'es' if epochs > 1 else ''}, {facts['steps']:,} "
            f"steps in {facts['seconds']:,} s beside other work.",
            "",
            *_table(facts["rows"]),
            "",
            _change(facts["rows"]),
        ]
    said += [
        "",
        "The pair was pre-trained on RSICD's training captions (demo/MODEL_CARD.md), so there the table shows what "
        "prompts add to a student that has read these captions before; of UC Merced it has seen no image from 50 on. "
        "An interval is one row's own; rows of a table are measured on the same images, so that their difference is "
        "known better than either.",
        "",
    ]
    return "\n".join(said)


def _change(rows: Sequence[dict[str, Any]]) -> str:
    """The run against the student as it was, in a sentence."""
    run, before = rows[0], next(row for row in rows if row["title"] == "Student, zero-shot")
    apart = run["low"] > before["high"] or run["high"] < before["low"]
    said = "the two intervals do not meet" if apart else "the two intervals overlap, so this shows no difference"
    return f"Trained, the student finds {run['mR'] - before['mR']:+.1f} points of mR over what it found before: {said}."


def _table(rows: Iterable[dict[str, Any]]) -> list[str]:
    names = [f"{way} R@{k}" for way in ("image to text", "text to image") for k in (1, 5, 10)]
    lines = [f"| | mR | 95 % interval | {' | '.join(names)} |", "|" + "---|" * (len(names) + 3)]
    for row in rows:
        cells = [row["title"], f"{row['mR']:.1f}", f"{row['low']:.1f} to {row['high']:.1f}"]
        lines.append(f"| {' | '.join([*cells, *(f'{row[name]:.1f}' for name in names)])} |")
    return lines


if __name__ == "__main__":
    main()
