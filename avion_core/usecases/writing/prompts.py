"""The prompts that can be chosen, and one's own among them."""

from __future__ import annotations

from avion_core.descriptions.writers.prompt import PromptFile, read_prompts, save_prompt
from avion_core.errors import EditedMeanwhileError
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case


@use_case
def prompts(home: Home) -> dict[str, PromptFile]:
    """The prompts that can be chosen, by name: shipped ones and one's own."""
    return dict(read_prompts(home.prompts))


@use_case
def keep_prompt(home: Home, name: str, text: str, *, opened: str | None = None) -> PromptFile:
    """Save a prompt of one's own.

    Args:
        opened: the text that somebody began from. A prompt of that name with any other text is not written over.

    Raises:
        DescriptionError: a name or a text that cannot be used.
        EditedMeanwhileError: another text has this name.
    """
    there = read_prompts(home.prompts).get(name)
    if opened is not None and name not in read_prompts() and there is not None and there.text not in (opened, text):
        hint = "Compare the two, then save yours over it or under another name."
        both = {"yours": {"prompt": text}, "now": {"prompt": there.text}}
        raise EditedMeanwhileError("another text was saved under this name", hint, **both, value=name)
    return save_prompt(home.prompts, name, text)
