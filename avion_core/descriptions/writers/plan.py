"""What a generation will take, before it starts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from avion_core.descriptions.writers.generate import MOST_AT_ONCE, Order
from avion_core.descriptions.writers.prompt import MOST_ALREADY_WRITTEN, Imaging, PromptFile, compose

CHARACTERS_PER_TOKEN = 4.0
"""Of English text and JSON, as tokenizers of large models have it, to a quarter or so."""
TOKENS_PER_PICTURE = 1100
SECONDS_PER_REPLY = 30.0
TOKENS_PER_DESCRIPTION = 80
"""Text and three cues. Models that think first spend more: a project's own replies tell, once there are any."""

CHARACTERS_PER_KNOWN_TEXT = 100.0
"""Of a text that is shown as written already, 6 to 20 words, with its quotes and comma."""


@dataclass(frozen=True)
class Price:
    """Of a million tokens, in the currency of the user's bill."""

    tokens_in: float
    tokens_out: float

    def of(self, tokens_in: float, tokens_out: float) -> float:
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


@dataclass(frozen=True)
class Plan:
    """An estimate."""

    classes: int
    descriptions: int
    requests: int
    tokens_in: int
    tokens_out: int
    seconds: float
    """At the pace allowed, without trouble."""
    cost: float | None
    """None without a price."""


def plan(
    orders: Iterable[Order],
    prompt: PromptFile,
    imaging: Imaging,
    *,
    concurrency: int,
    requests_per_minute: float | None,
    price: Price | None = None,
    tokens_per_description: float = TOKENS_PER_DESCRIPTION,
    seconds_per_reply: float = SECONDS_PER_REPLY,
) -> Plan:
    """Estimate what the orders take; they are gone through once and not kept."""
    classes = descriptions = requests = 0
    tokens_in = 0.0
    for order in orders:
        asked = math.ceil(order.wanted / MOST_AT_ONCE)
        request = compose(
            prompt,
            order.card,
            imaging,
            min(order.wanted, MOST_AT_ONCE),
            distinguish_from=order.distinguish_from,
            already_written=order.known,
        )
        characters = len(request.instructions) + len(request.data)
        # Each further request about a class shows what came of those before.
        shown = min(len(order.known), MOST_ALREADY_WRITTEN)
        more = sum(min(shown + MOST_AT_ONCE * nth, MOST_ALREADY_WRITTEN) - shown for nth in range(asked))
        tokens_in += more * CHARACTERS_PER_KNOWN_TEXT / CHARACTERS_PER_TOKEN
        classes, descriptions, requests = classes + 1, descriptions + order.wanted, requests + asked
        tokens_in += asked * (characters / CHARACTERS_PER_TOKEN + TOKENS_PER_PICTURE * len(order.pictures))
    tokens_out = descriptions * tokens_per_description
    paced = 60.0 * requests / requests_per_minute if requests_per_minute else 0.0
    return Plan(
        classes=classes,
        descriptions=descriptions,
        requests=requests,
        tokens_in=round(tokens_in),
        tokens_out=round(tokens_out),
        seconds=max(paced, requests * seconds_per_reply / concurrency),
        cost=None if price is None else price.of(tokens_in, tokens_out),
    )
