"""Every benchmark runs, in its quick form: what it measures is for `make bench` to say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs(name):
    if name in ("map_browser", "page_loads", "review_keys") and shutil.which("chromedriver") is None:
        pytest.skip("needs chromium and chromedriver (Debian: chromium-driver)")
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    assert len(run.stdout.splitlines()) > 1, run.stdout
