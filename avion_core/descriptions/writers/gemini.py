"""Gemini, through google-genai with structured output."""

from __future__ import annotations

import json
import re
import time

from google import genai
from google.genai import errors, types
from pydantic import SecretStr

from avion_core.descriptions.writers.prompt import Prompt
from avion_core.descriptions.writers.refusals import in_words, no_wait_cures
from avion_core.descriptions.writers.reply import ReplyForm
from avion_core.descriptions.writers.writer import Busy, RawReply, Unusable, WriterError, wait_asked_for, within

DEFAULT_MODEL = "gemini-3.8-flash"
"""Generally available since September 2026. The paper asked gemini-2.5-flash, which ends on 1 December 2026."""

_ENDED = "STOP"
_CUT_OFF = "MAX_TOKENS"
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


class GeminiWriter:
    """Asks a Gemini model.

    Sampling is left to the model: its newest ones refuse requests that tune it.

    Args:
        key: an API key of the Gemini API.
        timeout: seconds after which a request without a whole answer counts as lost.
        base_url: another address of the same API, or None for Google's.
    """

    name = "gemini"

    def __init__(
        self, key: SecretStr, model: str = DEFAULT_MODEL, *, timeout: float = 180.0, base_url: str | None = None
    ) -> None:
        self.model = model
        options = types.HttpOptions(
            base_url=base_url,
            timeout=round(timeout * 1000),
            # The client's own repeats know no Retry-After; patience.py owns them all.
            retry_options=types.HttpRetryOptions(attempts=1),
        )
        self._timeout, self._key = timeout, key
        self._client = genai.Client(api_key=key.get_secret_value(), vertexai=False, http_options=options)

    def write(self, prompt: Prompt) -> RawReply:
        began = time.monotonic()
        try:
            response = within(self._timeout, lambda: self._ask(prompt))
        except errors.APIError as error:
            raise _meaning(error, self.model, self._key.get_secret_value()) from None
        except (OSError, ValueError, TypeError, AttributeError) as error:  # a cut line, or not of the API's form
            raise _unheard(error) from None
        except Exception as error:
            # The HTTP client's own errors share no base with Python's.
            if not type(error).__module__.startswith("httpx"):
                raise
            raise _unheard(error) from None
        return _answer(response, self.model, time.monotonic() - began)

    def _ask(self, prompt: Prompt) -> types.GenerateContentResponse:
        parts = [types.Part.from_text(text=prompt.data)]
        parts += [types.Part.from_bytes(data=picture, mime_type="image/jpeg") for picture in prompt.pictures]
        return self._client.models.generate_content(
            model=self.model,
            contents=types.Content(role="user", parts=parts),
            config=types.GenerateContentConfig(
                system_instruction=prompt.instructions,
                response_mime_type="application/json",
                response_json_schema=ReplyForm.model_json_schema(),
            ),
        )


def _answer(response: types.GenerateContentResponse, model: str, seconds: float) -> RawReply:
    usage = response.usage_metadata or types.GenerateContentResponseUsageMetadata()
    candidate = response.candidates[0] if response.candidates else None
    reason = candidate.finish_reason.value if candidate and candidate.finish_reason else ""
    parts = candidate.content.parts or [] if candidate and candidate.content else []
    text, place = "".join(part.text for part in parts if part.text and not part.thought), ""
    if not text and reason != _CUT_OFF:
        calls = [json.dumps(part.function_call.args) for part in parts if part.function_call]
        thoughts = [part.text for part in parts if part.text and part.thought]
        text = "\n".join(calls or thoughts)
        place = "a tool call" if calls else "the model's reasoning" if thoughts else ""
    feedback = response.prompt_feedback
    refused = feedback.block_reason.value if feedback and feedback.block_reason else ""
    if not refused and reason not in ("", _ENDED, _CUT_OFF):
        refused = reason
    return RawReply(
        text=text,
        model=response.model_version or model,
        tokens_in=usage.prompt_token_count or 0,
        tokens_out=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        seconds=seconds,
        cut_off=reason == _CUT_OFF,
        refused=refused,
        place=place,
    )


def _meaning(error: errors.APIError, model: str, key: str) -> WriterError:
    said = in_words(error.details)
    if error.code < 500 and (final := no_wait_cures(error.code, said, key=key, quotas=True)):
        return final
    if error.code in (401, 403) or "API_KEY_INVALID" in said or "API key not valid" in said:
        return WriterError(
            "Gemini does not accept the key", "Put a valid key into GEMINI_API_KEY and start again.", value=error.code
        )
    if error.code == 404:
        return WriterError(
            "Gemini has no such model",
            "Choose another with --model; your account lists the available names.",
            value=model,
        )
    # Its name for the trouble, unless it is a text of its own: problems are stored and logged.
    named = str(error.status or "")
    value = f"{error.code} {named}" if named.isidentifier() else error.code
    if error.code in _TRY_AGAIN or error.code >= 500:
        return Busy(
            "Gemini cannot answer now",
            "Wait a while and try again; if the code is 429, lower the requests per minute.",
            value=value,
            after=_wait(error, said),
        )
    return Unusable(
        "Gemini rejects the request",
        "Change the prompt, the class card or the model.",
        value=value,
    )


def _wait(error: errors.APIError, said: str) -> float | None:
    headers = getattr(error.response, "headers", None) or {}
    asked = wait_asked_for(headers.get("retry-after"))
    # Quotas say it in the body too: {"@type": ".../google.rpc.RetryInfo", "retryDelay": "37s"}
    in_body = re.search(r'"retryDelay": "(\d+(?:\.\d+)?)s"', said)
    return asked if asked is not None else float(in_body.group(1)) if in_body else None


def _unheard(error: Exception) -> Busy:
    return Busy(
        "Gemini gave no usable answer", "Check the network connection and try again.", value=type(error).__name__
    )
