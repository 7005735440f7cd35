"""How long lists of runs and jobs take in a studio that has many: all of them, and a page of them, in one run.

    python -m benchmarks.long_lists [--runs 5000] [--repeats 7] [--quick]

A generated home holds one project with that many finished runs (the default settings, a summary, two looks at the test
set each) and a map of each. "all" reads every run into what pages and commands show; "page" reads 50 of them. Medians
of the repeats in milliseconds by the clock. --quick takes 200 runs and two repeats.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

from avion_core.actor import ALONE
from avion_core.config import RunConfig
from avion_core.store.database import reading, writing
from avion_core.store.runs import count_looks, list_runs
from avion_core.store.tables import Job, Look, Project, Run, new_id, now
from avion_core.usecases.installation.home import Home
from avion_core.usecases.job_control import list_jobs
from avion_core.usecases.runs import views
from avion_core.usecases.runs.listing import known_runs, page_of_runs
from avion_core.usecases.runs.views import RunView, run_view

PAGE = 50


def make_home(folder: Path, runs: int) -> Home:
    """A home with one project, its runs and a map of each."""
    home, began = Home(folder, ALONE), now()
    config = RunConfig().model_dump(mode="json")
    summary = {"validation_accuracy": 71.3, "steps": 400, "n_eff": {f"class{k}": 12.5 for k in range(45)}}
    with writing(home.engine) as session:
        project = Project(
            name="many", image_root="/images", modality="rgb", teacher="", student="", recipe={}, defaults={}
        )
        session.add(project)
        session.flush()
        for number in range(runs):
            moment, key = began - timedelta(minutes=runs - number), new_id()
            times = {"created_at": moment, "started_at": moment, "ended_at": moment, "state": "finished"}
            job = Job(id=key, kind="training", project_id=project.id, **times)
            name = f"recommended, {2 ** (number % 5)}-shot, seed {number % 3}"
            run = Run(job=job, id=key, project_id=project.id, name=name, config=config, rule_version=1, summary=summary)
            session.add(run)
            session.flush()
            session.add_all(Look(run_id=key, who="me") for _ in range(2))
            session.add(Job(kind="mapping", project_id=project.id, request={"run": key, "key": "m"}, **times))
    return home


def one_by_one(home: Home) -> list[RunView]:
    """All runs as they were read before there were pages: the looks at the test set by a query for each run."""
    with reading(home.engine) as session:
        return [run_view(home, row, "many", count_looks(session, row.id)) for row in list_runs(session)]


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """The median of so many calls."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    return median(taken)


def main(runs: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder) / "home", runs)
        last = max(1, runs // PAGE)
        cases: dict[str, Callable[[], object]] = {
            "all runs, looks one by one": lambda: one_by_one(home),
            "all runs": lambda: views.list_runs(home, "many"),
            "first page of runs": lambda: page_of_runs(home, "many", limit=PAGE),
            "last page of runs": lambda: page_of_runs(home, "many", limit=PAGE, page=last),
            "page of runs with words": lambda: page_of_runs(home, "many", words="16-shot seed 2", limit=PAGE),
            "ids of all runs": lambda: known_runs(home, "many"),
            "first page of jobs": lambda: list_jobs(home, limit=PAGE),
            "last page of jobs": lambda: list_jobs(home, limit=PAGE, page=2 * last),
        }
        print(f"{runs:,} runs and as many maps\n{'':<34} {'ms':>8}")
        for name, work in cases.items():
            print(f"{name:<34} {milliseconds(work, repeats):>8.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="200 runs and two repeats")
    asked = parser.parse_args()
    main(*(200, 2) if asked.quick else (asked.runs, asked.repeats))
