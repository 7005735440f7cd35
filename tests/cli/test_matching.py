"""Class names of a file, matched from the command line."""

from __future__ import annotations

import json

FILE = {"Beaches": ["Aerial view of a long pale beach."], "Woods": ["Overhead view of woods."], "forest": ["Trees."]}


def test_a_preview_prints_the_options_that_import_the_rest(scenes, avion, tmp_path):
    file = tmp_path / "f.json"
    file.write_text(json.dumps(FILE), encoding="utf-8")
    shown = avion("descriptions", "import", "scenes", file, "--preview").stdout
    assert "--match Beaches=beach" in shown
    assert "--match Woods=CLASS" in shown


def test_names_are_matched_suggested_left_out_listed_and_forgotten(scenes, answer, avion, tmp_path):
    file = tmp_path / "f.json"
    file.write_text(json.dumps(FILE), encoding="utf-8")
    wrong = avion("descriptions", "import", "scenes", file, "--match", "Beaches")
    assert wrong.exit_code
    assert "NAME=CLASS" in wrong.stderr
    done = answer("descriptions", "import", "scenes", file, "--match", "suggested", "--leave-out", "Woods")
    assert (done["matched"], done["left_out"], done["unknown_classes"]) == ({"Beaches": 1}, {"Woods": 1}, {})
    assert done["added"] == 2
    assert [row["alias"] for row in answer("classes", "aliases", "scenes")["aliases"]] == ["Beaches"]
    assert answer("classes", "forget-alias", "scenes", "Beaches") == {"forgotten": "Beaches"}
    assert answer("classes", "aliases", "scenes") == {"aliases": []}
