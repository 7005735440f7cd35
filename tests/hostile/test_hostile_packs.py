"""Packs with hostile values in every row and file: refused whole, or taken as a project that every list can show."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select

from avion_core.actor import ALONE
from avion_core.errors import AvionError, DataError
from avion_core.store.classes import successors
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.project_rows import project_tables
from avion_core.store.tables import Project, ProjectClass, Run
from avion_core.usecases.projects.summaries import list_projects, read_projects
from avion_core.usecases.runs.views import list_runs
from avion_core.usecases.transfer.packs import unpack_project
from avion_core.usecases.transfer.review_packs import opened_packs
from tests.hostile.values import EVERY, VALUES
from tests.usecases.conftest import images  # noqa: F401 - a fixture
from tests.usecases.transfer.test_unsound_packs import altered, edit_rows, packed_once, relisted, sound  # noqa: F401


def edit_manifest(change):
    def edit(members: dict[str, bytes]) -> None:
        table = change(pd.read_parquet(io.BytesIO(members["project/manifest.parquet"])))
        stream = io.BytesIO()
        table.to_parquet(stream)
        members["project/manifest.parquet"] = stream.getvalue()
        relisted(members)

    return edit


def edit_json(name: str, text: str):
    def edit(members: dict[str, bytes]) -> None:
        members[f"project/{name}"] = text.encode()
        relisted(members)

    return edit


def edit_splits(change):
    def edit(members: dict[str, bytes]) -> None:
        splits = json.loads(members["project/splits.json"])
        change(splits)
        members["project/splits.json"] = json.dumps(splits).encode()
        relisted(members)

    return edit


def rows(table: str, **values: object):
    return lambda members: edit_rows(members, table, **values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rows("projects", recipe={"bands": [0]}), "recipe's bands cannot be used"),
        (rows("projects", recipe=[]), "row of projects has a recipe that is no object"),
        (rows("projects", defaults={"data": {"shots": "many"}}), "settings that cannot be used"),
        (rows("projects", name=["x"]), "row of projects has a name that is no text"),
        (rows("projects", name="x" * 201), "name that is no text of at most 200 characters"),
        (rows("projects", name="\0"), "holds a text with NUL or half a character"),
        (rows("projects", created_at="0001-01-01T00:00:00+14:00"), "created_at that is no point in time"),
        (rows("classes", prompt_name=3), "prompt_name that is no text"),
        (rows("classes", retired=True, merged_into="beach"), "merges a class into itself: beach"),
        (rows("verdicts", rule_version=2**31), "rule_version that is no whole number in range"),
        (rows("verdicts", adjudicates="yes"), "adjudicates that is neither true nor false"),
        (rows("rule_versions", prototypes={"zeta": -1}), "rule version of the pack does not fit"),
        (rows("runs", config={"method": "none"}), "settings that cannot be used"),
        (rows("descriptions", tokens_in=10**30), "whole number of more than 64 bits"),
        (edit_manifest(lambda t: t.drop(columns="image_id")), "lacks the column image_id"),
        (edit_manifest(lambda t: pd.concat([t, t])), "names an image twice"),
        (edit_manifest(lambda t: t.assign(label="volcano")), "label that is no class of the project: volcano"),
        (edit_manifest(lambda t: t.assign(label=3)), "label that cannot be used: 3"),
        (edit_manifest(lambda t: t.assign(split="dev")), "split that does not exist: dev"),
        (edit_manifest(lambda t: t.iloc[:0]), "names an image that the project does not have"),
        (edit_manifest(lambda t: t.assign(width="wide")), "width that cannot be used"),
        (edit_json("splits.json", "[" * 5000), "nested more than 64 levels"),
        (edit_json("splits.json", "{}"), "frozen split does not fit its form"),
        (edit_splits(lambda s: s["test"].append("none")), "names an image that the project does not have: none"),
        (edit_splits(lambda s: s["train"]["1"].update(volcano=[])), "class that the project does not have: volcano"),
        (edit_splits(lambda s: s.update(train={}, validation={})), "images of the same seeds"),
        (edit_splits(lambda s: s["validation"].pop("2")), "images of the same seeds"),
        (edit_json("problems.json", '[{"kind": 1}]'), "list of problems does not fit its form"),
        (edit_json("review.json", '{"pack": "p"}'), "review pack says of itself does not fit its form .project"),
        (edit_json("review.json", "[]"), "review pack says of itself does not fit its form"),
    ],
)  # fmt: skip
def test_a_pack_is_refused_whole(sound, tmp_path, change, message):  # noqa: F811
    home = Home(tmp_path / "other", ALONE)
    with pytest.raises(DataError, match=message):
        unpack_project(home, altered(sound, change))
    assert_nothing_left(home)


def assert_nothing_left(home: Home) -> None:
    assert [path for path in home.path.rglob("*") if not path.name.startswith("avion.sqlite3")] == []
    with reading(home.engine) as session:
        assert [session.execute(select(table)).all() for table in project_tables()] == [[]] * len(project_tables())


def test_hostile_rows_leave_no_list_that_fails(sound, tmp_path):  # noqa: F811
    """Every column of every table with each hostile value; some are plain texts, and come in as such."""
    home, count = Home(tmp_path / "other", ALONE), 0
    columns = [(table.name, column.name) for table in project_tables() for column in table.columns]
    for (table, column), value in itertools.product(columns, VALUES):
        count += 1
        if count % (5 if EVERY == 1 else 211):
            continue

        def change(members: dict[str, bytes], table=table, column=column, value=value) -> None:
            lines = members.get(f"tables/{table}.jsonl", b"").decode().splitlines()
            changed = [json.dumps({**json.loads(line), column: "@@"}).replace('"@@"', value) for line in lines]
            members[f"tables/{table}.jsonl"] = "".join(f"{line}\n" for line in changed).encode()
            relisted(members)

        try:
            unpack_project(home, altered(sound, change), name=f"{count}")
        except AvionError as error:
            assert error.hint  # noqa: PT017
        list_projects(home)
        list_runs(home)
    assert read_projects(home)[1] == []


def test_classes_merged_in_a_circle_have_no_successor(sound, tmp_path):  # noqa: F811
    home = Home(tmp_path / "other", ALONE)
    project = unpack_project(home, sound)
    with writing(home.engine) as session:
        for card in session.scalars(select(ProjectClass)):
            card.retired, card.merged_into = True, "forest" if card.class_key == "beach" else "beach"
        session.flush()
        assert set(successors(session, project.id).values()) == {""}
    list_projects(home)


def test_a_project_whose_pack_facts_are_damaged_takes_no_other_down(sound, tmp_path):  # noqa: F811
    home = Home(tmp_path / "other", ALONE)
    project = unpack_project(home, sound)
    (home.project_folder(project.id) / "review.json").write_text('{"pack": ')
    assert opened_packs(home) == {}


@pytest.mark.parametrize("recipe", [{}, {"bands": "x"}, {"nodata_colour": 10**9}])
def test_one_damaged_project_is_named_and_the_list_goes_on(sound, tmp_path, recipe):  # noqa: F811
    home = Home(tmp_path / "other", ALONE)
    kept, broken = (unpack_project(home, sound, name=name) for name in ("kept", "broken"))
    with writing(home.engine) as session:
        session.get_one(Project, broken.id).recipe = recipe or {"what": []}
        for run in session.query(Run):
            run.config = {"method": ["none"]}
    found, damaged = read_projects(home)
    assert [project.id for project in found] == [kept.id]
    assert [(project.id, project.name) for project in damaged] == [(broken.id, "broken")]
    assert "recipe" in damaged[0].problem
    assert {run.state for run in list_runs(home)} <= {"finished", "failed", "stopped", "lost", "queued"}
    for name in ("manifest.parquet", "splits.json", "problems.json"):
        file: Path = home.project_folder(kept.id) / name
        whole = file.read_bytes()
        file.write_bytes(b"{")
        assert {project.name for project in read_projects(home)[1]} == {"kept", "broken"}
        file.unlink()
        assert {project.name for project in read_projects(home)[1]} == {"kept", "broken"}
        file.write_bytes(whole)
    assert [project.id for project in list_projects(home)] == [kept.id]
