"""A map as a process of its own: it outlives the page and the server, tells how far it is, and can be ended.

    python -m avion_core.jobs.map_job --home FOLDER --job FOLDER

A thread beside the page would die with the server, and UMAP's compiled steps would hold the interpreter that serves
everybody. Everything about a job lies in its folder: request.json, process.json, progress.json and, at the end,
result.json. Nothing has to be saved on the way: embeddings are kept as they are made, and a layout is kept whole.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import psutil

from avion_core.files import write_json
from avion_core.jobs.causes import explain
from avion_core.jobs.inputs import run_inputs
from avion_core.jobs.local import end_process
from avion_core.jobs.process import ProcessId, find_living, identify
from avion_core.presets import parse_config
from avion_core.progress import remaining_seconds
from avion_core.store.home import Home

WORKER: Sequence[str] = (sys.executable, "-m", "avion_core.jobs.map_job")
State = Literal["running", "finished", "failed"]

_STARTING_SECONDS = 60.0
_TELL_SECONDS = 0.25
_children: list[subprocess.Popen[bytes]] = []
"""Processes that this one started and has to ask about when they end, else they stay as zombies."""


@dataclass(frozen=True)
class JobState:
    """How a job stands.

    request: what `start` was given. what, done, total: of the present stage; total 0 while it cannot be counted.
    seconds: since the stage began. created: seconds since 1970. map: name of the kept map, once finished. error: a
    sentence, once failed.
    """

    request: dict[str, Any]
    state: State
    created: float
    what: str = ""
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    map: str = ""
    error: str = ""

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds of this stage still to go at its pace so far; None before there is a pace."""
        return remaining_seconds(self.seconds, self.done, self.total)


def start(home: Home, folder: Path, request: dict[str, Any]) -> None:
    """Start a job in `folder`, in a session of its own; does nothing where one runs or has finished.

    Args:
        request: run, run_folder, config, settings and device, and what else the caller wants to find again.
    """
    for child in [child for child in _children if child.poll() is not None]:
        _children.remove(child)
    before = read(folder)
    if before is not None and before.state != "failed":
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        return  # somebody else has just started it
    write_json(folder / "request.json", request)
    with (folder / "log.txt").open("wb") as log:
        child = subprocess.Popen(
            [*WORKER, "--home", str(home.path), "--job", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=folder,
        )
    _children.append(child)
    try:
        write_json(folder / "process.json", asdict(identify(child.pid)))
    except psutil.NoSuchProcess:
        return  # ended already; its result says how


def read(folder: Path) -> JobState | None:
    """How the job of this folder stands; None where there is none."""
    request = _read(folder / "request.json")
    if request is None:
        return None
    # The process first, its result second: one that ends between the two has written its result.
    living = _is_living(folder)
    result = _read(folder / "result.json")
    state = JobState(request, "running", (folder / "request.json").stat().st_mtime)
    if result is not None:
        return replace(state, state="failed" if "error" in result else "finished", **result)
    if not living:
        why = "Its process ended without a word (killed, or the machine went down or out of memory). Compute it again."
        return replace(state, state="failed", error=why)
    progress = _read(folder / "progress.json") or {"what": "starting", "done": 0, "total": 0, "since": time.time()}
    since = progress.pop("since")
    return replace(state, **progress, seconds=time.time() - since)


def stop(folder: Path) -> None:
    """End the job's process, if it has one, and forget the job; what it had embedded is kept."""
    if identity := _read(folder / "process.json"):
        end_process(ProcessId(**identity))
    shutil.rmtree(folder, ignore_errors=True)


def work(home: Home, folder: Path) -> None:
    """Do a job in this process; its result or its failure is in result.json afterwards."""
    from avion_core.maps.settings import map_settings  # imports torch and friends: seconds
    from avion_core.protocols.run_map import make_run_map

    request = _read(folder / "request.json") or {}
    run_folder = Path(request["run_folder"])
    try:
        kept = make_run_map(
            run_inputs(home, request["run"]),
            parse_config(request["config"]),
            run_folder,
            map_settings(**request["settings"]),
            features=home.features,
            weights=home.weights,
            device=request["device"],
            progress=_Teller(folder / "progress.json").tell,
        )
    except Exception as error:
        traceback.print_exc()
        write_json(folder / "result.json", {"error": explain(error)[1]})
    else:
        write_json(folder / "result.json", {"map": kept.name})


def main() -> None:
    """Entry of the detached process; its output goes to the job's log."""
    parser = argparse.ArgumentParser(prog="python -m avion_core.jobs.map_job")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--job", type=Path, required=True)
    arguments = parser.parse_args()
    work(Home(arguments.home), arguments.job)


class _Teller:
    """Writes progress a few times a second, and at once when a stage begins."""

    def __init__(self, file: Path) -> None:
        self._file, self._what, self._since, self._told = file, "", 0.0, 0.0

    def tell(self, done: int, total: int, what: str) -> None:
        now = time.time()
        if what != self._what:
            self._what, self._since, self._told = what, now, 0.0
        if now - self._told > _TELL_SECONDS:
            self._told = now
            write_json(self._file, {"what": what, "done": done, "total": total, "since": self._since})


def _is_living(folder: Path) -> bool:
    identity = _read(folder / "process.json")
    if identity is None:  # its starter is about to write it, unless it died over it
        return time.time() - (folder / "request.json").stat().st_mtime < _STARTING_SECONDS
    return find_living(ProcessId(**identity)) is not None


def _read(file: Path) -> dict[str, Any] | None:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    main()
