"""What a role may not do is refused by the use cases themselves, whatever page forgot to ask."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from avion_core.errors import DescriptionError, RightsError
from avion_core.usecases.curation import agreement, history, record_verdict, record_verdicts, rules
from avion_core.usecases.insight import evaluation
from avion_core.usecases.insight.alignment import look_at_test_map
from avion_core.usecases.insight.prediction import image_files, predict, predict_with_teacher
from avion_core.usecases.installation import backup
from avion_core.usecases.people import accounts
from avion_core.usecases.projects import classes
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.images import look_at_test_images, look_into
from avion_core.usecases.projects.labels import give_labels
from avion_core.usecases.projects.summaries import read_splits
from avion_core.usecases.runs import deleting, launching, training
from avion_core.usecases.transfer.packs import pack_project
from avion_core.usecases.writing import ordering
from tests.acting import by


@pytest.fixture
def team(home, monkeypatch) -> None:
    """Ana is admin, Dee adjudicator, Ben reviewer."""
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    for name, role in (("Ana", "admin"), ("Dee", "adjudicator"), ("Ben", "reviewer")):
        accounts.add_account(home, name, "nine harbours at dusk", role)


FROM_A_FILE = ordering.WritingSettings(writer="file", file="/etc/passwd")
REFUSED = {
    "change the rules of selection": [
        lambda home, who: rules.save_rules(by(who, home), "scenes", *rules.current_rules(home, "scenes")[:2]),
    ],
    "settle conflicts between reviewers": [
        lambda home, who: agreement.set_blind(by(who, home), "scenes", True),
        lambda home, who: record_verdict(by(who, home), "scenes", "d", "accept", adjudicates=True),
    ],
    "change projects, their classes and descriptions": [
        lambda home, who: classes.merge_classes(by(who, home), "scenes", "beach", "forest"),
        lambda home, who: import_descriptions(by(who, home), "scenes", home.path / "none.jsonl"),
        lambda home, who: pack_project(by(who, home), "scenes", home.path / "p.avion"),
        # What reads files of the machine that serves:
        lambda home, who: image_files(by(who, home), [home.path]),
        lambda home, who: predict(by(who, home), "latest", [home.path]),
        lambda home, who: predict_with_teacher(by(who, home), "scenes", [home.path]),
        lambda home, who: look_into(by(who, home), home.path),
        lambda home, who: ordering.plan_writing(by(who, home), "scenes", FROM_A_FILE),
        lambda home, who: ordering.order_descriptions(by(who, home), "scenes", FROM_A_FILE),
    ],
    "start and stop trainings": [
        lambda home, who: launching.launch(by(who, home), "scenes"),
        lambda home, who: training.stop(by(who, home), "latest"),
        lambda home, who: deleting.delete_run(by(who, home), "latest"),
    ],
    "open the sealed test set": [
        lambda home, who: evaluation.evaluate_run(by(who, home), "latest", "test"),
        lambda home, who: look_at_test_map(by(who, home), "latest"),
        lambda home, who: look_at_test_images(by(who, home), "scenes", "in the gallery"),
    ],
    "manage users, models and backups": [
        lambda home, who: accounts.invite(by(who, home), "admin"),
        lambda home, who: accounts.reset_password(by(who, home), "Ana"),
        lambda home, who: accounts.set_role(by(who, home), "Ben", "admin"),
        lambda home, who: backup.restore_backup(by(who, home), "newest"),
    ],
}


@pytest.mark.parametrize(("right", "use_case"), [(right, one) for right, listed in REFUSED.items() for one in listed])
def test_a_reviewer_is_refused(home, described, team, right, use_case):
    with pytest.raises(RightsError) as raised:
        use_case(home, "Ben")
    assert str(raised.value).startswith(f"As reviewer you may not {right}. Ask an ad")
    assert accounts.list_invites(home) == []


def test_who_may_and_who_owns_the_machine_are_let_pass(home, described, team):
    item = current_descriptions(home, described.id)["description_id"][0]
    record_verdict(by("Ben", home), described.id, item, "accept")
    record_verdict(by("Dee", home), described.id, item, "reject", adjudicates=True)
    record_verdict(home, described.id, item, "accept", adjudicates=True)
    assert [entry.adjudicates for entry in history(home, described.id, item)] == [False, True, True]
    assert accounts.reset_password(by("Ben", home), "Ben")  # a password of one's own is one's own matter
    with pytest.raises(RightsError, match="As adjudicator you may not manage users, models and backups"):
        accounts.set_disabled(by("Dee", home), "Ben", True)
    accounts.set_disabled(by("ana", home), "Ben", True)


def test_a_reviewer_labels_no_image_of_the_sealed_test_set(home, described, team):
    """By a forged message: the pages lay none out."""
    splits = read_splits(home, described.id)
    sealed, open_to_all = splits.test[0], next(iter(next(iter(splits.shots(1, 1).values()))))
    give_labels(by("Ben", home), described.id, {open_to_all: "beach"})
    with pytest.raises(RightsError, match="As reviewer you may not open the sealed test set"):
        give_labels(by("Ben", home), described.id, {open_to_all: "forest", sealed: "beach"})
    give_labels(by("Ana", home), described.id, {sealed: "beach"})


@pytest.mark.parametrize("text", ["x" * 10_000_000, "Aerial view\0 of a beach", "half a \ud800 pair"])
def test_no_text_is_kept_that_is_endless_or_cannot_be_stored(home, described, text):
    item = current_descriptions(home, described.id)["description_id"][0]
    for given in ({"text": text}, {"text": "Aerial view of a beach.", "reason": text}):
        with pytest.raises(DescriptionError, match=r"too long or holds signs .*at most 4,000 characters"):
            record_verdict(home, described.id, item, "edit", **given)
    with pytest.raises(DescriptionError, match="too long or holds signs"):
        record_verdicts(home, described.id, [item], "accept", reason=text)
    assert history(home, described.id, item) == []
