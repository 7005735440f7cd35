"""What the tests of generating share: writers that ask a loopback, and orders."""

from __future__ import annotations

from pydantic import SecretStr

from avion_core.descriptions.writers.gemini import GeminiWriter
from avion_core.descriptions.writers.generate import ClassDone, Order, Replied, generate
from avion_core.descriptions.writers.openai_compatible import OpenAICompatibleWriter
from avion_core.descriptions.writers.patience import Patience
from avion_core.descriptions.writers.prompt import ClassCard, Imaging, find_prompt
from avion_core.descriptions.writers.writer import Writer
from tests.descriptions.writers.loopback import KEY, Loopback

PROMPT = find_prompt("remote-sensing")


KINDS = ["gemini", "openai-compatible"]


def make(kind: str, server: Loopback, timeout: float = 20.0) -> Writer:
    if kind == "gemini":
        return GeminiWriter(SecretStr(KEY), "some-model", timeout=timeout, base_url=server.address)
    return OpenAICompatibleWriter(SecretStr(KEY), "some-model", timeout=timeout, base_url=server.openai_url)


def orders(count, wanted=5):
    return (Order(ClassCard(f"class{number}", f"class number {number}"), wanted) for number in range(count))


def run(orders, writer, patience=None, **more):
    events = list(generate(orders, writer, PROMPT, Imaging(), patience or Patience(), **more))
    replies = [event for event in events if isinstance(event, Replied)]
    done = {event.class_key: event for event in events if isinstance(event, ClassDone)}
    texts: dict[str, list[str]] = {}
    for reply in replies:
        texts.setdefault(reply.class_key, []).extend(description.text for description in reply.descriptions)
    return replies, done, texts
