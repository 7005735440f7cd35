"""How well RS-Flag says what it is meant to say, on 200 hand-labelled sentences of real LLM output.

    python -m benchmarks.rs_flag_precision

Both rule sets, with and without the rule of 6 to 20 words, against two labels: `overhead` (about an overhead view, no
ground-level viewpoint) and `overhead and useful` (and names something of the class to look for). Where the texts come
from and how they were labelled is told in tests/descriptions/README.md.
"""

from __future__ import annotations

import json
from pathlib import Path

from avion_core.descriptions.rs_flag import RuleSet, load_rule_set
from avion_core.metrics.accuracy import wilson_interval

LABELLED = Path(__file__).parents[1] / "tests/descriptions/labelled_texts.jsonl"


def flags(rule_set: RuleSet, texts: list[str], *, with_length: bool) -> list[bool]:
    """RS-Flag of each text; without the length rule, positive and negative terms alone."""
    verdicts = [rule_set.judge(text) for text in texts]
    if with_length:
        return [verdict.flag for verdict in verdicts]
    return [all(reason.passed for reason in verdict.reasons if reason.rule != "words") for verdict in verdicts]


def share(part: int, whole: int) -> str:
    """A share of a count with its 95 % interval, for the table."""
    if whole == 0:
        return "none"
    low, high = wilson_interval(part, whole)
    return f"{part:3d}/{whole:<3d} = {100 * part / whole:5.1f} % [{low:.0f}, {high:.0f}]"


def main() -> None:
    rows = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    truths = {
        "overhead": [row["overhead"] for row in rows],
        "overhead and useful": [row["overhead"] and row["useful"] for row in rows],
    }
    print(f"{len(texts)} texts; " + "; ".join(f"{sum(truth)} {name}" for name, truth in truths.items()))
    print(f"{'rule set':<9} {'rules':<16} {'label':<20} {'precision':<28} recall")
    for name in ("paper", "extended"):
        rule_set = load_rule_set(name)
        for rules in ("terms and length", "terms alone"):
            flagged = flags(rule_set, texts, with_length=rules == "terms and length")
            for label, truth in truths.items():
                both = sum(flag and true for flag, true in zip(flagged, truth, strict=True))
                print(f"{name:<9} {rules:<16} {label:<20} {share(both, sum(flagged)):<28} {share(both, sum(truth))}")


if __name__ == "__main__":
    main()
