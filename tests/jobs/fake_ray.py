"""A Ray head node's Jobs API as far as the studio speaks it, which misbehaves as Ray 2.60 was seen to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TOKEN = "a-token-of-the-test"
REPEATED = """Traceback (most recent call last):
  File "job_head.py", line 418, in submit_job
ValueError: Job with submission_id {} already exists. Please use a different submission_id.
.
"""
WAITS = "Job has not started yet. It may be waiting for resources (CPUs, GPUs) to become available."


class FakeRay:
    """What the head node knows, and how it is to misbehave.

    Attributes:
        address: of its dashboard.
        jobs: submission id -> its record; emptied when a head node dies.
        requests: the bodies of what was submitted.
        asked: method and path of every question.
        open: asks for no token. slow, slow_looks: seconds before it answers what was submitted or asked.
        saves: how many looks a stopped process goes on for. broken: answers everything with a page in HTML.
    """

    def __init__(self) -> None:
        self.address = ""
        self.jobs: dict[str, dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.output: dict[str, str] = {}
        self.open, self.broken, self.saves = False, False, 0
        self.slow, self.slow_looks = 0.0, 0.0

    def choose(self, patch: pytest.MonkeyPatch) -> None:
        """From now on, jobs are submitted here."""
        patch.setenv("AVION_EXECUTOR", "ray")
        patch.setenv("AVION_RAY_ADDRESS", self.address + "/")
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)

    def set(self, name: str, status: str, message: str = "", code: int | None = None) -> None:
        """Move a job on."""
        self.jobs[name] = {"status": status, "message": message, "driver_exit_code": code}

    def answer(self, method: str, path: str, token: str | None, content: bytes) -> tuple[int, str]:
        """Status and text of an answer."""
        self.asked.append(f"{method} {path}")
        if self.broken:
            return 200, "<html>another program</html>"
        if not self.open and token is None:
            return 401, "Unauthorized: Missing authentication token"
        if not self.open and token != f"Bearer {TOKEN}":
            return 403, "Forbidden: Invalid authentication token"
        match [method, *path.strip("/").split("/")[1:]]:
            case ["GET", "version"]:
                return 200, json.dumps({"ray_version": "2.60.0"})
            case ["POST", "jobs"]:
                return self._submit(json.loads(content))
            case [_, "jobs", name, *_] if name not in self.jobs:
                return 404, f"Job {name} does not exist"
            case ["GET", "jobs", name]:
                return 200, json.dumps(self._look(name))
            case ["POST", "jobs", name, "stop"]:
                if self.jobs[name]["status"] == "RUNNING":
                    self.jobs[name]["left"] = self.saves
                return 200, json.dumps({"stopped": True})  # of one that is PENDING as well, which goes on waiting
            case ["GET", "jobs", name, "logs"]:
                return 200, json.dumps({"logs": self.output.get(name, "")})
        return 404, "404: Not Found"

    def _submit(self, request: dict[str, Any]) -> tuple[int, str]:
        name = request["submission_id"]
        if name in self.jobs:
            return 500, REPEATED.format(name)
        self.requests.append(request)
        self.set(name, "PENDING", WAITS)
        time.sleep(self.slow)
        return 200, json.dumps({"submission_id": name})

    def _look(self, name: str) -> dict[str, Any]:
        time.sleep(self.slow_looks)
        record = self.jobs[name]
        if "left" in record:
            record["left"] -= 1
            if record["left"] < 0:
                self.set(name, "STOPPED", "Job was intentionally stopped.")
        return self.jobs[name]


@contextmanager
def serving() -> Iterator[FakeRay]:
    """A head node on a free port of this machine."""
    ray = FakeRay()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = ray.answer(self.command, self.path, self.headers.get("Authorization"), content)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    ray.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield ray
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
