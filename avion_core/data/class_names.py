"""From class keys (folder names, labels) to the words that prompts and people read.

Keys stay as they were given; only the prompt name is made here, and a person may change it in the project.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from avion_core.data.problems import Problem

# Words that no rule can find in a glued key. Names of two or more words from the eight catalog data sets
# (catalog.py), in the form that a prompt should use; keys are matched with case and separators left out.
_GLUED = """
    bare land, baseball diamond, baseball field, basketball court, chaparral, christmas tree farm, circular farmland,
    closed road, coastal mansion, commercial area, crosswalk, dense residential, ferry terminal, football field,
    golf course, ground track field, industrial area, medium residential, mobile home park, nursing home,
    oil gas field, oil well, parking lot, parking space, railway station, rectangular farmland, runway marking,
    sea ice, shipping yard, solar panel, sparse residential, storage tank, storage tanks, swimming pool, tennis court,
    thermal power station, transformer station, wastewater treatment plant, annual crop, herbaceous vegetation,
    permanent crop
"""


def fold(name: str) -> str:
    """A name without case, accents' encoding, spaces and punctuation: equal folds are one name to a reader."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())


_TABLE = {fold(name): " ".join(name.split()) for name in _GLUED.split(",")} | {"sealake": "sea or lake"}


def prompt_name(class_key: str) -> str:
    """Readable words for a class key: `mobilehomepark` -> "mobile home park", `StorageTanks` -> "storage tanks".

    Known glued names come from a table. Otherwise words are split at `_`, `-`, `.`, spaces, a capital inside a
    word, and digits after a word; a leading number ("01_forest") is dropped, codes ("T62", "2S1") stay whole.
    """
    key = unicodedata.normalize("NFC", class_key).strip()
    key = re.sub(r"^\d+[\s._-]+(?=.*[^\W\d_])", "", key)
    if known := _TABLE.get(fold(key)):
        return known
    words = re.split(r"[\s._-]+", key)
    name = " ".join(part.lower() for word in words for part in _split_case(word) if part)
    return name or class_key


def prompt_names(keys: Iterable[str]) -> dict[str, str]:
    """The prompt name of each key, in the order given."""
    return {key: prompt_name(key) for key in keys}


def name_collisions(keys: Iterable[str]) -> list[Problem]:
    """One Problem for each set of keys that would share a prompt name, and so could not be told apart."""
    sharing: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        sharing[fold(prompt_name(key))].add(key)
    return [
        Problem(
            "name_collision",
            min(same),
            f"The classes {', '.join(sorted(same))} would all be called “{prompt_name(min(same))}”. "
            "Merge them, or give each a prompt name of its own.",
        )
        for _, same in sorted(sharing.items())
        if len(same) > 1
    ]


def _split_case(word: str) -> list[str]:
    """Split at lower-to-upper ("bareLand"), before the last capital of a run ("SARImage"), and at "area2"."""
    cuts = [0]
    for i in range(1, len(word)):
        before, here, after = word[i - 1], word[i], word[i + 1 : i + 2]
        if (
            (before.islower() and here.isupper())
            or (before.isupper() and here.isupper() and after.islower())
            or (here.isdigit() and before.islower() and word[i - 2 : i - 1].isalpha())
        ):
            cuts.append(i)
    return [word[start:end] for start, end in zip(cuts, [*cuts[1:], len(word)], strict=True)]
