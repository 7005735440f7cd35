"""One prompt for all classes of a project, for any chat assistant: for whoever has no key for a writer."""

from __future__ import annotations

import json
from dataclasses import asdict

from avion_core.descriptions.writers.prompt import DEFAULT_PROMPT, ClassCard, Imaging, find_prompt
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import get_project

PER_CLASS = 20
_SEVERAL = """\
Here are several classes at once: `classes` holds one object like `class` for each. Write `count` descriptions for each
of them. Reply with one JSON object whose keys are the classes' names, and nothing else:
{"name of a class": ["...", "..."], "name of another": ["...", "..."]}"""


@use_case
def chat_prompt(home: Home, project: str, per_class: int = PER_CLASS) -> str:
    """What to ask a chat assistant for descriptions of every class; its reply can be imported as it is."""
    found = get_project(home, project)
    cards = [
        ClassCard(
            entry.key,
            entry.prompt_name,
            local_name=entry.local_name,
            definition=entry.definition,
            includes=entry.includes,
            excludes=entry.excludes,
            parent=entry.parent,
        )
        for entry in found.classes
    ]
    about = [{name: text for name, text in asdict(card).items() if text and name != "class_key"} for card in cards]
    imaging = Imaging(modality=found.modality)  # type: ignore[arg-type]
    conditions = {name: value for name, value in asdict(imaging).items() if value}
    data = {"classes": about, "imaging": conditions, "count": per_class, "language": "English"}
    instructions = find_prompt(DEFAULT_PROMPT).text.partition("Reply with one JSON object")[0].rstrip()
    return f"{instructions}\n\n{_SEVERAL}\n\n{json.dumps(data, ensure_ascii=False, indent=1)}"
