from __future__ import annotations

import pytest
from sqlalchemy import Engine

from avion_core.store.database import open_database, writing
from avion_core.store.projects import add_descriptions, add_project
from avion_core.store.tables import Project


@pytest.fixture
def engine(tmp_path, monkeypatch) -> Engine:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    return open_database(tmp_path / "home")


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
