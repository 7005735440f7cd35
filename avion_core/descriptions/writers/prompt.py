"""What a writer is asked: a prompt file, word for word, and the class as data.

A prompt file is plain text that people read, copy and edit. It has no slots to fill: whatever belongs to one class goes
beside it as a JSON object, which the prompt explains. So a class name with quotes, braces or orders in it is a string
inside JSON and can neither break the prompt nor become part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from avion_core.errors import DescriptionError, NotFoundError
from avion_core.files import write_text
from avion_core.reading import MEBIBYTE, Subject, read_text

SHIPPED = Path(__file__).parents[1] / "prompts"
DEFAULT_PROMPT = "remote-sensing"
CONTRAST_PROMPT = "contrast"
"""Every text of it tells the class from those of `distinguish_from`."""
MOST_CHARACTERS = 20_000
_FILE = Subject("the prompt", DescriptionError, "Save it again as UTF-8.", most_bytes=MEBIBYTE)
MOST_ALREADY_WRITTEN = 200
"""Texts shown to the writer as known; more would cost more than the few repeated ones that are dropped anyway."""


@dataclass(frozen=True)
class PromptFile:
    """A prompt as it stands; `version` names its text for good, whatever becomes of the file."""

    name: str
    text: str

    @property
    def version(self) -> str:
        """Its name and the first digits of its text's SHA-256, "remote-sensing@3f2a9c1b"."""
        return f"{self.name}@{hashlib.sha256(self.text.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class ClassCard:
    """What people say a class is; all but key and name may be empty."""

    class_key: str
    name: str
    local_name: str = ""
    definition: str = ""
    includes: str = ""
    excludes: str = ""
    parent: str = ""


@dataclass(frozen=True)
class Imaging:
    """How the images of a project are taken; empty where nobody says."""

    modality: Literal["optical", "sar", "multispectral"] = "optical"
    view: Literal["nadir", "oblique"] = "nadir"
    sensor: str = ""
    resolution: str = ""
    region: str = ""
    season: str = ""


@dataclass(frozen=True)
class Prompt:
    """One request in full: the instructions, the data as JSON, and JPEG pictures of the class (training images)."""

    instructions: str
    data: str
    pictures: tuple[bytes, ...] = ()
    known: tuple[str, ...] = field(default=(), repr=False)
    """All texts of the class that are there already; data names the newest of them."""


def compose(
    prompt: PromptFile,
    card: ClassCard,
    imaging: Imaging,
    count: int,
    *,
    language: str = "English",
    distinguish_from: tuple[str, ...] = (),
    already_written: tuple[str, ...] = (),
    pictures: tuple[bytes, ...] = (),
) -> Prompt:
    """Ask for `count` descriptions of one class."""
    about = {name: value for name, value in asdict(card).items() if value and name != "class_key"}
    data: dict[str, object] = {
        "class": about,
        "imaging": {name: value for name, value in asdict(imaging).items() if value},
        "count": count,
        "language": language,
    }
    if distinguish_from:
        data["distinguish_from"] = list(distinguish_from)
    if already_written:
        data["already_written"] = list(already_written[-MOST_ALREADY_WRITTEN:])
    return Prompt(prompt.text, json.dumps(data, ensure_ascii=False, indent=1), pictures, already_written)


def read_prompts(own: Path | None = None) -> Mapping[str, PromptFile]:
    """The prompts that ship with AVION Studio and those in a folder of one's own, by name; one's own win.

    Raises:
        DescriptionError: a prompt of one's own that is empty, too long or not UTF-8.
    """
    folders = [SHIPPED] if own is None or not own.is_dir() else [SHIPPED, own]
    return {path.stem: _read(path) for folder in folders for path in sorted(folder.glob("*.md"))}


def find_prompt(name: str, own: Path | None = None) -> PromptFile:
    """A prompt by its name.

    Raises:
        NotFoundError: with the names there are.
    """
    prompts = read_prompts(own)
    if name not in prompts:
        raise NotFoundError("there is no such prompt", f"Choose one of: {', '.join(prompts)}.", value=name)
    return prompts[name]


def save_prompt(own: Path, name: str, text: str) -> PromptFile:
    """Keep a prompt of one's own; an earlier one of the name is replaced (replies keep the text they were asked with).

    Raises:
        DescriptionError: a name that is no file name or belongs to a shipped prompt, or a text that cannot be used.
    """
    if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
        raise DescriptionError(
            "a prompt's name may hold letters, digits, - and _ only", "Choose another name.", value=name
        )
    if (SHIPPED / f"{name}.md").exists():
        raise DescriptionError("this prompt ships with AVION Studio", "Save yours under another name.", value=name)
    prompt = _checked(PromptFile(name, text))
    own.mkdir(parents=True, exist_ok=True)
    write_text(own / f"{name}.md", prompt.text)
    return prompt


def _read(path: Path) -> PromptFile:
    return _checked(PromptFile(path.stem, read_text(path, _FILE)))


def _checked(prompt: PromptFile) -> PromptFile:
    if not prompt.text.strip():
        raise DescriptionError("a prompt is empty", "Write its text, or remove its file.", value=prompt.name)
    if len(prompt.text) > MOST_CHARACTERS:
        hint = f"Shorten it to {MOST_CHARACTERS:,} characters."
        raise DescriptionError("a prompt is too long", hint, value=f"{len(prompt.text):,} characters")
    return prompt
