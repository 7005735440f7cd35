"""A project as a whole, from the command line."""

from __future__ import annotations


def test_models_are_changed_and_what_becomes_stale_is_said(scenes, answer):
    pair = ("--teacher", "demo-teacher", "--student", "demo-student")
    seen = answer("projects", "models", "scenes", *pair, "--preview")
    assert not seen["written"]
    assert "again" in seen["changes"][0]
    assert answer("projects", "models", "scenes", *pair)["changes"] == seen["changes"]
    assert answer("projects", "show", "scenes")["teacher"] == "demo-teacher"
    assert answer("projects", "models", "scenes")["changes"] == []


def test_renamed_copied_archived_and_deleted(scenes, answer, avion, tmp_path):
    assert answer("projects", "rename", "scenes", "harbours") == {"name": "harbours"}
    assert answer("projects", "duplicate", "harbours", "second")["name"] == "second"
    assert answer("projects", "archive", "second") == {"archived": True}
    listed = answer("projects", "list")["projects"]
    assert [(one["name"], one["archived"]) for one in listed] == [("harbours", False), ("second", True)]
    assert answer("projects", "archive", "second", "--undo") == {"archived": False}
    refused = avion("projects", "delete", "second")
    assert refused.exit_code
    assert "--for-good" in refused.stderr
    pack = tmp_path / "second.avion"
    assert answer("projects", "delete", "second", "--for-good", "--pack", pack)["pack"] == str(pack)
    assert pack.is_file()
    assert [one["name"] for one in answer("projects", "list")["projects"]] == ["harbours"]
