"""Unpack the built package and see that it holds what a checkout holds: python check_package.py FOLDER_OF_THE_WHEEL"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
MUST_HOLD = (".streamlit/config.toml",)  # under app/, where Streamlit looks beside its main script


def main(folder: Path) -> None:
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        held = set(archive.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "avion_core", "app", "pages", "demo"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    wanted = {path for path in tracked if path and (ROOT / path).is_file()} | {f"app/{name}" for name in MUST_HOLD}
    if missing := sorted(wanted - held):
        sys.exit(f"{wheel.name} lacks {len(missing)} files: {', '.join(missing[:5])}")
    print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.0f} MiB, {len(held)} files, all of the checkout's")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
