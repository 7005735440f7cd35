"""Placebo texts: what stands in for a class's descriptions to see whether their words do anything.

LLM descriptions often help no more than random words or a template (WaffleCLIP: Roth et al., 2023; arXiv 2412.11917).
Each placebo keeps what a description is (how many texts a class has, how many words, how long they are) and takes
away one thing: whose they are, what they mean, or the class's name in them.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import pandas as pd

from avion_core.backbones.vocabulary import whole_words
from avion_core.errors import DataError

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_JOINING = frozenset(("a", "an", "the", "of", "or", "and", "in", "on", "with", "for", "to", "by", "at"))
_FEWEST_STEM = 3


@dataclass(frozen=True)
class Control:
    """What descriptions are held against."""

    title: str
    """For people, after "with"."""
    what: str
    """What it keeps and what it takes away."""
    random: bool = False
    """Drawn by chance: several draws are made."""


OWN, TEMPLATE, SHUFFLED, RANDOM, NAMED, NAMELESS = "own", "template", "shuffled", "random", "named_random", "nameless"
CONTROLS: dict[str, Control] = {
    OWN: Control("its own descriptions", "The class's descriptions, as the rules and verdicts keep and weigh them."),
    TEMPLATE: Control("the template", "The class name in the template, and no description."),
    SHUFFLED: Control(
        "descriptions of another class", "Every class has the descriptions of another one, drawn by chance.", True
    ),
    RANDOM: Control(
        "random words", "As many texts of as many words, each replaced by a random one of the same length.", True
    ),
    NAMED: Control("its name among random words", "The same, but the words of the class's name stay.", True),
    NAMELESS: Control("its descriptions without its name", "The class's descriptions without any word of its name."),
}
"""Name in figures -> control, in the order they are shown."""


def placebo_texts(
    control: str, candidates: pd.DataFrame, class_names: Mapping[str, str], seed: int = 0, draw: int = 0
) -> pd.DataFrame:
    """The candidates of a control in the place of a project's own.

    Args:
        control: OWN, SHUFFLED, RANDOM, NAMED or NAMELESS.
        candidates: description_id, class_key, text, verdict and what else is known, one row each.
        class_names: class key -> prompt name of the classes that have candidates.
        seed, draw: of random ones; the same, the same texts.

    Returns:
        The same columns. Of NAMELESS, texts with no word left are left out.

    Raises:
        DataError: one class alone, whose descriptions no other can have.
    """
    if control == OWN:
        return candidates
    if control == SHUFFLED:
        given_to = derangement(sorted(set(candidates["class_key"])), seed, draw)
        return candidates.assign(class_key=candidates["class_key"].map(given_to))
    pairs = list(zip(candidates["class_key"], candidates["text"], strict=True))
    if control == NAMELESS:
        table = candidates.assign(text=[without_name(text, class_names[key]) for key, text in pairs])
        return table[[bool(_WORD.search(text)) for text in table["text"]]].reset_index(drop=True)
    avoided = frozenset(stem for name in class_names.values() for stem in _stems(name))
    by_length = _words_by_length(avoided)
    texts = []
    for place, (key, text) in enumerate(pairs):
        chance = random.Random(f"{seed} {draw} {place} {key}")
        kept = _stems(class_names[key]) if control == NAMED else frozenset[str]()
        written = random_words(text, by_length, chance, kept)
        if control == NAMED and not _names(text, kept):
            written = f"{class_names[key]}: {written}"
        texts.append(written)
    return candidates.assign(text=texts)


def derangement(keys: Sequence[str], seed: int, draw: int) -> dict[str, str]:
    """Key -> another key, each once: one circle through all of them (Sattolo, 1986).

    Raises:
        DataError: fewer than two keys.
    """
    if len(keys) < 2:
        hint = "Describe two classes or more."
        raise DataError("descriptions can only be exchanged between two classes or more", hint, value=len(keys))
    chance, order = random.Random(f"derangement {seed} {draw}"), list(keys)
    for last in range(len(order) - 1, 0, -1):
        other = chance.randrange(last)
        order[last], order[other] = order[other], order[last]
    return dict(zip(keys, order, strict=True))


def random_words(
    text: str, by_length: Mapping[int, Sequence[str]], chance: random.Random, kept: frozenset[str] = frozenset()
) -> str:
    """A text whose words are replaced by random ones as long, numbers by random numbers; signs and capitals stay.

    Args:
        by_length: words by their number of letters; for lengths that it lacks, the nearest that it has.
        kept: stems of words that stay.
    """

    def another(found: re.Match[str]) -> str:
        word = found[0]
        if _stem(word) in kept:
            return word
        if word.isdecimal():
            return "".join(str(chance.randrange(10)) for _ in word)
        length = min(by_length, key=lambda known: (abs(known - len(word)), known))
        drawn = chance.choice(by_length[length])
        return drawn.capitalize() if word[0].isupper() else drawn

    return _WORD.sub(another, text)


def without_name(text: str, name: str) -> str:
    """A text without any word of a class's name, in singular or plural; words such as "of" and "or" stay.

    A name written as one word ("tenniscourt") goes too.
    """
    stems = _stems(name)
    left = _WORD.sub(lambda found: "" if _stem(found[0]) in stems else found[0], text)
    left = re.sub(r"(?<=\s)-+|-+(?=\s|$)|^-+", "", left)  # the hyphen of "river-like"
    return re.sub(r"\s+([.,;:!?])", r"\1", " ".join(left.split()))


def _names(text: str, stems: frozenset[str]) -> bool:
    return any(_stem(word) in stems for word in _WORD.findall(text))


def _stems(name: str) -> frozenset[str]:
    words = _WORD.findall(name)
    told = [word for word in words if word.casefold() not in _JOINING] or words
    return frozenset(_stem(word) for word in [*told, "".join(words)])


def _stem(word: str) -> str:
    """A word without the ending of a plural or of a possessive, in small letters."""
    word = re.sub(r"['’]s?$", "", word.casefold())
    if word.endswith("ies") and len(word) > _FEWEST_STEM + 2:
        return f"{word[:-3]}y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > _FEWEST_STEM else word


def _words_by_length(avoided: frozenset[str]) -> dict[int, tuple[str, ...]]:
    """The vocabulary by number of letters, without words of any class's name."""
    found: dict[int, list[str]] = defaultdict(list, {1: list(ascii_lowercase)})
    for word in whole_words():
        if _stem(word) not in avoided:
            found[len(word)].append(word)
    return {length: tuple(words) for length, words in found.items()}
