"""The package as a user without make gets it: python check_package.py FOLDER_OF_THE_WHEEL

Unpacks it, compares it with the checkout, and asks it, away from the checkout, for its command line and demo.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
SETTINGS = "app/.streamlit/config.toml"  # Streamlit reads them beside its main script


def main(folder: Path) -> None:
    (wheel,) = folder.glob("*.whl")
    there = folder / "installed"
    with ZipFile(wheel) as archive:
        archive.extractall(there)
        held = set(archive.namelist())
    tracked = _output("git", "ls-files", "avion_core", "app", "pages", "demo", folder=ROOT).splitlines()
    if missing := sorted(({path for path in tracked if (ROOT / path).is_file()} | {SETTINGS}) - held):
        sys.exit(f"{wheel.name} lacks {len(missing)} files: {', '.join(missing[:5])}")
    print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.0f} MiB, {len(held)} files, all of the checkout's")

    outside = {"PYTHONPATH": str(there)}
    found = _output(
        sys.executable,
        "-c",
        "import app, avion_core.cli; from avion_core.bundled import demo_folder; print(demo_folder())",
        folder=folder,
        **outside,
    )
    if Path(found.strip()) != there / "demo":
        sys.exit(f"the package finds its demo in {found.strip()}, not in {there / 'demo'}")


def _output(*command: str, folder: Path, **variables: str) -> str:
    return subprocess.run(
        command, cwd=folder, env=os.environ | variables, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))
