"""A file as a writer: descriptions that were written elsewhere, through a batch service say, take the same way."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from avion_core.descriptions.importing import read_descriptions
from avion_core.descriptions.schema import folded
from avion_core.descriptions.writers.prompt import Prompt
from avion_core.descriptions.writers.reply import WrittenDescription
from avion_core.descriptions.writers.writer import RawReply


class FileWriter:
    """Answers with the texts that a file has for the class asked about (any form that can be imported).

    Args:
        class_names: class key -> prompt name.

    Raises:
        DescriptionError: the file cannot be read.
    """

    name = "file"

    def __init__(self, path: Path, class_names: dict[str, str]) -> None:
        self.model = path.name
        self._by_name: dict[str, list[dict[str, str]]] = {}
        for description in read_descriptions(path, class_names).descriptions:
            fields = {name: asdict(description)[name] for name in WrittenDescription.model_fields}
            self._by_name.setdefault(class_names[description.class_key], []).append(fields)

    def write(self, prompt: Prompt) -> RawReply:
        data = json.loads(prompt.data)
        known = set(map(folded, prompt.known))
        texts = [entry for entry in self._by_name.get(data["class"]["name"], ()) if folded(entry["text"]) not in known]
        reply = json.dumps({"descriptions": texts[: data["count"]]}, ensure_ascii=False)
        return RawReply(reply, self.model, tokens_in=0, tokens_out=0, seconds=0.0)
