"""What a person chooses before descriptions are written."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avion_core.config import Stage
from avion_core.descriptions.writers.plan import Price
from avion_core.descriptions.writers.prompt import DEFAULT_PROMPT, Imaging
from avion_core.descriptions.writers.reply import Language

WriterName = Literal["gemini", "openai-compatible", "file"]

KEYS: dict[str, tuple[str, ...]] = {
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "openai-compatible": ("OPENAI_API_KEY",),
}
"""Environment variables that hold a writer's key, the first that is set."""


class WritingSettings(Stage):
    writer: WriterName = "gemini"
    """The writer: Gemini, any server with OpenAI's protocol (Ollama, vLLM, LM Studio, ...), or a file."""
    model: str = ""
    """The model to ask; empty means Gemini's current default (gemini-2.5-flash, the paper's, ends in 2026)."""
    base_url: str = ""
    """Address of an OpenAI-compatible server, up to and with /v1; empty for the provider's own."""
    file: str = ""
    """The file of the writer `file`: texts written elsewhere, in any form that can be imported."""
    per_class: int = Field(default=50, ge=1, le=1000)
    """Descriptions per class from this writer and model; existing ones count."""
    classes: tuple[str, ...] = ()
    """Class keys; empty means all."""
    prompt: str = DEFAULT_PROMPT
    """The prompt file."""
    language: Language = "English"
    """The language to write in; the models are trained on English."""
    imaging: Imaging = Imaging()
    """How the images are taken."""
    distinguish: int = Field(default=3, ge=0, le=10)
    """How many classes to name that the teacher confuses with each one on its training shots; 0 for none."""
    distinguish_from: tuple[str, ...] = ()
    """Name these classes instead (keys; never a class to itself). Texts asked for against the same ones count."""
    pictures: int = Field(default=0, ge=0, le=8)
    """How many training images of the class to send along (never test images, nor validation images of any seed)."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """How many classes to ask about at the same time."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """The account's limit of requests per minute, if any."""
    timeout_seconds: float = Field(default=180.0, gt=0, le=3600)
    """Seconds to wait for a complete answer; after that the request is repeated."""
    price_in: float | None = Field(default=None, ge=0)
    """Price per million tokens sent."""
    price_out: float | None = Field(default=None, ge=0)
    """Price per million tokens written, thinking included."""

    @property
    def price(self) -> Price | None:
        """None unless both prices are given."""
        return None if self.price_in is None or self.price_out is None else Price(self.price_in, self.price_out)
