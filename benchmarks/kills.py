"""Processes killed at random moments: what they had acknowledged is there, and nothing half done is in the way.

    python -m benchmarks.kills [--kills 100] [--trainings 3] [--seed 0] [--quick]

One process after another reviews, imports a file of descriptions, packs a project or takes a pack in, says on its
output what it has done, and is killed (SIGKILL) within its first seconds of work. Then: is the database sound, does it
hold all that was acknowledged, are imports and packs there whole or not at all, do all lists open, and is what was
left behind cleared away? Trainings are killed and resumed until they end. A row counts as lost when it was
acknowledged and is not there: any loss ends the program with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import text

from avion_core.actor import ALONE
from avion_core.errors import AvionError
from avion_core.files import UNFINISHED
from avion_core.jobs.executors.local import process_of
from avion_core.jobs.process import find_living
from avion_core.store.backups import damage_of
from avion_core.store.database import reading
from avion_core.store.jobs import find_job
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.installation.home import Home
from avion_core.usecases.installation.leftovers import clear_home
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import get_project, read_projects
from avion_core.usecases.runs import launching, training, views
from avion_core.usecases.transfer.packs import pack_project, unpack_project

ROOT = Path(__file__).parents[1]
IMPORTED = 400
"""Texts in each imported file."""
LONGEST_SECONDS = 1.5
"""Of a process at work until it is killed."""
SMALL = {
    "data.shots": "2",
    "distillation.epochs": "8",
    "distillation.batch_size": "8",
    "distillation.precision": "float32",
}
KINDS = ("review", "import", "pack", "unpack")


def work(kind: str, folder: Path, project: str, begin: int) -> None:
    """Do this kind of work again and again, and say each time that it is done."""
    home = Home(folder / "home", ALONE)
    items = list(current_descriptions(home, project)["description_id"])
    print("ready", flush=True)
    for number in range(begin, begin + 100_000):
        if kind == "review":
            record_verdict(home, project, items[number % len(items)], "accept", token=f"review-{number}")
        elif kind == "import":
            file = folder / f"import-{number}.jsonl"
            rows = (
                {"class": "Forest", "text": f"Text {place} of file {number}, seen from above."}
                for place in range(IMPORTED)
            )
            file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            import_descriptions(home, project, file, writer=f"file {number}")
        elif kind == "pack":
            pack_project(home, project, folder / f"{number}.avion")
        else:
            unpack_project(home, folder / "sound.avion", name=f"taken in {number}")
        print(number, flush=True)


class Studio:
    """The home in which processes are killed, and what they had acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, Home(folder / "home", ALONE)
        self.project = open_demo(self.home, "eurosat").id
        self.done: dict[str, list[int]] = {kind: [] for kind in KINDS}
        self.begun = Counter[str]()
        pack_project(self.home, self.project, folder / "sound.avion")

    def kill(self, kind: str, moment: float) -> None:
        """Let a process do such work and kill it after so many seconds."""
        begin = 1000 * self.begun[kind]  # numbers of its own, whether or not the one before could say its last
        self.begun[kind] += 1
        command = [sys.executable, "-m", "benchmarks.kills", "--do", kind, str(self.folder), self.project, str(begin)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit(f"{kind} could not begin")
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
            self.done[kind] += [int(line) for line in process.stdout if line.endswith("\n")]

    def lost(self) -> list[str]:
        """What is not as it must be, in words."""
        found = (
            [f"the database is damaged: {damage}"] if (damage := damage_of(self.home.path / "avion.sqlite3")) else []
        )
        with reading(self.home.engine) as session:
            tokens = set(session.scalars(text("SELECT token FROM verdicts")))
            counted = session.execute(text("SELECT writer, count(*) FROM descriptions GROUP BY writer"))
            written = {str(writer): int(count) for writer, count in counted}
        found += [f"verdict {number}" for number in self.done["review"] if f"review-{number}" not in tokens]
        found += [f"import {number}" for number in self.done["import"] if f"file {number}" not in written]
        found += [f"half of {name}" for name, rows in written.items() if name.startswith("file ") and rows != IMPORTED]
        projects, damaged = read_projects(self.home)
        names = {project.name for project in projects}
        found += [f"project {number}" for number in self.done["unpack"] if f"taken in {number}" not in names]
        found += [f"a list that cannot show {project.name}" for project in damaged]
        views.list_runs(self.home)
        found += [f"pack {number}" for number in self.done["pack"] if not (self.folder / f"{number}.avion").exists()]
        clear_home(self.home)
        found += [f"litter: {path.name}" for path in self.home.path.rglob(f"*{UNFINISHED}")]
        return found

    def bad_packs(self) -> list[str]:
        """Packs that stand under their name and cannot be taken in."""
        found = []
        for pack in sorted(self.folder.glob("[0-9]*.avion"))[-20:]:
            try:
                unpack_project(self.home, pack, name=f"of {pack.stem}")
            except AvionError as error:
                found.append(f"pack {pack.name}: {error}")
        return found

    def train(self, chance: random.Random) -> tuple[int, list[str]]:
        """Kill a training three times and resume it to its end; how often it was, and what is wrong in the end."""
        kills, run = 0, launching.launch(self.home, self.project, overrides=SMALL)
        while (view := views.get_run(self.home, run)).state != "finished":
            with reading(self.home.engine) as session:
                identity = process_of(find_job(session, run))
            process = find_living(identity) if identity else None
            if view.state in ("lost", "failed", "stopped"):
                training.resume(self.home, run)
            elif process is not None and kills < 3:
                time.sleep(chance.uniform(0, 8))
                process.send_signal(signal.SIGKILL)
                kills += 1
            time.sleep(0.2)
        return kills, [] if view.accuracy is not None else ["a finished training without its accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--trainings", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one kill of each kind, and no training")
    parser.add_argument("--do", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.do:
        kind, folder, project, begin = asked.do
        work(kind, Path(folder), project, int(begin))
        return
    if asked.quick:
        asked.kills, asked.trainings = len(KINDS), 0
    chance, lost = random.Random(asked.seed), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder))
        for number in range(asked.kills):
            studio.kill(KINDS[number % len(KINDS)], chance.uniform(0, LONGEST_SECONDS))
            lost += studio.lost()
            if lost:
                break
        lost += studio.bad_packs()
        print(f"{'':<10} {'kills':>7} {'acknowledged':>14}")
        for kind in KINDS:
            print(f"{kind:<10} {studio.begun[kind]:>7} {len(studio.done[kind]):>14,}")
        for _ in range(asked.trainings):
            kills, wrong = studio.train(chance)
            print(f"{'training':<10} {kills:>7} {'finished':>14}")
            lost += wrong
        get_project(studio.home, studio.project)
    print(f"lost: {len(lost)}")
    for one in lost[:20]:
        print(f"  {one}")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
