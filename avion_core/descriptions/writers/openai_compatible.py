"""Any server that speaks OpenAI's chat completions: Ollama, vLLM, LM Studio, and the large providers."""

from __future__ import annotations

import base64
import time
from typing import Any

import openai
from pydantic import SecretStr

from avion_core.descriptions.writers.prompt import Prompt
from avion_core.descriptions.writers.reply import Reply
from avion_core.descriptions.writers.writer import Answer, Busy, Unusable, WriterError, wait_asked_for

_FORM = {"type": "json_schema", "json_schema": {"name": "descriptions", "schema": Reply.model_json_schema()}}


class OpenAICompatibleWriter:
    """Asks a model behind an OpenAI-compatible address.

    Args:
        key: the server's key; local servers take any.
        model: as the server names it.
        base_url: the server's address up to /v1, "http://localhost:11434/v1" for Ollama; None for OpenAI's own.
        timeout: seconds without an answer after which a request counts as lost.
    """

    name = "openai-compatible"

    def __init__(self, key: SecretStr, model: str, *, base_url: str | None = None, timeout: float = 180.0) -> None:
        self.model = model
        # patience.py owns all repeats: the client's own would multiply with them.
        self._client = openai.OpenAI(
            api_key=key.get_secret_value() or "none", base_url=base_url, timeout=timeout, max_retries=0
        )
        self._takes_schema = True

    def write(self, prompt: Prompt) -> Answer:
        began = time.monotonic()
        try:
            completion = self._ask(prompt)
        except openai.APIStatusError as error:
            raise _meaning(error, self.model) from None
        except (openai.APIError, ValueError) as error:  # no connection, no answer in time, or no JSON
            raise Busy(
                "no usable answer came from the server",
                "See that it runs at this address, and ask again.",
                value=type(error).__name__,
            ) from None
        return _answer(completion, self.model, time.monotonic() - began)

    def _ask(self, prompt: Prompt) -> Any:
        pictures = [
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"}}
            for picture in prompt.pictures
        ]
        content: Any = [{"type": "text", "text": prompt.data}, *pictures] if pictures else prompt.data
        messages: Any = [{"role": "system", "content": prompt.instructions}, {"role": "user", "content": content}]
        form: Any = {"response_format": _FORM} if self._takes_schema else {}
        try:
            return self._client.chat.completions.create(model=self.model, messages=messages, **form)
        except openai.BadRequestError as error:
            if not self._takes_schema or "response_format" not in str(error):
                raise
            # An older server: the prompt itself asks for JSON too.
            self._takes_schema = False
            return self._client.chat.completions.create(model=self.model, messages=messages)


def _answer(completion: Any, model: str, seconds: float) -> Answer:
    choice = completion.choices[0] if getattr(completion, "choices", None) else None
    usage = getattr(completion, "usage", None)
    refused = ""
    if choice is not None:
        refused = "refusal" if choice.message.refusal else ""
        refused = "content_filter" if choice.finish_reason == "content_filter" else refused
    return Answer(
        text=(choice.message.content or choice.message.refusal or "") if choice else "",
        model=getattr(completion, "model", None) or model,
        tokens_in=getattr(usage, "prompt_tokens", 0) or 0,
        tokens_out=getattr(usage, "completion_tokens", 0) or 0,
        seconds=seconds,
        cut_off=choice is not None and choice.finish_reason == "length",
        refused=refused,
    )


def _meaning(error: openai.APIStatusError, model: str) -> WriterError:
    code = error.status_code
    if code in (401, 403):
        way_out = "Put a valid key into OPENAI_API_KEY and start again."
        return WriterError("the server does not take the key", way_out, value=code)
    if code == 402 or error.code == "insufficient_quota":
        return WriterError("the account has no credit left", "Add credit, or use another writer.", value=code)
    if code == 404:
        way_out = "Choose another with --model, or see that the address ends in /v1."
        return WriterError("the server has no such model", way_out, value=model)
    if code in (408, 409, 429) or code >= 500:
        return Busy(
            "the server cannot answer now",
            "Wait a while and ask again; lower the requests a minute if it is 429.",
            value=code,
            after=wait_asked_for(error.response.headers.get("retry-after")),
        )
    way_out = "Change the prompt, the class card or the model; its log has the reason."
    return Unusable("the server does not take the request", way_out, value=code)
