"""Any server that speaks OpenAI's chat completions: Ollama, vLLM, LM Studio, and the large providers."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any

import openai
from pydantic import BaseModel, SecretStr, ValidationError

from avion_core.descriptions.writers.prompt import Prompt
from avion_core.descriptions.writers.refusals import in_words, no_wait_cures, shown
from avion_core.descriptions.writers.reply import ReplyForm
from avion_core.descriptions.writers.writer import Busy, RawReply, Unusable, WriterError, wait_asked_for, within

_NO_ANSWER, _TRY_AGAIN = "the server gave no usable answer", "Check that it runs at this address, and try again."
_FORM = {"type": "json_schema", "json_schema": {"name": "descriptions", "schema": ReplyForm.model_json_schema()}}


class _Part(BaseModel):
    type: str = "text"
    text: str | None = None


class _Function(BaseModel):
    arguments: str | None = None


class _Call(BaseModel):
    function: _Function | None = None


class _Message(BaseModel):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(BaseModel):
    """What is read of a reply. The client's own type promises more than servers keep, and checks nothing."""

    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None


class OpenAICompatibleWriter:
    """Asks a model behind an OpenAI-compatible address.

    Args:
        key: the server's key; local servers take any.
        model: as the server names it.
        base_url: the server's address up to /v1, "http://localhost:11434/v1" for Ollama; None for OpenAI's own.
        timeout: seconds after which a request without a whole answer counts as lost.
    """

    name = "openai-compatible"

    def __init__(self, key: SecretStr, model: str, *, base_url: str | None = None, timeout: float = 180.0) -> None:
        self.model = model
        # patience.py owns all repeats: the client's own would multiply with them.
        self._client = openai.OpenAI(
            api_key=key.get_secret_value() or "none", base_url=base_url, timeout=timeout, max_retries=0
        )
        self._timeout, self._key = timeout, key.get_secret_value()
        # Most servers, in most mistakes: the address is given without /v1, and something else answers there.
        self._at_root = base_url is not None and not re.search(r"/v\d", base_url)
        self._takes_schema = True

    def write(self, prompt: Prompt) -> RawReply:
        began = time.monotonic()
        try:
            reply = within(self._timeout, lambda: self._ask(prompt))
            completion = self._read(reply.http_response.content)
        except openai.APIStatusError as error:
            raise _meaning(error, self.model, self._key) from None
        except (openai.APIError, ValueError) as error:  # no connection, or no answer in time
            raise Busy(_NO_ANSWER, _TRY_AGAIN, value=type(error).__name__) from None
        return _answer(completion, self.model, time.monotonic() - began)

    def _read(self, body: bytes) -> _Completion:
        """A reply that came with success, which says little: servers put errors and web pages into them."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            page = body.lstrip()[:1] == b"<"
            raise self._odd("a web page" if page else "no JSON" if body.strip() else "an empty reply") from None
        if isinstance(found, dict) and (trouble := found.get("error")) and not found.get("choices"):
            said, code = in_words(trouble), trouble.get("code") if isinstance(trouble, dict) else None
            if final := no_wait_cures(code, said, key=self._key):
                raise final
            if isinstance(code, int):
                raise Busy(_NO_ANSWER, _TRY_AGAIN, value=shown(code, said, self._key))
            raise self._odd(shown(None, said, self._key))
        try:
            return _Completion.model_validate(found)
        except ValidationError:
            raise self._odd("JSON of another form, without choices") from None

    def _odd(self, what: str) -> WriterError:
        """Not a reply at all: worth asking again, unless something else answers at this address."""
        if self._at_root:
            return WriterError(_NO_ANSWER, "Check the address: most servers want it to end in /v1.", value=what)
        return Busy(_NO_ANSWER, _TRY_AGAIN, value=what)

    def _ask(self, prompt: Prompt) -> Any:
        pictures = [
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"}}
            for picture in prompt.pictures
        ]
        content: Any = [{"type": "text", "text": prompt.data}, *pictures] if pictures else prompt.data
        messages: Any = [{"role": "system", "content": prompt.instructions}, {"role": "user", "content": content}]
        create = self._client.chat.completions.with_raw_response.create
        if self._takes_schema:
            form: Any = _FORM
            try:
                return create(model=self.model, messages=messages, response_format=form)
            except (openai.BadRequestError, openai.UnprocessableEntityError):
                pass  # perhaps an older server, in its own words: the prompt itself asks for JSON too
        reply = create(model=self.model, messages=messages)
        self._takes_schema = False
        return reply


def _answer(completion: _Completion, model: str, seconds: float) -> RawReply:
    choice = completion.choices[0] if completion.choices else _Choice()
    if choice.finish_reason == "error":
        hint = "Try again; if it keeps happening, choose another model."
        raise Busy("the server ended its answer early", hint, value=choice.finish_reason)
    message, usage = choice.message or _Message(), completion.usage or _Usage()
    said = message.content or ""
    if isinstance(said, list):
        said = "".join(part.text or "" for part in said if part.type in ("text", "output_text"))
    said, place = said or message.refusal or "", ""
    cut_off = choice.finish_reason == "length"
    if not said.strip() and not cut_off:  # what a model that was cut off was thinking of is no answer yet
        calls = [call.function.arguments for call in message.tool_calls or () if call.function]
        thoughts = message.reasoning_content or message.reasoning or ""
        said = "\n".join(filter(None, calls)) or thoughts
        place = "a tool call" if any(calls) else "the model's reasoning" if thoughts else ""
    refused = "refusal" if message.refusal else ""
    return RawReply(
        text=said,
        model=completion.model or model,
        tokens_in=usage.prompt_tokens or 0,
        tokens_out=usage.completion_tokens or 0,
        seconds=seconds,
        cut_off=cut_off,
        refused="content_filter" if choice.finish_reason == "content_filter" else refused,
        place=place,
    )


def _meaning(error: openai.APIStatusError, model: str, key: str) -> WriterError:
    code, said = error.status_code, in_words(error.body) or error.response.text
    if code < 500 and (final := no_wait_cures(code, said, key=key)):
        return final
    if code in (401, 403):
        hint = "Put a valid key into OPENAI_API_KEY and start again."
        return WriterError("the server does not accept the key", hint, value=code)
    if code == 402:
        hint = "Add credit, or use another writer."
        return WriterError("the account has no credit left", hint, value=shown(code, said, key))
    if code == 404:
        hint = "Choose another with --model, or check that the address ends in /v1."
        return WriterError("the server has no such model", hint, value=model)
    if code in (408, 409, 429) or code >= 500:
        return Busy(
            "the server cannot answer now",
            "Wait a while and try again; if the code is 429, lower the requests per minute.",
            value=code,
            after=wait_asked_for(error.response.headers.get("retry-after")),
        )
    hint = "Change the prompt, the class card or the model; the server's log has the reason."
    return Unusable("the server rejects the request", hint, value=code)
