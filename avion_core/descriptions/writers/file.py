"""A file as a writer: descriptions that were written elsewhere, through a batch service say, take the same way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from avion_core.descriptions.importing import ImportResult, read_descriptions
from avion_core.descriptions.schema import folded
from avion_core.descriptions.writers.prompt import Prompt
from avion_core.descriptions.writers.reply import WrittenDescription
from avion_core.descriptions.writers.writer import RawReply
from avion_core.wording import counted

_LISTED = 4


class FileWriter:
    """Answers with the texts that a file has for the class asked about (any form that can be imported).

    Args:
        class_names: class key -> prompt name.
        aliases: other name of a class -> class key.

    Raises:
        DescriptionError: the file cannot be read.
    """

    name = "file"

    def __init__(
        self, path: Path, class_names: dict[str, str], aliases: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.model = path.name
        self._by_name: dict[str, list[dict[str, str]]] = {}
        found = read_descriptions(path, class_names, aliases=aliases)
        self.left_out = _said_of(path.name, found)
        """What of the file cannot be used, as sentences; "" where all of it can."""
        for description in found.descriptions:
            fields = {name: asdict(description)[name] for name in WrittenDescription.model_fields}
            self._by_name.setdefault(class_names[description.class_key], []).append(fields)

    def write(self, prompt: Prompt) -> RawReply:
        data = json.loads(prompt.data)
        known = set(map(folded, prompt.known))
        texts = [entry for entry in self._by_name.get(data["class"]["name"], ()) if folded(entry["text"]) not in known]
        reply = json.dumps({"descriptions": texts[: data["count"]]}, ensure_ascii=False)
        return RawReply(reply, self.model, tokens_in=0, tokens_out=0, seconds=0.0)


def _said_of(name: str, found: ImportResult) -> str:
    said: list[str] = []
    if found.unknown_classes:
        some = list(found.unknown_classes.items())
        shown = ", ".join(f"{label} ({count:,})" for label, count in some[:_LISTED])
        more = f" and {len(some) - _LISTED:,} more" if len(some) > _LISTED else ""
        total = counted(sum(found.unknown_classes.values()), "text")
        said.append(
            f"{name}: {total} left out, for no class of the project is called {shown}{more}. Import the file instead: "
            "there its class names can be matched."
        )
    if found.problems:
        said.append(f"{name}: {counted(len(found.problems), 'text')} cannot be used; the first: {found.problems[0]}")
    return " ".join(said)
