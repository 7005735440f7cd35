"""Another teacher or student for a project, and what that means for what was made already."""

from __future__ import annotations

import pytest

from avion_core.errors import ConfigError, NotFoundError
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.projects.models import models_change, set_models
from avion_core.usecases.projects.summaries import get_project


def test_what_becomes_stale_is_said_before_and_after(home, described) -> None:
    now = get_project(home, described.id)
    assert models_change(home, described.id, now.teacher, now.student) == []
    said = models_change(home, described.id, "demo-teacher", "demo-student")
    assert f"scores {now.descriptions} descriptions again" in said[0]
    assert "The next training starts from Demo student" in said[1]
    assert get_project(home, described.id).teacher == now.teacher  # nothing was changed
    assert set_models(home, described.id, "demo-teacher", "demo-student") == said
    after = get_project(home, described.id)
    assert (after.teacher, after.student) == ("demo-teacher", "demo-student")
    assert after.revision != now.revision  # what pages keep of the teacher's scores is made again
    config = run_config(home, described.id)
    assert (config.teacher, config.student) == ("demo-teacher", "demo-student")
    assert "Works with Demo teacher" in journal_entries(home, described.id)[0].sentence


def test_what_cannot_be_a_student_and_what_is_unknown_are_refused(home, described) -> None:
    with pytest.raises(ConfigError, match="takes no prompts"):
        set_models(home, described.id, "demo-teacher", "demo-teacher")
    with pytest.raises(NotFoundError, match="no such model"):
        set_models(home, described.id, "gpt", "demo-student")
    assert get_project(home, described.id).teacher == described.teacher
