"""Two people review the same project at once, each in a program of their own: no verdict is lost or overwritten."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from avion_core.store.current_verdicts import own_decisions
from avion_core.store.database import reading, writing
from avion_core.store.projects import add_descriptions, find_project
from avion_core.usecases.curation.agreement import agreement, conflicts

EACH = 500

REVIEWER = """
from pathlib import Path
from avion_core.actor import Actor
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.installation.home import Home

home = Home(Path({home!r}), Actor({who!r}, "reviewer"))
for number in range({each}):
    verdict = "accept" if number % {agrees_in} else "reject"
    record_verdict(home, "scenes", f"d{{number:03d}}", verdict, token=f"{who}-{{number}}")
print("done")
"""


def review(home, who: str, agrees_in: int) -> subprocess.Popen[str]:
    script = textwrap.dedent(REVIEWER).format(home=str(home.path), each=EACH, who=who, agrees_in=agrees_in)
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_two_reviewers_with_500_verdicts_each(home):
    with writing(home.engine) as session:
        project = find_project(session, "scenes").id
        texts = [{"description_id": f"d{n:03d}", "class_key": "beach", "text": f"Beach {n}."} for n in range(EACH)]
        add_descriptions(session, project, texts)
    with review(home, "ann", 2) as ann, review(home, "bob", 5) as bob:
        assert [reviewer.communicate()[0] for reviewer in (ann, bob)] == ["done\n", "done\n"]

    with reading(home.engine) as session:
        for who, agrees_in in (("ann", 2), ("bob", 5)):
            expected = {f"d{n:03d}": "accept" if n % agrees_in else "reject" for n in range(EACH)}
            assert own_decisions(session, project, who) == expected
    # Of ten texts in a row ann rejects 0 2 4 6 8 and bob 0 5: they disagree on 2 4 5 6 8.
    found = agreement(home, "scenes")
    assert (found.reviewers, found.items) == (["ann", "bob"], EACH)
    assert found.pairs["agree"].tolist() == [50.0]
    assert found.kappa == 0.0
    assert len(conflicts(home, "scenes")) == EACH // 2
