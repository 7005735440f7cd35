"""RS-Flag: does a description speak of an overhead view? (METHOD.md, section 2.)

    flag = 1  if the text has a positive term, no negative term, and 6 to 20 words, else 0

The word lists are data, under `rules/`; this file knows how to read and apply them.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Literal

import yaml

DASH = r"[-\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
GAP = rf"(?:\s+|\s*{DASH}\s*)"

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
    """The verdict on one text: every rule's reason, and where each term stands in the original text."""

    flag: bool
    reasons: tuple[Reason, ...]
    hits: tuple[TermHit, ...]
    words: int

    @cached_property
    def reasons_json(self) -> str:
        return json.dumps([asdict(reason) for reason in self.reasons], ensure_ascii=False)

    @cached_property
    def hits_json(self) -> str:
        return json.dumps([asdict(hit) for hit in self.hits], ensure_ascii=False)


@dataclass(frozen=True)
class Terms:
    """Entries of a rule set and one expression with a group for each of them."""

    entries: tuple[str, ...]
    expression: re.Pattern[str]

    def find(self, text: str, kind: Kind) -> list[TermHit]:
        return [
            TermHit(match.start(), match.end(), self.entries[(match.lastindex or 1) - 1], kind)
            for match in self.expression.finditer(text)
        ]


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


@lru_cache(maxsize=100_000)
def _judge(rules: RuleSet, text: str) -> RSFlag:
    ignored = list(rules.ignored.expression.finditer(text)) if rules.ignored else []
    hits = [
        hit
        for hit in rules.positive.find(text, "positive") + rules.negative.find(text, "negative")
        if not any(phrase.start() <= hit.start < phrase.end() for phrase in ignored)
    ]
    hits.sort(key=lambda hit: hit.start)
    positive = [hit for hit in hits if hit.kind == "positive"]
    negative = [hit for hit in hits if hit.kind == "negative"]
    words = len(text.split())
    reasons = (
        Reason(
            "positive",
            bool(positive),
            f"Speaks of an overhead view: {_quoted(text, positive)}."
            if positive
            else "No word of an overhead view, such as aerial view or satellite imagery.",
        ),
        Reason(
            "negative",
            not negative,
            f"Speaks of a ground-level view: {_quoted(text, negative)}."
            if negative
            else "No word of a ground-level view.",
        ),
        _length_reason(words, rules.least_words, rules.most_words),
    )
    return RSFlag(all(reason.passed for reason in reasons), reasons, tuple(hits), words)


def _length_reason(words: int, least: int, most: int) -> Reason:
    counted = f"{words} word{'' if words == 1 else 's'}"
    if words < least:
        return Reason("words", False, f"Too short: {counted}, where {least} to {most} are asked.")
    if words > most:
        return Reason("words", False, f"Too long: {counted}, where {least} to {most} are asked.")
    return Reason("words", True, f"Good length: {counted}, within {least} to {most}.")


def _quoted(text: str, hits: list[TermHit]) -> str:
    return ", ".join(dict.fromkeys(f"“{text[hit.start : hit.end]}”" for hit in hits))


@lru_cache
def load_rule_set(name: Literal["paper", "extended"], modality: str = "optical") -> RuleSet:
    """Read a rule set from the package's data.

    Args:
        name: `paper` is the published list, whole tokens only, whatever the modality; `extended` knows inflections
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
    if exact:
        before, after = r"(?<![\w-])", r"(?![\w-])"
        patterns = [r"\s+".join(map(re.escape, entry.split())) for entry in entries]
    else:
        before, after = r"(?<!\w)", r"(?!\w)"
        patterns = [_pattern(entry, vocabulary) for entry in entries]
    groups = "|".join(f"({pattern})" for pattern in patterns)
    return Terms(tuple(entries), re.compile(f"{before}(?:{groups}){after}", re.IGNORECASE))


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
