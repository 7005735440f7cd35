from __future__ import annotations

import pytest

from avion_core.config import DescriptionsConfig, PrototypesConfig
from avion_core.errors import NotFoundError
from avion_core.store.database import reading
from avion_core.store.journal import entries
from avion_core.usecases.curation import history, record_verdict
from avion_core.usecases.curation.rules import current_rules, rule_versions, save_rules
from avion_core.usecases.projects.current_descriptions import current_descriptions
from tests.acting import by


def test_every_version_with_what_it_changed(home, described):
    prototypes, descriptions, number = current_rules(home, described.id)
    assert number == 0
    stricter = prototypes.model_copy(update={"zeta": 2.5, "flag_mode": "hard"})
    assert save_rules(by("ann", home), described.id, stricter, descriptions) == 1
    assert save_rules(by("ann", home), described.id, stricter, descriptions) == 1
    paper = descriptions.model_copy(update={"rule_set": "paper"})
    assert save_rules(by("bob", home), described.id, stricter, paper) == 2
    listed = rule_versions(home, described.id)
    assert listed[["number", "who", "what"]].to_numpy().tolist() == [
        [2, "bob", "rule_set extended → paper"],
        [1, "ann", "zeta 3.0 → 2.5, flag_mode soft → hard"],
        [0, "", "the project's defaults"],
    ]
    assert listed["when"].is_monotonic_decreasing
    with reading(home.engine) as session:
        told = [entry.sentence for entry in entries(session, described.id) if entry.kind == "rules"]
    assert told == [
        "Saved rules version 2: rule_set extended → paper.",
        "Saved rules version 1: zeta 3.0 → 2.5, flag_mode soft → hard.",
    ]


def test_a_decision_remembers_the_rules_it_was_made_under(home, described):
    item = current_descriptions(home, described.id)["description_id"][0]
    record_verdict(home, described.id, item, "accept")
    save_rules(home, described.id, PrototypesConfig(zeta=2.0), DescriptionsConfig())
    record_verdict(home, described.id, item, "reject")
    assert [entry.rule_version for entry in history(home, described.id, item)] == [0, 1]


def test_versions_of_a_project_that_is_not_there(home, described):
    with pytest.raises(NotFoundError, match="no such project: atlantis"):
        rule_versions(home, "atlantis")
