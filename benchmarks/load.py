"""What many reviewers at once wait for: verdicts written by 100, and pages run by a server of its own.

    python -m benchmarks.load [--reviewers 100] [--every 2] [--tabs 20] [--seconds 30] [--quick]

"Verdicts" are the use case itself, in one process as under one server, each reviewer every so many seconds; and the
same from several processes at once, which is what servers and trainings beside it do. "Page runs" are the app: a server
(`avion app`'s own), and tabs that speak its WebSocket as a browser does. Each tab opens the review of the bundled
demo, presses Accept, and presses again as soon as what moves with it has been drawn anew: what is counted is what the
server can do at most. Latencies are in milliseconds; what a run takes of the processor says what the server could do
where the machine does other work besides. Memory is the server's, after the first tenth of the time and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from avion_core.actor import ALONE, Actor
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.projects.current_descriptions import current_descriptions

ROOT = Path(__file__).parents[1]
GOAL_P99, GOAL_RUNS = 250.0, 20.0
"""Milliseconds for a verdict at 100 reviewers, and page runs a second of one server."""


def review(home: Home, project: str, items: list[str], every: float, seconds: float) -> list[float]:
    """One reviewer, who judges a text every so many seconds; milliseconds that each verdict took."""
    draw, took = Random(home.actor.name), list[float]()
    end = time.monotonic() + seconds
    time.sleep(draw.uniform(0, every))
    while time.monotonic() < end:
        start = time.perf_counter()
        record_verdict(home, project, draw.choice(items), "accept" if draw.random() < 0.5 else "reject")
        took.append(1000 * (time.perf_counter() - start))
        time.sleep(max(0.0, draw.uniform(0.5, 1.5) * every - took[-1] / 1000))
    return took


def _several(folder: Path, project: str, items: list[str], seeds: range, every: float, seconds: float) -> list[float]:
    """Reviewers of one process, a thread each."""
    home = Home(folder, ALONE)
    theirs = [home.acting_as(Actor(f"reviewer {seed}", "reviewer")) for seed in seeds]
    with ThreadPoolExecutor(len(seeds)) as people:
        work = [people.submit(review, one, project, items, every, seconds) for one in theirs]
        return [one for done in work for one in done.result()]


def verdicts(folder: Path, project: str, items: list[str], asked: argparse.Namespace, processes: int) -> list[float]:
    """Milliseconds of every verdict of all reviewers, in so many processes."""
    each = asked.reviewers // processes
    groups = [range(first, first + each) for first in range(0, each * processes, each)]
    if processes == 1:
        return _several(folder, project, items, groups[0], asked.every, asked.seconds)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        work = [pool.submit(_several, folder, project, items, of, asked.every, asked.seconds) for of in groups]
        return [one for done in work for one in done.result()]


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The app on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/server.py", "--server.port", str(port)]
    environment = {**os.environ, "AVION_HOME": str(folder)}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield port, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(20)


class Tab:
    """A browser's tab at the review page: it sends what a key sends, and hears what it would draw."""

    def __init__(self, socket: Any, project: str) -> None:
        self._socket, self._project = socket, project
        self._outbox = self._part = self._script = ""
        self._card: dict[str, Any] = {}
        self._number = 0

    async def open(self) -> None:
        while not self._card:  # the curation is made beside the page, which looks again
            await self._run([])
            await asyncio.sleep(0 if self._card else 0.2)

    async def judge(self) -> float:
        """Accept the text on the card; milliseconds until the page has been drawn with the next one."""
        self._number += 1
        sender = {name: self._card[name] for name in ("project", "reviewer")}
        decision = {"seq": self._number, "token": f"{id(self)}-{self._number}", "id": self._card["cursor"]}
        if not decision["id"]:  # all were seen: begin again
            decision["id"] = self._card["items"][0]["id"] if self._card["items"] else ""
        queue = [{"component": "review_card", "action": "accept", **sender, **decision}]
        start = time.perf_counter()
        await self._run(queue)
        return 1000 * (time.perf_counter() - start)

    async def _run(self, queue: list[dict[str, Any]]) -> None:
        asked = BackMsg()
        asked.rerun_script.query_string = f"project={self._project}"
        asked.rerun_script.page_script_hash = self._script
        asked.rerun_script.page_name = "" if self._script else "review"
        if queue:
            state = asked.rerun_script.widget_states.widgets.add()
            state.id, state.json_value = self._outbox, json.dumps({"queue": queue})
            asked.rerun_script.fragment_id = self._part
        await self._socket.send(asked.SerializeToString())
        while True:
            heard = ForwardMsg()
            heard.ParseFromString(await self._socket.recv())
            kind = heard.WhichOneof("type")
            if kind == "navigation":
                self._script = heard.navigation.page_script_hash
            if kind == "delta" and heard.delta.new_element.WhichOneof("type") == "bidi_component":
                self._hear(heard.delta)
            if kind == "script_finished" and heard.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return

    def _hear(self, delta: Any) -> None:
        component = delta.new_element.bidi_component
        if component.component_name.endswith("avion_outbox"):
            self._outbox, self._part = component.id, delta.fragment_id
        told = json.loads(component.json) if component.json else {}
        if "cursor" in told and "items" in told:
            self._card = told


async def pages(port: int, server: psutil.Process, project: str, tabs: int, seconds: float) -> dict[str, Any]:
    """Let all tabs judge for a while; milliseconds of every page run, and the server's memory early and late."""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    sockets = [await connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None) for _ in range(tabs)]
    opened = [Tab(one, project) for one in sockets]
    await opened[0].open()
    await asyncio.gather(*(tab.open() for tab in opened[1:]))
    took: list[float] = []
    start, worked = time.monotonic(), sum(server.cpu_times()[:2])

    async def work(tab: Tab) -> None:
        while time.monotonic() < start + seconds:
            took.append(await tab.judge())

    async def watch() -> tuple[float, float]:
        await asyncio.sleep(seconds / 10)
        early = server.memory_info().rss
        await asyncio.sleep(seconds * 0.9)
        return early / 2**20, server.memory_info().rss / 2**20

    memory, *_ = await asyncio.gather(watch(), *map(work, opened))
    passed, worked = time.monotonic() - start, sum(server.cpu_times()[:2]) - worked
    for one in sockets:
        await one.close()
    return {"took": took, "a second": len(took) / passed, "processor": 1000 * worked / len(took), "memory": memory}


def share(took: list[float], part: float) -> float:
    return sorted(took)[min(len(took) - 1, int(part * len(took)))]


def line(name: str, took: list[float], more: str = "") -> str:
    figures = "  ".join(f"{share(took, part):8.0f}" for part in (0.5, 0.95, 0.99, 1))
    return f"{name:<44} {len(took):>7,}  {figures}  {more}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviewers", type=int, default=100)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two verdicts of one reviewer")
    parser.add_argument("--tabs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="8 reviewers, 2 tabs, 3 seconds")
    asked = parser.parse_args()
    if asked.quick:
        asked.reviewers, asked.tabs, asked.seconds = 8, 2, 3.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = Home(folder, ALONE)
        project = open_demo(home, "eurosat").id
        items = list(current_descriptions(home, project)["description_id"])
        print(f"{'':<44} {'count':>7}  {'p50':>8}  {'p95':>8}  {'p99':>8}  {'most':>8}")
        for processes in (1, 4):
            took = verdicts(folder, project, items, asked, processes)
            what = f"verdicts, {asked.reviewers} each {asked.every:g} s, {processes} process{'es' * (processes > 1)}"
            print(line(what, took, f"p99 under {GOAL_P99:.0f}" if processes == 1 else ""), flush=True)
        with serving(folder) as (port, server):
            for tabs in (1, asked.tabs):
                found = asyncio.run(pages(port, server, project, tabs, asked.seconds))
                early, late = found["memory"]
                more = (
                    f"{found['a second']:.1f} a second (goal {GOAL_RUNS:.0f}), {found['processor']:.0f} ms of the "
                    f"processor each, {early:,.0f} -> {late:,.0f} MiB"
                )
                print(line(f"page runs of the review, {tabs} tabs", found["took"], more), flush=True)


if __name__ == "__main__":
    main()
