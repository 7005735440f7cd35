"""A verdict that was acknowledged is on the disk: SIGKILL at any moment takes none away."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from avion_core.store.database import reading
from avion_core.store.projects import descriptions_of, find_project
from avion_core.store.verdicts import history

REVIEWER = """
from pathlib import Path
from avion_core.actor import ALONE
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import descriptions_of, find_project
from avion_core.store.verdicts import add_verdict

home = Home(Path({home!r}), ALONE)
with reading(home.engine) as session:
    project = find_project(session, "scenes").id
    items = [row.description_id for row in descriptions_of(session, project)]
number = {first}
while True:
    with writing(home.engine) as session:
        add_verdict(session, project, items[number % len(items)], "accept", reviewer="me", token=str(number))
    print(number, flush=True)
    number += 1
"""


def review_and_be_killed(home, moments) -> None:
    acknowledged = -1
    for moment in moments:
        script = textwrap.dedent(REVIEWER).format(home=str(home.path), first=acknowledged + 1)
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as reviewer:
            assert reviewer.stdout is not None
            acknowledged = int(reviewer.stdout.readline())
            time.sleep(moment)
            reviewer.send_signal(signal.SIGKILL)
            for line in reviewer.stdout:
                if line.endswith("\n"):
                    acknowledged = int(line)
        with reading(home.engine) as session:
            project = find_project(session, "scenes").id
            kept = {
                int(row.token)
                for item in descriptions_of(session, project)
                for row in history(session, project, item.description_id)
            }
        # One more may have been written without the killed process living to say so.
        assert kept in (set(range(acknowledged + 1)), set(range(acknowledged + 2)))
        acknowledged = max(kept)


@pytest.mark.parametrize("moment", [0.01, 0.07, 0.2])
def test_a_killed_reviewer_loses_no_verdict(home, moment):
    review_and_be_killed(home, [moment])


@pytest.mark.slow
def test_twenty_killed_reviewers_lose_no_verdict(home):
    chance = random.Random(2603)
    review_and_be_killed(home, [0.3 * chance.random() for _ in range(20)])
