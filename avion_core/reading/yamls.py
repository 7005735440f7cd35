"""YAML files that people write: small, without aliases, read as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from avion_core.reading.files import read_text
from avion_core.reading.subject import Subject

_MOST_EVENTS = 20_000


def read_yaml(path: Path, subject: Subject) -> Any:
    """The value in a YAML file; None where it is empty.

    Raises:
        subject.error: the file cannot be read, is no YAML, or holds aliases: they may make a small file endless.
    """
    text = read_text(path, subject)
    try:
        for number, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent) or number > _MOST_EVENTS:
                raise subject.refused("holds aliases, or too much", "Write every row out.", value=str(path))
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:160]
        raise subject.refused(f"is not YAML ({said})", value=str(path)) from None
