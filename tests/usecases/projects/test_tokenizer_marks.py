"""Signs of the tokenizers' own, wherever a text comes in; and names that the models read as one, before a run."""

from __future__ import annotations

import json

import pytest

from avion_core.data.captions import read_captions
from avion_core.errors import AvionError
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.projects.classes import add_class, rename_class
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.runs.preflight import preflight

MARKED = "Aerial view of a &lt;end_of_text&gt; long and sandy beach."


@pytest.mark.parametrize(
    "bring_in",
    [
        lambda home, p: add_class(home, p, "pier <end_of_text>"),
        lambda home, p: rename_class(home, p, "beach", "beach [SEP] dunes"),
        lambda home, p: record_verdict(
            home, p, current_descriptions(home, p)["description_id"][0], "edit", text=MARKED
        ),
        lambda home, p: run_config(home, p, overrides={"model.template": "a photo <END_OF_TEXT> of {}."}),
    ],
)
def test_a_mark_is_refused_where_it_comes_in(home, described, bring_in) -> None:
    with pytest.raises(AvionError, match=r"which the models read as a sign of their own"):
        bring_in(home, described.id)


def test_a_mark_in_a_file_of_descriptions_is_reported_and_left_out(home, described, tmp_path) -> None:
    file = tmp_path / "more.json"
    file.write_text(json.dumps({"beach": [MARKED, "Aerial view of a beach with many parasols."]}), encoding="utf-8")
    import_descriptions(home, described.id, file)
    texts = current_descriptions(home, described.id)["text"]
    assert (texts == "Aerial view of a beach with many parasols.").any()
    assert not texts.str.contains("end_of_text").any()


def test_a_caption_with_a_mark_is_left_out_and_reported(tmp_path) -> None:
    file = tmp_path / "captions.json"
    sentences = [{"raw": "a pier"}, {"raw": "a pier <end_of_text> at sea"}]
    file.write_text(json.dumps({"images": [{"filename": "a.tif", "split": "train", "sentences": sentences}]}))
    found = read_captions(file)
    assert found.table["captions"].tolist() == [("a pier",)]
    assert [problem.kind for problem in found.problems] == ["marked_caption"]


def test_names_that_read_the_same_are_found_before_a_run(home, described) -> None:
    def checks(overrides=None) -> dict[str, str]:
        found = preflight(home, described.id, run_config(home, described.id, overrides=overrides))
        return {check.severity: check.message for check in found if check.title == "Class names"}

    assert checks() == {}
    assert "The models read the same for two classes" in checks({"model.template": "very " * 80 + "{}"})["error"]
    rename_class(home, described.id, "beach", "beach with " + "very " * 80 + "fine sand")
    assert checks()["warning"].endswith("the end is cut off here: beach.")
    rename_class(home, described.id, "forest", "beach with " + "very " * 80 + "coarse sand")
    assert "The models read the same for two classes" in checks()["error"]
