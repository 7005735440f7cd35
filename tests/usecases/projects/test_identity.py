"""What a file is about is found by the exact name first; another spelling counts where it alone fits, and is said."""

from __future__ import annotations

import json

import pytest

from avion_core.errors import DataError, NotFoundError
from avion_core.usecases.projects.classes import add_class, import_cards, merge_classes
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.labels import import_labels
from avion_core.usecases.projects.summaries import get_project, read_manifest


def write(path, *lines: str):
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def definitions(home, project) -> dict[str, str]:
    return {entry.key: entry.definition for entry in get_project(home, project.id).classes}


def test_cards_are_found_by_the_exact_class_first(home, project, tmp_path):
    for name in (">30% trees", "<30% trees"):
        add_class(home, project.id, name)
    file = write(
        tmp_path / "cards.csv", "class_key,definition", "<30% trees,few", ">30% trees,many", "Golf_Course,greens"
    )
    report = import_cards(home, project.id, file)
    found = definitions(home, project)
    assert (found["<30% trees"], found[">30% trees"], found["golfcourse"]) == ("few", "many", "greens")
    assert (sorted(report.changed), report.taken_for) == (
        sorted(["<30% trees", ">30% trees", "golfcourse"]),
        {"Golf_Course": "golfcourse"},
    )


def test_numbers_that_a_table_wrote_as_decimal_ones_change_no_card(home, project, tmp_path):
    add_class(home, project.id, "10")
    filled = write(tmp_path / "filled.csv", "class_key,code,definition", "10,7,trees", "beach,1.0,sand")
    assert import_cards(home, project.id, filled).changed == ["10", "beach"]
    back = write(
        tmp_path / "back.csv", "class_key,prompt_name,code,definition", "10.0,10.0,7.0,trees", "beach,beach,1.0,sand"
    )
    assert import_cards(home, project.id, back).changed == []


def test_a_card_that_two_rows_mean_or_none_is_refused(home, project, tmp_path):
    twice = write(tmp_path / "twice.csv", "class_key,definition", "beach,one", "Beach,two")
    with pytest.raises(DataError, match="lists a class twice: beach, Beach"):
        import_cards(home, project.id, twice)
    with pytest.raises(NotFoundError, match="no such class: lake"):
        import_cards(home, project.id, write(tmp_path / "none.csv", "class_key,definition", "beach,sand", "lake,water"))
    assert set(definitions(home, project).values()) == {""}


def test_labels_say_what_only_another_spelling_found(home, project, tmp_path):
    path = read_manifest(home, project.id)["path"].iloc[0]
    report = import_labels(
        home, project.id, write(tmp_path / "l.csv", "path,label", f"{path},Golf-Course"), preview=True
    )
    assert report.taken_for == {"Golf-Course": "golfcourse"}
    assert report.sentence.endswith("; read “Golf-Course” as “golfcourse”.")
    report = import_labels(
        home, project.id, write(tmp_path / "l.csv", "path,label", f"{path},golfcourse"), preview=True
    )
    assert "; read" not in report.sentence


def test_descriptions_say_so_too_and_signs_make_another_text(home, project, tmp_path):
    texts = ["From above, <30 % trees.", "From above, >30 % trees.", "At -5 degrees, ice.", "At 5 degrees, ice."]
    report = import_descriptions(home, project.id, write(tmp_path / "t.json", json.dumps({"golf course": texts})))
    assert (report.added, report.duplicates, report.taken_for) == (4, 0, {})  # its prompt name is golf course
    report = import_descriptions(home, project.id, write(tmp_path / "t.json", json.dumps({"golf-course": texts})))
    assert (report.added, report.known) == (0, 4)
    assert "read “golf-course” as “golfcourse”" in report.sentence


def test_verdicts_go_to_the_very_words_first(home, project, tmp_path):
    """After a merge a class may hold two spellings of a text, each with decisions of its own."""
    both = {"beach": ["Dense canopy seen from above."], "forest": ["dense canopy, seen from above"]}
    import_descriptions(home, project.id, write(tmp_path / "t.json", json.dumps(both)))
    merge_classes(home, project.id, "beach", "forest")

    def judged(text: str, token: str) -> str:
        decision = {"token": token, "verdict": "accept", "text": text, "reviewer": "Ada"}
        history = [{**decision, "created_at": "2026-01-02T03:04:05+00:00"}]
        row = {"class_key": "forest", "text": text, "description_id": f"elsewhere-{token}", "history": history}
        return json.dumps(row)

    file = write(tmp_path / "v.jsonl", judged("dense canopy, seen from above", "a"))
    assert import_descriptions(home, project.id, file).added == 0
    now = current_descriptions(home, project.id).set_index("text")
    assert now["verdict"].to_dict() == {
        "Dense canopy seen from above.": "undecided",
        "dense canopy, seen from above": "accepted",
    }
    file = write(tmp_path / "v.jsonl", judged("DENSE CANOPY SEEN FROM ABOVE", "b"))
    assert import_descriptions(home, project.id, file).added == 1  # either would do, so it is neither
