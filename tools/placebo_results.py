"""Placebo tests of the demos' descriptions on labelled images outside the shots, as a table for docs/results.

    python tools/placebo_results.py --work build/placebo --minutes 40

UC Merced 50-99 and EuroSAT with the demo's pair of models, seeds 1, 2 and 3, at 4 and 16 shots; with `--students` a
student is trained under each control at 4 shots as well. The descriptions are curated by the verdicts that ship with
the demo, and the sealed test set is not opened. What is in the work folder already is not measured again. Results go
to docs/results/placebo.json and docs/results/placebo.md.
"""

from __future__ import annotations

import argparse
import json
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd

from avion_core.actor import ALONE
from avion_core.descriptions.placebo import CONTROLS, NAMELESS, OWN, RANDOM
from avion_core.jobs.kinds.placebo import ANSWERS_FILE
from avion_core.protocols.placebo import ALL, Placebo
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.insight.placebo import placebo_here, read_placebo, start_placebo
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import Demo, open_demo
from avion_core.usecases.projects.summaries import get_project
from avion_core.wording import counted

DEMOS: dict[Demo, str] = {"ucmerced": "UC Merced 50-99", "eurosat": "EuroSAT, set aside"}
SEEDS, SHOTS, STUDENT_SHOTS = (1, 2, 3), (4, 16), 4
RESULTS, PAGE = Path("docs/results/placebo.json"), Path("docs/results/placebo.md")


_INTRODUCTION = """
Made by `python tools/placebo_results.py --work build/placebo --students`. The demo's pair of models and its curated
descriptions; measured on labelled images outside the shots and the sealed test set. An image that several seeds hold
out counts once, by its share. Accuracy in percent with its 95 % interval; in the last column, points by which the
class's own descriptions are better on the same images, with a 95 % interval over images and over the five draws of
what is random. Random words hold no name and no meaning: how far they come, they come by the shots' images, which
choose and weigh them as they do any texts.
"""


def answers_of(home: Home, project: str, shots: int, seed: int, *, students: bool) -> pd.DataFrame:
    """What was answered under every control; measured unless it is kept."""
    config = run_config(home, project, overrides={"data.shots": shots, "data.seed": seed})
    job = start_placebo(home, project, config, students=students, here=True)
    placebo_here(home, job, threading.Event())
    found = read_placebo(home, project, job)
    assert found is not None
    return pd.read_parquet(found.job.folder / ANSWERS_FILE)


def collect(home: Home, until: float, *, students: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for which in DEMOS:
        project = open_demo(home, which, curated=True)
        names = {entry.key: entry.prompt_name for entry in get_project(home, project.id).classes}
        for shots in SHOTS:
            tables: list[pd.DataFrame] = []
            for seed in SEEDS:
                if time.time() > until:
                    break
                with_students = students and shots == STUDENT_SHOTS and which == "ucmerced"
                tables.append(answers_of(home, project.id, shots, seed, students=with_students))
                print(f"{which}, {shots} shots, seed {seed}", flush=True)
            if not tables:
                continue
            found = Placebo(pd.concat(tables, ignore_index=True), names)
            figures = found.figures()
            words = {judge: found.gain(judge, ALL, NAMELESS, RANDOM) for judge in found.judges}
            meanings = {
                judge: pd.Series([one.meaning for one in found.verdicts(judge)]).value_counts().to_dict()
                for judge in found.judges
            }
            sentences = {judge: [one.sentence for one in found.verdicts(judge)] for judge in found.judges}
            where = {"set": which, "shots": shots, "seeds": len(tables)}
            overall = figures[figures["part"] == ALL].drop(columns="part")
            rows += [
                where
                | {"judge": judge, "figures": overall[overall["judge"] == judge].to_dict("records")}
                | {"words": words[judge], "meanings": meanings[judge], "sentences": sentences[judge]}
                for judge in found.judges
            ]
    return rows


def page(rows: list[dict[str, Any]]) -> str:
    lines = [
        "# Placebo: do the words of descriptions matter?",
        "",
        *textwrap.wrap(_INTRODUCTION.strip(), 118),
    ]
    for row in rows:
        judge = "the teacher's prototypes" if row["judge"] == "teacher" else "trained students"
        n = row["figures"][0]["n"]
        lines += ["", f"## {DEMOS[row['set']]}, {row['shots']} shots: {judge}", ""]
        lines += [
            f"{n:,} images, {counted(row['seeds'], 'seed')}.",
            "",
            "| texts | accuracy | own is better by |",
            "|---|---|---|",
        ]
        for one in row["figures"]:
            gain = (
                ""
                if one["control"] == OWN
                else f"{one['gain']:+.1f} ({one['gain_low']:+.1f} to {one['gain_high']:+.1f})"
            )
            value = f"{one['value']:.1f} ({one['low']:.1f} to {one['high']:.1f})"
            lines.append(f"| {CONTROLS[one['control']].title} | {value} | {gain} |")
        change, low, high = row["words"]
        said = (
            f"Without the names, descriptions are {change:+.1f} points ({low:+.1f} to {high:+.1f}) over random words."
        )
        shown = [row["meanings"].get(meaning, 0) for meaning in ("yes", "misleads", "unclear", "none")]
        said += f" By class: words carry meaning in {shown[0]}, mislead in {shown[1]}, and nothing can be shown in "
        lines += ["", *textwrap.wrap(f"{said}{shown[2] + shown[3]}.", 118)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1e6, help="start nothing new after so many")
    parser.add_argument("--students", action="store_true", help="train students on UC Merced as well")
    args = parser.parse_args()
    rows = collect(Home(args.work, ALONE), time.time() + 60 * args.minutes, students=args.students)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    PAGE.write_text(page(rows))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
