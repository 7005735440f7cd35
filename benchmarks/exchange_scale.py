"""50,000 descriptions with 60,000 decisions out of a project and into an empty one.

    python -m benchmarks.exchange_scale [--quick]

The bundled demo's texts, numbered so that no two say the same; every one is judged once, one in ten twice with an undo.
Prints seconds by the clock and of the processor for each form, and whether a second import changed anything. --quick
takes 500 descriptions.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from avion_core.actor import ALONE
from avion_core.bundled import demo_folder
from avion_core.store.database import writing
from avion_core.store.projects import add_project
from avion_core.store.tables import Project
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.descriptions import import_upload
from avion_core.usecases.transfer.exchange import export_descriptions

COUNT, QUICK_COUNT = 50_000, 500
WHEN = "2026-01-02T03:04:05+00:00"


def project(home: Home, name: str, classes: list[str]) -> str:
    """A project without images: all that descriptions need."""
    row = Project(name=name, image_root="", modality="optical", teacher="", student="", recipe={}, defaults={})
    with writing(home.engine) as session:
        add_project(session, row, {key: key for key in classes})
    return row.id


def judged_texts(count: int) -> tuple[list[str], bytes]:
    """Class keys, and JSON lines of the texts with their histories."""
    path = demo_folder() / "ucmerced" / "descriptions.jsonl"
    real = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = []
    for number, row in enumerate(islice(cycle(real), count)):
        text = f"{row['text']} (No. {number})"
        token = f"token-{number}"
        history = [{"token": token, "verdict": "accept", "text": text, "reviewer": "ann", "created_at": WHEN}]
        if number % 10 == 0:
            back = {**history[0], "token": f"{token}-undo", "verdict": "undo", "undoes": token}
            history += [back, {**history[0], "token": f"{token}-again", "verdict": "reject"}]
        lines.append(json.dumps({"class_key": row["class_key"], "text": text, "history": history}))
    return sorted({row["class_key"] for row in real}), "\n".join(lines).encode()


def timed(label: str, call):
    begun, computed = time.perf_counter(), time.process_time()
    result = call()
    seconds, of_processor = time.perf_counter() - begun, time.process_time() - computed
    print(f"{label:28s} {seconds:6.1f} s, {of_processor:6.1f} s of one processor", flush=True)
    return result


def main(count: int) -> None:
    classes, content = judged_texts(count)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home", ALONE)
        origin = project(home, "origin", classes)
        timed("import of the first file", lambda: import_upload(home, origin, "x.jsonl", content))
        for form in ("jsonl", "csv", "parquet"):
            other = Home(Path(folder) / form, ALONE)
            there = project(other, "there", classes)
            made = timed(
                f"{form}: export", lambda form=form: export_descriptions(home, origin, form, scores=False)
            )  # fmt: skip
            print(f"{form}: {made.descriptions:,} descriptions, {made.decisions:,} decisions, "
                  f"{len(made.content) / 2**20:.1f} MiB")  # fmt: skip
            for what in ("import", "import again"):
                report = timed(f"{form}: {what}", lambda: import_upload(other, there, made.name, made.content))  # noqa: B023
            print(f"{form}: the second import changed something: {report.changes}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few descriptions: seconds")
    main(QUICK_COUNT if parser.parse_args().quick else COUNT)
