from __future__ import annotations

import json

from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.descriptions import import_descriptions
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text


def test_writers_side_by_side(open_page: Open, home: Home, tmp_path):
    path = tmp_path / "more.json"
    path.write_text(json.dumps({"Forest": ["A satellite image of dense trees.", "Street level photo of one tree."]}))
    import_descriptions(home, NAME, path, writer="somebody")
    app = open_page("writers")
    table = app.dataframe[0].value
    assert sorted(table["writer"]) == ["somebody", "tests"]
    assert table.set_index("writer").at["somebody", "classes"] == "1 of 3"
    assert table.set_index("writer").at["tests", "texts"] == 27
    assert "validation images right" in all_text(app)
    assert "the class names alone" in all_text(app)


def test_without_descriptions_it_leads_to_them(open_page: Open, empty_home: Home):
    app = open_page("writers")
    assert "No project yet" in all_text(app)
