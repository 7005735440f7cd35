# pyright: reportCallIssue=false
"""Nothing is lost on the way out and in: descriptions with the whole history of what people decided."""

from __future__ import annotations

import json
import uuid
from dataclasses import fields

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avion_core.actor import ALONE
from avion_core.bundled import demo_folder
from avion_core.data.tables import misread
from avion_core.descriptions.exporting import SCHEMA
from avion_core.descriptions.schema import PastDecision
from avion_core.errors import DescriptionError, NotFoundError
from avion_core.store import current_verdicts, journal, verdicts
from avion_core.store.database import reading, writing
from avion_core.store.histories import read_histories
from avion_core.store.home import Home
from avion_core.store.projects import descriptions_of
from avion_core.store.tables import Description, Verdict
from avion_core.usecases.projects import descriptions
from avion_core.usecases.projects.descriptions import import_descriptions, import_upload
from avion_core.usecases.transfer.exchange import export_descriptions, read_records
from tests import tiny_studio
from tests.usecases.transfer.exchanging import bare_project, decide, export, standing, undo

FORMS = ("jsonl", "csv", "parquet")
HOSTILE = (
    "=1+1",
    'He said "no", twice.\nThen\r\nleft;',
    "Ωmega — über 100 % 🛰",
    "a\u2028b\u0085c",
    "  padded  ",
    "None",
)


@pytest.fixture
def judged(home, tmp_path) -> str:
    """A project without images in which two people and an adjudicator did all that can be done; its id."""
    project = bare_project(home, "judged")
    texts = {"beach": list(HOSTILE), "forest": ["A forest from above.", "Dense canopy seen from above."]}
    lines = [
        {"class": key, "text": text, "writer": "gemini", "model": "m", "tokens_out": 7, "created_at": "2026-01-02"}
        for key, listed in texts.items()
        for text in listed
    ]
    file = tmp_path / "texts.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    import_descriptions(home, project, file)
    decide(home, project, 0, "accept", "ann", reason='clear, "sharp"\nand new')
    decide(home, project, 0, "reject", "bob")
    decide(home, project, 0, "accept", "eve", adjudicates=True)
    decide(home, project, 1, "edit", "ann", text="A beach, edited.")
    decide(home, project, 1, "accept", "bob")
    decide(home, project, 2, "accept", "bob")
    undo(home, project, "bob")
    decide(home, project, 3, "skip", "ann")
    decide(home, project, 4, "undecide", "bob", reason="not sure")
    with writing(home.engine) as session:
        ids = [row.description_id for row in descriptions_of(session, project)]
        verdicts.add_verdicts(session, project, ids[4:8], "reject", reviewer="ann")
        verdicts.undo(session, project, "ann")
        verdicts.add_verdicts(session, project, ids[5:7], "accept", reviewer="ann", reason="in one go")
    return project


def test_a_record_holds_every_column_of_its_tables():
    of_description = {column.name for column in Description.__table__.columns}
    of_description -= {"project_id", "reply_id"}  # replies are the project's, and travel in its pack
    named = {"created_at": "imported_at", "written_at": "created_at"}  # in files created_at is the writer's
    assert {named.get(name, name) for name in of_description} <= set(SCHEMA.names)
    of_verdict = {column.name for column in Verdict.__table__.columns} - {"id", "project_id", "description_id"}
    assert {entry.name for entry in fields(PastDecision)} == of_verdict


@pytest.mark.parametrize("form", FORMS)
def test_an_export_restores_everything_in_another_home(home, judged, tmp_path, form):
    exported = export(home, judged, form)
    other = Home(tmp_path / "other", ALONE)
    there = bare_project(other, "there")
    report = import_upload(other, there, f"x.{form}", exported)
    assert (report.added, report.known, report.problems) == (8, 0, [])
    assert (report.decisions.added, report.decisions.overtaken) == (19, 0)
    assert report.decisions.reviewers == {"ann": 13, "bob": 5, "eve": 1}
    assert export(other, there, form) == exported
    assert standing(other, there) == standing(home, judged)
    undo(home, judged, "bob")
    undo(other, there, "bob")
    assert standing(other, there) == standing(home, judged)


@pytest.mark.parametrize("form", FORMS)
def test_importing_an_export_again_changes_nothing(home, judged, form):
    before = export(home, judged)
    report = import_upload(home, judged, f"x.{form}", export(home, judged, form))
    assert (report.added, report.known, report.changes) == (0, 8, False)
    assert (report.decisions.added, report.decisions.known) == (0, 19)
    assert export(home, judged) == before
    with reading(home.engine) as session:
        assert len(journal.entries(session, judged)) == 1


def test_the_same_project_twice_in_one_home(home, judged):
    """Tokens are unique in a database, so the copy's rows carry a mark, which files do not show."""
    copy = bare_project(home, "copy")
    exported = export(home, judged)
    assert import_upload(home, copy, "x.jsonl", exported).decisions.added == 19
    assert export(home, copy) == exported
    assert not import_upload(home, copy, "x.jsonl", exported).changes
    assert not import_upload(home, judged, "x.jsonl", export(home, copy)).changes


def test_an_export_of_some_classes(home, judged):
    records, _ = read_records(home, judged, classes=["forest"], scores=False)
    assert {record["class_key"] for record in records} == {"forest"}
    with pytest.raises(NotFoundError, match=r"no such class: river\. Its classes are: beach, forest, golfcourse\."):
        read_records(home, judged, classes=["river"], scores=False)


decisions = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["accept", "reject", "edit", "undecide", "skip", "undo", "bulk"]),
        st.sampled_from(["ann", "bob"]),
        # What reads like UTF-8 taken for a Windows encoding is refused with a sentence, not restored.
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30).filter(
            lambda text: not misread(text)
        ),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.sampled_from(HOSTILE), min_size=4, max_size=4, unique=True), done=decisions)
def test_any_history_survives_in_all_forms(home, tmp_path, texts, done):
    other = Home(tmp_path / "other", ALONE)
    project = bare_project(home, uuid.uuid4().hex)
    import_upload(home, project, "x.json", json.dumps({"beach": texts}).encode())
    with writing(home.engine) as session:
        ids = [row.description_id for row in descriptions_of(session, project)]
        for place, verdict, reviewer, words, adjudicates in done:
            if verdict == "undo":
                verdicts.undo(session, project, reviewer)
            elif verdict == "bulk":
                verdicts.add_verdicts(session, project, ids[: place + 1], "accept", reviewer=reviewer, reason=words)
            elif verdict != "edit" or words.strip():
                text = words if verdict == "edit" else None
                verdicts.add_verdict(
                    session, project, ids[place], verdict, reviewer=reviewer, text=text, reason=words,  # type: ignore
                    adjudicates=adjudicates,
                )  # fmt: skip
    exported = export(home, project)
    for form in FORMS:
        there = bare_project(other, uuid.uuid4().hex)
        import_upload(other, there, f"x.{form}", export(home, project, form))
        assert export(other, there) == exported
        assert standing(other, there) == standing(home, project)
        assert not import_upload(home, project, f"x.{form}", export(other, there, form)).changes


@pytest.mark.long
def test_the_bundled_descriptions_with_their_verdicts(home, tmp_path):
    """1,447 real texts, with the 798 reference verdicts written as a history."""
    lines = (demo_folder() / "ucmerced" / "descriptions.jsonl").read_text(encoding="utf-8").splitlines()
    reference = (demo_folder() / "ucmerced" / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    judged = {row["description_id"]: row for row in map(json.loads, reference)}
    written = []
    for row in map(json.loads, lines):
        verdict = judged.get(row["description_id"])
        entry = verdict and {
            "token": f"reference-{row['description_id']}",
            "text": verdict.get("text_after") or row["text"],
            "created_at": "2026-01-02T03:04:05+00:00",
            **{name: verdict[name] for name in ("verdict", "reason", "reviewer")},
        }
        cues = {name: "; ".join(row.get(name) or []) for name in ("visual_cues", "spatial_cues")}
        written.append({**row, **cues, "history": [entry] if entry else []})
    file = tmp_path / "all.jsonl"
    file.write_text("\n".join(map(json.dumps, written)), encoding="utf-8")
    classes = tuple(sorted({row["class_key"] for row in written}))
    project = bare_project(home, "ucmerced", classes)
    report = import_descriptions(home, project, file)
    assert (report.added, report.decisions.added, report.problems) == (1447, 798, [])
    for form in FORMS:
        other = bare_project(home, form, classes)
        exported = export(home, project, form)
        assert import_upload(home, other, f"x.{form}", exported).added == 1447
        assert export(home, other, form) == exported
    assert standing(home, project) == standing(home, "parquet")
    assert sum(verdict == "accepted" for _, verdict, _ in standing(home, project).values()) > 0


@pytest.mark.parametrize("name", ["gpt_EuroSAT", "mixtral_EuroSAT", "gpt_RESISC45", "mixtral_RESISC45"])
def test_the_files_that_others_published(home, name, request):
    path = request.config.rootpath.parent / "shared" / "data" / "descriptions" / f"{name}.json"
    if not path.exists():
        pytest.skip("needs ../shared")
    published = json.loads(path.read_text(encoding="utf-8"))
    project = bare_project(home, "real", tuple(published))
    report = import_descriptions(home, project, path, writer=name.split("_")[0])
    # Refusals ("I'm sorry, but I cannot generate satellite views."), and the prompt's own "{enumerate}".
    refused = [problem for problem in report.problems if problem.endswith("of its texts, not a description.")]
    others = [problem for problem in report.problems if problem not in refused]
    assert len(refused) == (3 if name.startswith("gpt") else 0)
    assert len(others) == (name == "gpt_RESISC45")
    assert all("holds a placeholder, {enumerate}" in problem for problem in others)
    assert report.unknown_classes == {}
    assert report.added + report.duplicates + len(report.problems) == sum(map(len, published.values()))
    exported = export(home, project)
    import_upload(home, bare_project(home, "there", tuple(published)), "x.jsonl", exported)
    assert export(home, "there") == exported
    texts = json.loads(export(home, project, "json"))
    assert texts.keys() == published.keys()
    for key, listed in texts.items():
        said = [letters(text) for text in published[key]]
        for text in listed:  # list marks and emphasis are taken off: not a word is changed, none in the middle is lost
            assert any(letters(text) in whole for whole in said), text


def letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def test_texts_by_class(home, judged):
    everything = json.loads(export(home, judged, "json", choice="all"))
    assert list(everything) == ["beach", "forest"]
    assert "A beach, edited." in everything["beach"]
    accepted = json.loads(export(home, judged, "json", choice="accepted"))
    assert sum(map(len, accepted.values())) == 4
    with pytest.raises(
        DescriptionError, match=r"ithout scores it is not known which texts are kept: kept\. Install the teacher .*"
    ):
        export(home, judged, "json", choice="kept")
    with pytest.raises(DescriptionError, match=r"no such choice of texts: best\. Choose one of: kept, accepted, all\."):
        export(home, judged, "json", choice="best")
    with pytest.raises(
        DescriptionError, match=r"cannot be exported in this format: xls\. Choose one of: jsonl, csv, .*"
    ):
        export(home, judged, "xls")


def test_scores_stand_in_the_file(home, described, tiny_towers):
    exported = export_descriptions(home, described.id)
    assert exported.without_scores == ""
    assert exported.sentence == "12 descriptions with 0 decisions."
    records = [json.loads(line) for line in exported.content.decode().splitlines()]
    for record in records:
        assert -1 <= record["similarity"] <= 1
        assert isinstance(record["kept"], bool)
        assert record["why"]
    for key in tiny_studio.CLASSES:
        weights = [record["weight"] for record in records if record["class_key"] == key]
        assert sum(weights) == pytest.approx(1)
    kept = json.loads(export_descriptions(home, described.id, "json", choice="kept").content)
    assert sum(map(len, kept.values())) == sum(record["kept"] for record in records) > 0
    table = pd.read_parquet(_file(home, export_descriptions(home, described.id, "parquet").content))
    assert table["similarity"].tolist() == [record["similarity"] for record in records]


def _file(home, content):
    path = home.path / "export.parquet"
    path.write_bytes(content)
    return path


def test_without_a_teacher_the_file_says_so(home, described):
    exported = export_descriptions(home, described.id)
    assert "without scores: " in exported.sentence
    assert "georsclip-vit-h-14" in exported.sentence
    with pytest.raises(NotFoundError, match="no such project: nothing"):
        export_descriptions(home, "nothing")


def test_a_preview_changes_nothing(home, judged):
    other = bare_project(home, "other")
    exported = export(home, judged)
    report = import_upload(home, other, "x.jsonl", exported, preview=True)
    assert report.sentence.startswith("8 descriptions to add; 19 decisions to add (ann 13, bob 5, eve 1)")
    assert export(home, other) == b""
    assert import_upload(home, other, "x.jsonl", exported).changes


def test_others_write_while_a_file_is_looked_into(home, judged, monkeypatch):
    other = bare_project(home, "other")
    exported = export(home, judged)
    plan_merge = descriptions.plan_merge

    def interrupted(*arguments):
        decide(home, judged, 7, "accept", "cyd")  # "database is locked", if this were within a transaction that writes
        return plan_merge(*arguments)

    monkeypatch.setattr(descriptions, "plan_merge", interrupted)
    assert import_upload(home, other, "x.jsonl", exported, preview=True).changes
    assert standing(home, judged)[list(standing(home, judged))[7]][1] == "accepted"
    assert import_upload(home, other, "x.jsonl", exported).changes


def test_what_others_wrote_meanwhile_is_not_written_twice(home, judged, monkeypatch):
    other = bare_project(home, "other")
    exported = export(home, judged)
    plan_merge, reports = descriptions.plan_merge, []

    def overtaken(*arguments):
        plan = plan_merge(*arguments)
        if not reports:
            reports.append(None)
            reports.append(import_upload(home, other, "x.jsonl", exported))
        return plan

    monkeypatch.setattr(descriptions, "plan_merge", overtaken)
    late = import_upload(home, other, "x.jsonl", exported)
    assert (reports[1].changes, late.changes, late.known) == (True, False, 8)
    assert export(home, other) == exported
    with reading(home.engine) as session:
        assert len(journal.entries(session, other)) == 1


def test_a_history_says_by_itself_how_its_description_stands(home, judged):
    with reading(home.engine) as session:
        histories = read_histories(session, judged)
        assert {key: current_verdicts.verdict_after(history) for key, history in histories.items()} == {
            **dict.fromkeys(histories), **current_verdicts.current_verdicts(session, judged)
        }  # fmt: skip


def test_unusable_decisions_are_told_and_the_rest_is_kept(home):
    project = bare_project(home, "p")
    good = {"token": "t1", "verdict": "accept", "text": "A sea.", "reviewer": "ann", "created_at": "2026-01-02T03:04Z"}
    bad = [
        ("no", "is not an object"),
        ({**good, "token": ""}, "has no token"),
        ({**good, "reviewer": " "}, "has no reviewer"),
        ({**good, "text": None}, "has no text"),
        ({**good, "verdict": "maybe"}, "has the verdict 'maybe', which is none of accept"),
        ({**good, "created_at": "2026-01-02"}, "not a time with a time zone"),
        ({**good, "token": "x" * 65}, "a token of more than 64"),
        ({**good, "batch": 3}, "a batch that is not text"),
        ({**good, "reason": 3}, "a reason that is not text"),
        ({**good, "rule_version": -1}, "a rule_version that is not a whole number"),
        ({**good, "verdict": "undo"}, "an undo without the token it undoes"),
        ({**good, "undoes": "t1"}, "names one without being an undo"),
        ({**good, "verdict": "undo", "token": "t9", "undoes": "t8"}, "undoes 't8', which does not come before it"),
    ]
    row = {"class": "beach", "text": "A sea.", "history": [good, *(entry for entry, _ in bad)]}
    report = import_upload(home, project, "x.jsonl", json.dumps(row).encode())
    assert report.decisions.added == 1
    assert len(report.problems) == len(bad)
    for problem, (_, why) in zip(report.problems, bad, strict=True):
        assert why in problem
    for history, why in (("[", "history is not JSON"), ({}, "history is not a list")):
        row = {"class": "beach", "text": "Another sea.", "history": history}
        assert why in import_upload(home, project, "x.jsonl", json.dumps(row).encode(), preview=True).problems[0]


def test_a_broken_parquet_file_is_refused(home):
    project = bare_project(home, "p")
    with pytest.raises(DescriptionError, match=r"is not a Parquet file that can be read.*x\.parquet.*Export it again"):
        import_upload(home, project, "x.parquet", b"PAR1 nothing")
    with pytest.raises(DescriptionError, match=r"x\.parquet lacks a class or a text"):
        import_upload(home, project, "x.parquet", pd.DataFrame({"text": ["a"]}).to_parquet())
    with pytest.raises(DescriptionError, match="file of descriptions is empty"):
        import_upload(home, project, "x.parquet", pd.DataFrame({"class": [], "text": []}).to_parquet())
    report = import_upload(
        home, project, "x.parquet", pd.DataFrame({"class": ["beach"], "text": ["Plain text."]}).to_parquet()
    )
    assert report.added == 1
