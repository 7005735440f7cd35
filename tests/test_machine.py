"""What other programs take of the processors, with the machine's counters in the test's hand and for real."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from avion_core import machine
from avion_core.machine import OthersAtWork, processors


@pytest.fixture
def counters(monkeypatch):
    """Seconds since the beginning: the clock, all processors at work, and this process."""
    now = SimpleNamespace(clock=100.0, busy=5000.0, own=40.0)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: now.clock)
    monkeypatch.setattr(machine, "_busy", lambda: now.busy)
    monkeypatch.setattr(machine.time, "process_time", lambda: now.own)
    monkeypatch.setattr(machine, "processors", lambda: 4)
    return now


@pytest.mark.parametrize(
    ("seconds", "busy", "own", "share"),
    [(10, 10, 10, 0.0), (10, 40, 10, 0.75), (10, 40, 0, 1.0), (10, 9.9, 10, 0.0), (0.05, 0.2, 0.05, None)],
)
def test_the_share_of_others(counters, seconds, busy, own, share) -> None:
    watch = OthersAtWork()
    counters.clock, counters.busy, counters.own = 100 + seconds, 5000 + busy, 40 + own
    assert watch.share() == (None if share is None else pytest.approx(share))


def test_another_program_at_work_is_seen() -> None:
    watch = OthersAtWork()
    other = subprocess.Popen(
        [sys.executable, "-c", "import time\nend = time.time() + 60\nwhile time.time() < end: pass"]
    )
    try:
        time.sleep(1.5)
        share = watch.share()
    finally:
        other.kill()
        other.wait()
    assert share is not None
    assert share > 0.1 / processors()


def test_the_load_is_a_number_of_threads() -> None:
    assert machine.waiting_for_processors() == pytest.approx(os.getloadavg()[0], abs=5)
