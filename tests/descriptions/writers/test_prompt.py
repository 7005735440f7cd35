from __future__ import annotations

import pytest

from avion_core.descriptions.writers.prompt import PromptFile, find_prompt, read_prompts, save_prompt
from avion_core.errors import DescriptionError, NotFoundError


def test_shipped_prompts_ask_for_what_the_rules_want():
    prompts = read_prompts()
    assert set(prompts) == {"remote-sensing", "contrast", "plain"}
    for text in (prompts["remote-sensing"].text, prompts["contrast"].text):
        for slot in (
            "`modality`",
            "`sensor`",
            "`resolution`",
            "`region`",
            "`season`",
            "`distinguish_from`",
            "6 to 20 words",
        ):
            assert slot in text


def test_a_version_names_the_text_for_good():
    one, other = PromptFile("mine", "Write."), PromptFile("mine", "Write!")
    assert one.version.startswith("mine@")
    assert one.version != other.version
    assert PromptFile("mine", "Write.").version == one.version


def test_a_prompt_of_ones_own_is_kept_and_found(tmp_path):
    own = tmp_path / "prompts"
    saved = save_prompt(own, "sar-ships", "Describe {class} from above: 100 % data.")
    assert find_prompt("sar-ships", own) == saved
    assert set(read_prompts(own)) == {"remote-sensing", "contrast", "plain", "sar-ships"}
    assert save_prompt(own, "sar-ships", "Anew.").version != saved.version


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("../evil", "x", r"A prompt's name may hold letters, digits, - and _ only: \.\./evil\. Choose another name\."),
        ("", "x", "A prompt's name may hold letters"),
        ("plain", "x", r"This prompt ships with AVION Studio: plain\. Save yours under another name\."),
        ("mine", "  \n", r"A prompt is empty: mine\."),
        ("mine", "x" * 20_001, r"A prompt is too long: 20,001 characters\. Shorten it to 20,000 characters\."),
    ],
)
def test_prompts_that_cannot_be_kept(tmp_path, name, text, message):
    with pytest.raises(DescriptionError, match=message):
        save_prompt(tmp_path, name, text)
    assert not list(tmp_path.iterdir())


def test_a_prompt_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError, match=r"no such prompt: poem\. Choose one of: contrast, plain, remote-sensing"):
        find_prompt("poem", tmp_path)


def test_a_prompt_that_is_not_utf8(tmp_path):
    (tmp_path / "old.md").write_bytes("Beschreibe Häfen".encode("latin-1"))
    with pytest.raises(DescriptionError, match=r"not UTF-8 \(line 1\): .*old\.md\. Save it again"):
        read_prompts(tmp_path)
