from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Engine

from avion_core.store.database import open_database, writing
from avion_core.store.projects import add_descriptions, add_project
from avion_core.store.tables import Project
from tests.store import postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """A PostgreSQL for all tests of this process that want one."""
    programs = postgresql.programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    with postgresql.server(programs) as address:
        yield address


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.process)])
def engine(request, tmp_path, monkeypatch) -> Iterator[Engine]:
    """An empty store, in each kind of database: what holds for one must hold for the other."""
    if request.param == "sqlite":
        monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    else:
        address = postgresql.new_database(request.getfixturevalue("server"), f"t{uuid.uuid4().hex}")
        monkeypatch.setenv("AVION_DATABASE_URL", address.render_as_string(hide_password=False))
    engine = open_database(tmp_path / "home")
    yield engine
    engine.dispose()


@pytest.fixture
def project(engine) -> str:
    """A project of one class with the descriptions d1, d2 and d3; its id."""
    row = Project(
        name="harbours", image_root="/images", modality="optical", teacher="t", student="s", recipe={}, defaults={}
    )
    with writing(engine) as session:
        add_project(session, row, {"harbor": "harbor"})
        add_descriptions(
            session,
            row.id,
            [{"description_id": f"d{i}", "class_key": "harbor", "text": f"text {i}"} for i in (1, 2, 3)],
        )
    return row.id
