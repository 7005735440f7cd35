"""Replies of chat assistants, pasted as they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from avion_core.descriptions.importing import read_descriptions
from avion_core.descriptions.pasted import pasted_texts

FOREST = "Aerial view of dense green forest canopy."
LAKE = "A wide blue water surface seen from above."

REPLIES = {
    "object of lists": f'Sure!\n```json\n{{"Forest": ["{FOREST}"], "Lake": ["{LAKE}"]}}\n```\nMore?',
    "objects in lists": f'{{"Forest": [{{"text": "{FOREST}"}}], "Lake": [{{"description": "{LAKE}"}}]}}',
    "rows": f'[{{"class": "Forest", "text": "{FOREST}"}}, {{"class": "Lake", "text": "{LAKE}"}}]',
    "lines": f'{{"class": "Forest", "text": "{FOREST}"}}\n{{"class": "Lake", "text": "{LAKE}"}}',
    "as asked of writers": f'[{{"class": "Forest", "descriptions": [{{"text": "{FOREST}"}}]}},'
    f' {{"class": "Lake", "descriptions": ["{LAKE}"]}}]',
    "headings": f"### 1. Forest\n1. {FOREST}\n\n## **Lake**\n- {LAKE}\n",
    "bold words": f"**Forest**\n\n* {FOREST}\n\n**Lake:**\n* {LAKE}",
    "colons": f"Forest:\n- {FOREST}\nLake:\n- {LAKE}",
    "bold beside the text": f"- **Forest**: {FOREST}\n- **Lake:** {LAKE}",
    "table": f"| Class | Description |\n|---|---|\n| Forest | {FOREST} |\n| Lake | {LAKE} |",
    "with thoughts": f"Let me think [really]\n</think>\nForest:\n- {FOREST}\nLake:\n- {LAKE}",
}


@pytest.mark.parametrize("form", REPLIES)
def test_every_form_gives_the_same_texts(form: str) -> None:
    found = [(text.label, text.text) for text in pasted_texts(REPLIES[form]) if not text.chatter]
    assert found == [("Forest", FOREST), ("Lake", LAKE)]


@pytest.mark.parametrize(
    "cell", ['"Round" tanks beside a pier.', "A road | a rail, side by side.", "Roofs, " * 30_000 + "and roofs."]
)
def test_cells_of_a_table_are_taken_as_they_stand(cell: str) -> None:
    reply = "| Class | Text |\n|---|---|\n| Tank | {} |\n| Lake |\n| Pier | {}".format(cell.replace("|", "\\|"), LAKE)
    assert [(text.label, text.text) for text in pasted_texts(reply)] == [("Tank", cell), ("Pier", LAKE)]


def test_lines_around_the_lists_are_given_back_as_such() -> None:
    found = pasted_texts(f'Of course, here you are.\n# Forest\n- {FOREST}\nTell me ["more"] if you like.')
    assert [(text.where, text.chatter) for text in found] == [("line 1", True), ("line 3", False), ("line 4", True)]


def test_a_bold_word_inside_a_text_is_no_class() -> None:
    assert [text.label for text in pasted_texts(f"# Forest\n- **Dark** {FOREST}")] == ["Forest"]


def test_lines_alone_are_texts_without_a_class() -> None:
    assert [(text.label, text.text) for text in pasted_texts(f"{FOREST}\n{LAKE}")] == [("", FOREST), ("", LAKE)]


def test_nothing_of_a_reply_is_dropped_unsaid(tmp_path: Path) -> None:
    path = tmp_path / "reply.txt"
    path.write_text(f"Gladly.\n# Forest\n- {FOREST}\n- \n# Lake\n- {LAKE}\n", encoding="utf-8")
    result = read_descriptions(path, {"forest": "forest"}, may_be_empty=True)
    assert [one.text for one in result.descriptions] == [FOREST]
    assert result.unknown_classes == {"Lake": 1}
    assert ["Gladly." in problem for problem in result.problems] == [True, False]
