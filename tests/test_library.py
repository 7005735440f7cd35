"""The engine as a library: below the store it needs none of what the studio is made of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STUDIO = [
    "alembic",
    "argon2",
    "google.genai",
    "openai",
    "openTSNE",
    "plotly",
    "psutil",
    "py3langid",
    "rich",
    "sqlalchemy",
    "starlette",
    "streamlit",
    "typer",
    "umap",
]
UPPER_FLOORS = ["avion_core.store", "avion_core.jobs", "avion_core.usecases", "avion_core.cli"]
CLIENTS = ["avion_core.descriptions.writers.gemini", "avion_core.descriptions.writers.openai_compatible"]
"""Each is the client of one service, and imported when that service is asked."""

IMPORT_ALL = f"""
import importlib, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if any(name == gone or name.startswith(gone + ".") for gone in {STUDIO}):
            raise ModuleNotFoundError(f"{{name}} is not installed")

sys.meta_path.insert(0, Missing())
import avion_core
names = [found.name for found in pkgutil.walk_packages(avion_core.__path__, "avion_core.", onerror=lambda name: None)
         if not any((found.name + ".").startswith(floor + ".") for floor in {UPPER_FLOORS + CLIENTS})]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


@pytest.mark.process
def test_the_library_floors_need_nothing_of_the_studio():
    run = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-1500:]
    assert int(run.stdout) > 60


@pytest.mark.process
def test_the_example_of_the_readme_runs(tmp_path):
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## As a library\n")[2].partition("\n## ")[0]
    code = "\n".join(line.removeprefix("    ") for line in section.splitlines() if line[:4] in ("", "    "))
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-1500:]
    first, *reasons, answer = run.stdout.splitlines()
    assert (first, answer) == ("True", "a satellite photo of a forest.")
    assert "“Aerial view”" in reasons[0]
