"""RS-Flag: does a description speak of an overhead view? (docs/method.md section 2.)

    flag = 1  if the text has a positive term, no negative term, and 6 to 20 words, else 0

The word lists are data, under `rules/`; this file knows how to read and apply them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Literal

import yaml

from avion_core.wording import counted

DASH = r"[-\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
_LETTER_OR_DIGIT = r"[^\W_]"
GAP = rf"(?:\s+|\s*{DASH}\s*)"

# Letters beyond ASCII that are a Latin letter in other case: i with and without its dot, the long s, the Kelvin sign.
_LIKE_LATIN = str.maketrans("İıſ\u212a", "iisk")

Kind = Literal["positive", "negative"]


@dataclass(frozen=True)
class TermHit:
    """A term found in a text: `text[start:end]` is what was read, `term` the entry of the rule set."""

    start: int
    end: int
    term: str
    kind: Kind


@dataclass(frozen=True)
class Reason:
    """One rule's verdict in a sentence. `rule` is "positive", "negative" or "words"."""

    rule: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class RSFlag:
    """The verdict on one text: every rule's reason, and where each term stands in the original text.

    Which rules hold is known at once; reasons and hits are found when somebody looks, since of the 50,000 texts of a
    large project few are looked at.
    """

    text: str = field(repr=False)
    rules: RuleSet = field(repr=False)
    positive: bool
    """Speaks of an overhead view."""
    negative: bool
    """Does not speak of a ground-level view."""
    words: int

    @property
    def length(self) -> bool:
        """Has as many words as the rules ask for."""
        return self.rules.least_words <= self.words <= self.rules.most_words

    @property
    def flag(self) -> bool:
        return self.positive and self.negative and self.length

    @cached_property
    def hits(self) -> tuple[TermHit, ...]:
        return tuple(sorted(self.rules.find(_fold(self.text)), key=lambda hit: hit.start))

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        positive = [hit for hit in self.hits if hit.kind == "positive"]
        negative = [hit for hit in self.hits if hit.kind == "negative"]
        return (
            Reason(
                "positive",
                self.positive,
                f"Mentions an overhead view: {_quoted(self.text, positive)}."
                if positive
                else "No term for an overhead view, such as aerial view or satellite imagery.",
            ),
            Reason(
                "negative",
                self.negative,
                f"Mentions a ground-level view: {_quoted(self.text, negative)}."
                if negative
                else "No term for a ground-level view.",
            ),
            _length_reason(self.words, self.rules.least_words, self.rules.most_words),
        )


@dataclass(frozen=True)
class Terms:
    """Entries of a rule set with a pattern for each of them, to be read against folded text."""

    entries: tuple[str, ...]
    patterns: tuple[str, ...]
    """As alternatives between `before` and `after`."""
    before: str
    after: str
    stems: tuple[str, ...]
    """Every match contains one of these, so that most texts are told free of matches without an expression."""

    @cached_property
    def any_of_them(self) -> re.Pattern[str]:
        """Says whether; without a group for each entry that is twice as fast."""
        return re.compile(f"{self.before}(?:{'|'.join(self.patterns)}){self.after}")

    @cached_property
    def which_of_them(self) -> re.Pattern[str]:
        return re.compile(f"{self.before}(?:{'|'.join(f'({pattern})' for pattern in self.patterns)}){self.after}")

    def may_be_in(self, folded: str) -> bool:
        for stem in self.stems:  # noqa: SIM110 (three times as fast as any() here, and called for every text)
            if stem in folded:
                return True
        return False

    def find(self, folded: str, kind: Kind) -> list[TermHit]:
        if not self.may_be_in(folded):
            return []
        return [
            TermHit(match.start(), match.end(), self.entries[(match.lastindex or 1) - 1], kind)
            for match in self.which_of_them.finditer(folded)
        ]

    def is_in(self, folded: str) -> bool:
        return self.may_be_in(folded) and self.any_of_them.search(folded) is not None


@dataclass(frozen=True, eq=False)  # one object per name and modality: told apart by identity, which hashes fast
class RuleSet:
    """A named, versioned set of RS-Flag rules for one modality."""

    name: str
    version: int
    modality: str
    least_words: int
    most_words: int
    positive: Terms = field(repr=False)
    negative: Terms = field(repr=False)
    ignored: Terms | None = field(repr=False)

    def judge(self, text: str) -> RSFlag:
        """RS-Flag of a text, with every reason; the same text is judged once (sliders ask again and again)."""
        return _judge(self, text)

    def find(self, folded: str) -> list[TermHit]:
        """Every term that counts, positive ones first."""
        hits = self.positive.find(folded, "positive") + self.negative.find(folded, "negative")
        if hits and self.ignored:
            ignored = self.ignored.find(folded, "negative")
            hits = [hit for hit in hits if not any(phrase.start <= hit.start < phrase.end for phrase in ignored)]
        return hits


@lru_cache(maxsize=200_000)  # every text of a large project under both rule sets
def _judge(rules: RuleSet, text: str) -> RSFlag:
    folded = _fold(text)
    positive, negative = rules.positive.is_in(folded), rules.negative.is_in(folded)
    if (positive or negative) and rules.ignored and rules.ignored.is_in(folded):
        kinds = {hit.kind for hit in rules.find(folded)}
        positive, negative = "positive" in kinds, "negative" in kinds
    return RSFlag(text, rules, positive, not negative, len(text.split()))


def _fold(text: str) -> str:
    """The text in lower case, character for character, so that places in it stay what they are.

    Expressions without IGNORECASE on folded text are several times as fast as with it on the text.
    """
    return text.lower() if text.isascii() else text.translate(_LIKE_LATIN).lower()


def _length_reason(words: int, least: int, most: int) -> Reason:
    length = counted(words, "word")
    if words < least:
        return Reason("words", False, f"Too short: {length}, where {least} to {most} are required.")
    if words > most:
        return Reason("words", False, f"Too long: {length}, where {least} to {most} are required.")
    return Reason("words", True, f"Good length: {length}, within {least} to {most}.")


def _quoted(text: str, hits: list[TermHit]) -> str:
    return ", ".join(dict.fromkeys(f"“{text[hit.start : hit.end]}”" for hit in hits))


@lru_cache(maxsize=16)
def load_rule_set(name: Literal["paper", "extended"], modality: str = "optical") -> RuleSet:
    """Read a rule set from the package's data.

    Args:
        name: `paper` is the published list to the letter, whatever the modality; `extended` knows inflections
            and spelling variants, and counts only terms that fit the modality.
        modality: "optical", "multispectral" or "sar".
    """
    data = yaml.safe_load(files("avion_core.descriptions").joinpath(f"rules/{name}.yaml").read_text(encoding="utf-8"))
    vocabulary, exact = data.get("vocabulary", {}), data["exact"]
    positive = data["positive"]["any"] + data["positive"].get(modality, [])
    return RuleSet(
        name=data["name"],
        version=data["version"],
        modality=modality,
        least_words=data["words"]["least"],
        most_words=data["words"]["most"],
        positive=_compile(positive, vocabulary, exact),
        negative=_compile(data["negative"], vocabulary, exact),
        ignored=_compile(data["ignored"], vocabulary, exact) if "ignored" in data else None,
    )


def _compile(entries: list[str], vocabulary: dict[str, list[str]], exact: bool) -> Terms:
    folded = [_fold(entry) for entry in entries]
    vocabulary = {name: [_fold(term) for term in terms] for name, terms in vocabulary.items()}
    if exact:
        before, after = rf"(?<!{_LETTER_OR_DIGIT})", rf"(?!{_LETTER_OR_DIGIT})"
        patterns = [re.escape(entry) for entry in folded]
    else:
        before, after = r"(?<!\w)", r"(?!\w)"
        patterns = [_pattern(entry, vocabulary) for entry in folded]
    stems = {stem for entry in folded for stem in _stems(entry, vocabulary)}
    stems = sorted(stem for stem in stems if not any(other in stem for other in stems - {stem}))
    return Terms(tuple(entries), tuple(patterns), before, after, tuple(stems))


def _stems(entry: str, vocabulary: dict[str, list[str]]) -> list[str]:
    """Letters of which every text that has the entry has some: those of its most telling word or list."""
    choices = [
        vocabulary[word.strip("{}")] if word.startswith("{") else [word] for word in entry.split() if word != "*"
    ]
    stems = [[max(re.findall(r"[^\W\d_]+", term), key=len) for term in terms] for terms in choices]
    return max(stems, key=lambda of_choice: min(map(len, of_choice)))


def _pattern(entry: str, vocabulary: dict[str, list[str]]) -> str:
    """The expression of one entry of a rule set that is not exact; the notation is explained in extended.yaml."""
    pattern = ""
    for word in entry.split():
        if word == "*":
            pattern += rf"(?:{GAP}\w+)?"
        elif word.startswith("{"):
            alternatives = "|".join(_pattern(term, {}) for term in vocabulary[word.strip("{}")])
            pattern += f"{GAP if pattern else ''}(?:{alternatives})"
        else:
            parts = [re.escape(part).replace("'", "['’]?") for part in word.split("-")]
            pattern += (GAP if pattern else "") + f"{GAP}?".join(f"{part}(?:e?s|['’]s?)?" for part in parts)
    return pattern
