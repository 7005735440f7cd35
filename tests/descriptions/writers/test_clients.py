"""The real clients against a server that replays what services do."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import SecretStr

from avion_core.descriptions.writers.gemini import GeminiWriter
from avion_core.descriptions.writers.openai_compatible import OpenAICompatibleWriter
from avion_core.descriptions.writers.prompt import ClassCard, Imaging, compose, find_prompt
from avion_core.descriptions.writers.writer import Busy, Unusable, Writer, WriterError, wait_asked_for
from tests.descriptions.writers.loopback import KEY, Loopback, Say, loopback, written

PROMPT = find_prompt("remote-sensing")
KINDS = ["gemini", "openai-compatible"]


def make(kind: str, server: Loopback, timeout: float = 20.0) -> Writer:
    if kind == "gemini":
        return GeminiWriter(SecretStr(KEY), "some-model", timeout=timeout, base_url=server.address)
    return OpenAICompatibleWriter(SecretStr(KEY), "some-model", timeout=timeout, base_url=server.openai_url)


def ask(count: int = 3, **more):
    return compose(PROMPT, ClassCard("harbor", "harbor"), Imaging(), count, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_reply(kind):
    with loopback() as server:
        answer = make(kind, server).write(ask(pictures=(b"\xff\xd8one", b"\xff\xd8two")))
    assert len(json.loads(answer.text)["descriptions"]) == 3
    assert (answer.model, answer.tokens_in, answer.tokens_out) == ("some-model-served", 400, 120)
    assert not answer.refused
    assert not answer.cut_off
    (asked,) = server.asks
    assert asked.instructions == PROMPT.text
    assert (asked.key, asked.model, asked.pictures) == (KEY, "some-model", 2)
    assert asked.data["class"] == {"name": "harbor"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_cut_off_and_a_refusal_are_answers(kind):
    with loopback(lambda ask: Say('{"descriptions": [{"te', cut_off=True)) as server:
        assert make(kind, server).write(ask()).cut_off
    with loopback(lambda ask: Say(refused="SAFETY")) as server:
        assert make(kind, server).write(ask()).refused
    with loopback(lambda ask: Say(text="", refused="")) as server:
        assert make(kind, server).write(ask()).text == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_trouble_is_busy_and_is_asked_once(kind, status):
    with (
        loopback(lambda ask: Say(status=status, headers={"Retry-After": "7"})) as server,
        pytest.raises(Busy, match=rf"cannot answer now: {status}.*Wait a while") as raised,
    ):
        make(kind, server).write(ask())
    assert len(server.asks) == 1  # the client itself repeats nothing
    assert raised.value.after == 7.0


def test_gemini_says_in_the_body_how_long_to_wait():
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}]
    error = {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}
    with (
        loopback(lambda ask: Say(status=429, error=error)) as server,
        pytest.raises(Busy, match="429 RESOURCE_EXHAUSTED") as raised,
    ):
        make("gemini", server).write(ask())
    assert raised.value.after == 37.0


def test_retry_after_is_a_number_or_a_date():
    assert wait_asked_for("2.5") == 2.5
    assert wait_asked_for(None) is None
    assert wait_asked_for("soon") is None
    in_a_minute = datetime.now(UTC) + timedelta(seconds=60)
    assert wait_asked_for(format_datetime(in_a_minute, usegmt=True)) == pytest.approx(60, abs=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "say",
    [
        Say(silence=30.0),
        Say(hang_up=True),
        Say(body=b'{"candidates": [{"content"'),
        Say(body=b"<html>a proxy's page</html>"),
        Say(dribble="headers"),
        Say(dribble="body"),
    ],
    ids=["never answers", "hangs up", "broken JSON", "a proxy's page", "headers without end", "a body without end"],
)
def test_no_usable_answer_is_busy(kind, say):
    began = time.monotonic()
    with loopback(lambda ask: say) as server, pytest.raises(Busy, match=r"(no usable|No complete) answer"):
        make(kind, server, timeout=1.0).write(ask())
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, None, r"does not accept the key: 401\. Put a valid key into (GEMINI|OPENAI)_API_KEY"),
        (403, None, r"does not accept the key: 403\."),
        (404, None, r"has no such model: some-model\. Choose another with --model"),
    ],
)
def test_what_nobody_need_ask_again(kind, status, error, message):
    service = loopback(lambda ask: Say(status=status, error=error))
    with service as server, pytest.raises(WriterError, match=message) as raised:
        make(kind, server).write(ask())
    assert not isinstance(raised.value, Busy | Unusable)
    assert KEY not in str(raised.value)


def test_gemini_calls_a_wrong_key_a_bad_request():
    error = {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": []}
    with (
        loopback(lambda ask: Say(status=400, error=error)) as server,
        pytest.raises(WriterError, match=r"does not accept the key: 400") as raised,
    ):
        make("gemini", server).write(ask())
    assert not isinstance(raised.value, Unusable)


def test_no_credit_is_final():
    error = {"code": "insufficient_quota", "message": "You exceeded your current quota"}
    with (
        loopback(lambda ask: Say(status=429, error=error)) as server,
        pytest.raises(WriterError, match="no credit left") as raised,
    ):
        make("openai-compatible", server).write(ask())
    assert not isinstance(raised.value, Busy)


PER_DAY = {
    "code": 429,
    "message": "You exceeded your current quota, please check your plan and billing details.",
    "status": "RESOURCE_EXHAUSTED",
    "details": [
        {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "250"}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13s"},
    ],
}
PER_MINUTE = {
    **PER_DAY,
    "details": [
        {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "quotaValue": "10"}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13s"},
    ],
}


@pytest.mark.parametrize(
    ("kind", "status", "error", "message"),
    [
        ("gemini", 429, PER_DAY, "quota for the day is used up: 429 “You exceeded your current quota"),
        ("gemini", 429, {**PER_MINUTE, "message": "Quota exceeded, limit: 0, model: x"}, "no quota for this model"),
        ("gemini", 429, {"code": 429, "message": "Your prepayment credits are depleted."}, "no credit left"),
        ("gemini", 429, {"code": 429, "message": "Project exceeded its monthly spending cap."}, "spending limit"),
        ("gemini", 400, {"code": 400, "message": "User location is not supported for the API use."}, "this region"),
        ("gemini", 403, {"code": 403, "message": "This API method requires billing to be enabled."}, "billing"),
        (
            "openai-compatible",
            403,
            {"code": "unsupported_country_region_territory", "message": "Country, region, or territory not supported"},
            "this region: 403 “Country, region, or territory not supported”",
        ),
        (
            "openai-compatible",
            429,
            {"message": "Rate limit reached for model `m` on requests per day (RPD): Limit 1000, Used 1000."},
            "quota for the day is used up",
        ),
        ("openai-compatible", 429, {"message": "Rate limit exceeded: free-models-per-day"}, "quota for the day"),
        ("openai-compatible", 400, {"code": "billing_hard_limit_reached", "message": "Billing hard limit"}, "spending"),
        ("openai-compatible", 400, {"message": "Your credit balance is too low to access the API."}, "no credit left"),
        ("openai-compatible", 402, {"message": "Pay first."}, "no credit left: 402 “Pay first.”"),
    ],
)
def test_what_no_wait_cures_ends_it_in_the_services_own_words(kind, status, error, message):
    service = loopback(lambda ask: Say(status=status, error=error))
    with service as server, pytest.raises(WriterError, match=message) as raised:
        make(kind, server).write(ask())
    assert not isinstance(raised.value, Busy | Unusable)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("gemini", PER_MINUTE),
        ("gemini", {"code": 429, "message": "Quota exceeded for metric: requests, limit: 10, model: x"}),
        ("openai-compatible", {"message": "Rate limit reached on tokens per min (TPM): Limit 6000. Try again in 4s."}),
        ("openai-compatible", {"message": "Too many requests, limit: 0.5 per second"}),
    ],
)
def test_a_quota_that_a_minute_renews_is_busy(kind, error):
    with loopback(lambda ask: Say(status=429, error=error)) as server, pytest.raises(Busy):
        make(kind, server).write(ask())


def test_what_a_service_says_is_shown_without_the_key():
    error = {"message": f"The daily quota of {KEY} is used up. " + "More words. " * 40}
    with loopback(lambda ask: Say(status=429, error=error)) as server, pytest.raises(WriterError) as raised:
        make("openai-compatible", server).write(ask())
    assert KEY not in str(raised.value)
    assert "The daily quota of *** is used up." in str(raised.value)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b'{"error": "Unexpected endpoint or method. (POST /chat/completions)"}', "“Unexpected endpoint or method"),
        (b"<!doctype html><title>Ollama</title>", "a web page"),
        (b'{"status": "ok"}', "without choices"),
        (b"Ollama is running", "no JSON"),
    ],
)
def test_an_address_without_v1_is_told_at_once(body, what):
    with loopback(lambda ask: Say(body=body)) as server:
        writer = OpenAICompatibleWriter(SecretStr(KEY), "some-model", base_url=server.address)
        with pytest.raises(WriterError, match=what) as raised:
            writer.write(ask())
        with pytest.raises(Busy, match=what):  # with it, a server may be starting
            make("openai-compatible", server).write(ask())
    assert not isinstance(raised.value, Busy)
    assert "most servers want it to end in /v1" in str(raised.value)
    assert "ValidationError" not in str(raised.value)


def test_an_error_within_a_success_is_told():
    body = json.dumps({"error": {"code": 429, "message": "Your daily limit is reached"}}).encode()
    with (
        loopback(lambda ask: Say(body=body)) as server,
        pytest.raises(WriterError, match="quota for the day") as raised,
    ):
        make("openai-compatible", server).write(ask())
    assert not isinstance(raised.value, Busy)
    body = json.dumps({"error": {"code": 502, "message": "Provider returned error"}}).encode()
    with loopback(lambda ask: Say(body=body)) as server, pytest.raises(Busy, match="“Provider returned error”"):
        make("openai-compatible", server).write(ask())


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_request_is_unusable(kind):
    service = loopback(lambda ask: Say(status=400, error={"code": 400, "message": "bad", "status": "INVALID"}))
    with service as server, pytest.raises(Unusable, match="rejects the request: 400"):
        make(kind, server).write(ask())


def completion(**choice):
    return Say(body=json.dumps({"choices": [choice], "model": "served"}).encode())


@pytest.mark.parametrize(
    ("say", "text"),
    [
        (completion(message=None), ""),
        (completion(message={"content": None}, finish_reason=None), ""),
        (completion(), ""),
        (completion(message={"content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]}), "a b"),
        (completion(message={"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}]}), "a"),
        (completion(message={"content": "sea\ud83d\x00side"}), "sea\ufffd\ufffdside"),
        (Say(body=b'{"choices": []}'), ""),
    ],
)
def test_odd_forms_of_an_answer_are_read(say, text):
    with loopback(lambda ask: say) as server:
        assert make("openai-compatible", server).write(ask()).text == text


@pytest.mark.parametrize(
    ("message", "text", "place"),
    [
        ({"content": None, "reasoning_content": "one"}, "one", "the model's reasoning"),
        ({"content": "", "reasoning": "two"}, "two", "the model's reasoning"),
        ({"content": None, "tool_calls": [{"function": {"arguments": "three"}}]}, "three", "a tool call"),
        ({"content": "four", "reasoning_content": "thoughts"}, "four", ""),
    ],
)
def test_an_answer_beside_the_answer_is_read_and_its_place_named(message, text, place):
    with loopback(lambda ask: completion(message=message)) as server:
        answer = make("openai-compatible", server).write(ask())
    assert (answer.text, answer.place) == (text, place)
    with loopback(lambda ask: completion(message=message, finish_reason="length")) as server:
        assert make("openai-compatible", server).write(ask()).text == (text if not place else "")


@pytest.mark.parametrize(
    ("part", "text", "place"),
    [
        ({"text": "thinking", "thought": True}, "thinking", "the model's reasoning"),
        ({"functionCall": {"name": "answer", "args": {"descriptions": []}}}, '{"descriptions": []}', "a tool call"),
    ],
)
def test_an_answer_of_gemini_beside_the_answer(part, text, place):
    body = {"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}]}
    with loopback(lambda ask: Say(body=json.dumps(body).encode())) as server:
        answer = make("gemini", server).write(ask())
    assert (answer.text, answer.place) == (text, place)


@pytest.mark.parametrize(
    "say",
    [
        completion(finish_reason="error"),
        completion(message={"content": 5}),
        Say(body=b'{"error": {"code": 429}}'),
        Say(body=b'{"choices": "none"}'),
        Say(body=b"[]"),
        Say(body=b"null"),
        Say(body=b""),
    ],
)
def test_what_is_no_answer_is_busy(say):
    with loopback(lambda ask: say) as server, pytest.raises(Busy):
        make("openai-compatible", server).write(ask())


@pytest.mark.parametrize(
    "body", [b"5", b'{"candidates": [{"finishReason": 5}]}', b'{"candidates": [{"content": {"parts": [{"text": 5}]}}]}']
)
def test_what_is_no_answer_of_gemini_is_busy(body):
    with loopback(lambda ask: Say(body=body)) as server, pytest.raises(Busy, match="no usable answer"):
        make("gemini", server).write(ask())


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_character_in_a_reply_is_replaced(kind):
    with loopback(lambda ask: Say("sea\ud83d\x00side")) as server:
        assert make(kind, server).write(ask()).text == "sea\ufffd\ufffdside"


@pytest.mark.parametrize("status", [400, 422])
def test_threads_under_way_learn_at_once_that_a_server_takes_no_schema(status):
    together = threading.Barrier(8)

    def older(ask):
        if ask.form == "openai with schema":
            together.wait(10)
            return Say(status=status, error={"message": "extra fields not permitted"})
        return written(ask)

    with loopback(older) as server, ThreadPoolExecutor(8) as pool:
        writer = make("openai-compatible", server)
        answers = list(pool.map(lambda _: writer.write(ask()), range(8)))
        assert all(json.loads(answer.text) for answer in answers)
        writer.write(ask())
        assert [one.form for one in server.asks].count("openai with schema") == 8


def test_a_request_that_is_refused_either_way_does_not_end_the_schema():
    def strict(ask):
        return Say(status=400) if ask.nth <= 2 else written(ask)

    with loopback(strict) as server:
        writer = make("openai-compatible", server)
        with pytest.raises(Unusable):
            writer.write(ask())
        writer.write(ask())
        assert server.asks[-1].form == "openai with schema"


def test_a_server_without_structured_output_is_asked_without():
    def older(ask):
        if ask.form == "openai with schema":
            return Say(status=400, error={"message": "unknown field response_format"})
        return written(ask)

    with loopback(older) as server:
        writer = make("openai-compatible", server)
        for _ in range(2):
            assert json.loads(writer.write(ask()).text)
        assert [one.form for one in server.asks] == ["openai with schema", "openai", "openai"]
