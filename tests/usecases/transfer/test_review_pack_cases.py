"""Review without a network: a pack goes out, verdicts come back and are merged."""

from __future__ import annotations

import json
import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from avion_core.actor import ALONE
from avion_core.errors import DataError, DescriptionError
from avion_core.store import journal, verdicts
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import descriptions_of, find_project
from avion_core.usecases.curation import curation_table, evidence
from avion_core.usecases.curation.agreement import set_blind
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import read_splits
from avion_core.usecases.transfer.exchange import export_descriptions, read_records
from avion_core.usecases.transfer.packs import unpack_project
from avion_core.usecases.transfer.review_packs import (
    make_review_pack,
    merge_review,
    open_review_pack,
    returned_verdicts,
)

pytestmark = pytest.mark.usefixtures("tiny_towers")


def decide(home: Home, project: str, index: int, verdict: str, reviewer: str, **details: object) -> str:
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        key = descriptions_of(session, project_id)[index].description_id
        verdicts.add_verdict(session, project_id, key, verdict, reviewer=reviewer, **details)  # type: ignore
    return key


def standing(home: Home, project: str) -> list[tuple[str, str, bool]]:
    records, _ = read_records(home, project, scores=False)
    return [(record["text_now"], record["verdict"], record["conflict"]) for record in records]


def returned(home: Home, project: str, path: Path) -> Path:
    path.write_bytes(returned_verdicts(home, project))
    return path


@pytest.fixture
def away(tmp_path) -> Home:
    """The colleague's studio."""
    return Home(tmp_path / "away", ALONE)


def test_out_and_home_again(home, described, away, tmp_path):
    decide(home, described.id, 0, "accept", "me")
    decide(home, described.id, 1, "edit", "me", text="A beach from above, edited at home.")
    scores = curation_table(home, described.id).table.set_index("description_id")["similarity"]
    pack = make_review_pack(home, described.id, tmp_path / "scenes.review", reviewer="ann")
    assert (pack.descriptions, pack.pictures, pack.without_scores) == (12, 9, "")
    assert re.match(r"12 descriptions for ann with 9 pictures, \d\.\d MiB\.", pack.sentence)

    there = open_review_pack(away, pack.path)
    assert there.name == "scenes, review by ann"
    assert there.id != described.id
    assert standing(away, there.id) == standing(home, described.id)
    # The teacher's figures are those of home, since the embeddings of the originals came along.
    found = curation_table(away, there.id)
    judged = found.table.set_index("description_id")["similarity"]
    assert judged.to_dict() == pytest.approx(scores.to_dict(), abs=1e-6)
    shown = evidence(found, str(judged.index[0]))
    assert [match.path.suffix for match in shown.best] == [".jpg"]
    assert all(match.path.is_relative_to(away.project_folder(there.id)) for match in [*shown.best, *shown.worst])

    disputed = decide(away, there.id, 0, "reject", "me")
    decide(away, there.id, 1, "accept", "me")
    decide(away, there.id, 2, "accept", "me")
    with writing(away.engine) as session:
        verdicts.undo(session, there.id, "me")
    back = returned(away, there.id, tmp_path / "back.jsonl")

    preview = merge_review(home, described.id, back, preview=True)
    assert standing(home, described.id)[0][1:] == ("accepted", False)
    report = merge_review(home, described.id, back)
    assert preview.conflicts == report.conflicts
    assert report.brought.decisions.reviewers == {"ann": 4}
    assert report.conflicts == [disputed]
    assert report.sentence == "4 decisions merged (ann 4); 2 were known already; 1 description is in conflict now."
    assert [entry[1:] for entry in standing(home, described.id)[:3]] == [
        ("undecided", True), ("accepted", False), ("undecided", False),
    ]  # fmt: skip
    before = export_descriptions(home, described.id, scores=False).content
    assert not merge_review(home, described.id, back).brought.changes
    assert export_descriptions(home, described.id, scores=False).content == before
    with reading(home.engine) as session:
        sentences = [entry.sentence for entry in journal.entries(session, described.id)]
    assert sentences[0].startswith("From back.jsonl: 4 decisions merged (ann 4)")
    assert sentences[1] == "12 descriptions packed for review for ann."


def test_a_pack_is_opened_once(home, described, away, tmp_path):
    pack = make_review_pack(home, described.id, tmp_path / "p.review", reviewer="ann")
    first = open_review_pack(away, pack.path)
    decide(away, first.id, 0, "accept", "me")
    assert open_review_pack(away, pack.path).id == first.id
    again = make_review_pack(home, described.id, tmp_path / "q.review", reviewer="ann")
    second = open_review_pack(away, again.path)
    assert second.id != first.id
    assert second.name.startswith("scenes, review by ann, 20")


def test_in_the_same_studio(home, described, tmp_path):
    """Trying it out at home: the pack's project stands beside its origin, and the way back works all the same."""
    decide(home, described.id, 0, "accept", "me")
    pack = make_review_pack(home, described.id, tmp_path / "p.review", reviewer="ann")
    there = open_review_pack(home, pack.path)
    decide(home, there.id, 1, "reject", "me")
    report = merge_review(home, described.id, returned(home, there.id, tmp_path / "b.jsonl"))
    assert (report.brought.decisions.added, report.brought.decisions.known) == (1, 1)
    assert report.brought.decisions.reviewers == {"ann": 1}


def test_some_classes_and_the_test_set_stays_at_home(home, described, away, tmp_path):
    pack = make_review_pack(home, described.id, tmp_path / "p.review", reviewer="ann", classes=["beach"])
    assert (pack.descriptions, pack.pictures) == (4, 3)
    there = open_review_pack(away, pack.path)
    assert [entry.key for entry in there.classes] == ["beach"]
    sealed = set(read_splits(home, described.id).test)
    with ZipFile(pack.path) as archive:
        about = json.loads(archive.read("pack.json"))
        assert sum(name.startswith("images/") for name in archive.namelist()) == 3
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert about["project"]["name"] == "scenes"
    assert [image for image in sealed if image.encode() in everything] == []


def test_a_blind_project_sends_no_verdicts_of_others(home, described, away, tmp_path):
    decide(home, described.id, 0, "accept", "bob", reason="bob's own reason")
    decide(home, described.id, 1, "edit", "bob", text="A beach, edited by bob.")
    decide(home, described.id, 2, "reject", "ann")
    set_blind(home, described.id, True)
    pack = make_review_pack(home, described.id, tmp_path / "p.review", reviewer="ann")
    with ZipFile(pack.path) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"bob's own reason" not in everything
    there = open_review_pack(away, pack.path)
    assert [entry[:2] for entry in standing(away, there.id)[:3]] == [
        (standing(home, described.id)[0][0], "undecided"),
        ("A beach, edited by bob.", "undecided"),
        (standing(home, described.id)[2][0], "rejected"),
    ]
    decide(away, there.id, 0, "reject", "me")
    report = merge_review(home, described.id, returned(away, there.id, tmp_path / "b.jsonl"))
    assert len(report.conflicts) == 1


def test_the_sheet_inside_holds_all_it_needs_and_no_more(home, described, tmp_path):
    decide(home, described.id, 1, "edit", "me", text="</script><img src=x onerror=alert(1)> beach from above.")
    pack = make_review_pack(home, described.id, tmp_path / "p.review", reviewer="ann")
    with ZipFile(pack.path) as archive:
        page = archive.read("review.html").decode()
    assert page.count("</script>") == 2
    assert "http://" not in page
    assert "https://" not in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert len(data["items"]) == 12
    assert data["items"][1]["text"].startswith("</script>")
    assert {len(found) for found in data["pictures"].values()} == {2}
    assert "verdict" not in data["items"][0]


def test_who_judges_must_be_said(home, described, away, tmp_path):
    pack = make_review_pack(home, described.id, tmp_path / "p.review")
    with pytest.raises(DataError, match=r"does not name a reviewer\. Give your name \(--reviewer NAME\)\."):
        open_review_pack(away, pack.path)
    assert open_review_pack(away, pack.path, reviewer="eve").name == "scenes, review by eve"


def test_what_cannot_be_used_is_refused(home, described, away, images, tmp_path):
    pack = make_review_pack(home, described.id, tmp_path / "p.review", reviewer="ann")
    with pytest.raises(DataError, match="of the kind avion-review, not avion-project"):
        unpack_project(away, pack.path)
    with pytest.raises(DataError, match=r"was not made from a review pack: scenes\. Export its descriptions"):
        returned_verdicts(home, described.id)
    empty = create_project(home, "empty", images)
    with pytest.raises(DescriptionError, match=r"(?i)there are no descriptions to review: empty"):
        make_review_pack(home, empty.id, tmp_path / "q.review")
    there = open_review_pack(away, pack.path)
    back = returned(away, there.id, tmp_path / "b.jsonl")
    with pytest.raises(DescriptionError, match=r"holds none of this project's descriptions: b\.jsonl\. Choose the"):
        merge_review(home, empty.id, back)
