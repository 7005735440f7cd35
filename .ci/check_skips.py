"""Fail when a test was skipped for a reason that is not on the list: python check_skips.py RESULTS.xml ALLOWED.txt"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def main(results: Path, allowed: Path) -> None:
    reasons = {line for line in allowed.read_text().splitlines() if line and not line.startswith("#")}
    cases = ElementTree.parse(results).getroot().iter("testcase")
    skipped = [
        (case.get("classname"), case.get("name"), skip.get("message"))
        for case in cases
        for skip in case.iter("skipped")
    ]
    unexpected = [f"{file} {name}: {reason}" for file, name, reason in skipped if reason not in reasons]
    print(f"{len(skipped)} tests skipped, {len(unexpected)} of them without leave")
    if unexpected:
        sys.exit("\n".join(unexpected))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
