"""Generating against a service that makes it wait: quotas, outages, pace, and stops meanwhile."""

from __future__ import annotations

import threading
import time

import pytest

from avion_core.descriptions.writers.generate import BARREN_REPLIES, generate
from avion_core.descriptions.writers.patience import Patience, Waiting
from avion_core.descriptions.writers.prompt import Imaging
from avion_core.descriptions.writers.writer import Busy, RawReply, WriterError
from tests.descriptions.writers.generating import PROMPT, make, orders, run
from tests.descriptions.writers.loopback import Say, loopback, written


def test_the_wait_that_a_service_asks_for_holds_all_back():
    moments: list[float] = []

    class Full:
        name, model = "file", "full"

        def write(self, prompt):
            moments.append(time.monotonic())
            if len(moments) == 1:
                raise Busy("the server cannot answer now", "Wait.", value=429, after=0.9)
            return RawReply('["Roofs."]', "full", 0, 0, 0.0)

    # Three of the four are waiting for their turn already when the first one is told to wait.
    _, done, _ = run(orders(4, wanted=1), Full(), Patience(requests_per_minute=200), concurrency=4)
    assert not [event.problem for event in done.values() if event.problem]
    assert moments[1] - moments[0] >= 0.9


def test_a_quota_shared_by_many_at_once_loses_no_class():
    lock = threading.Lock()
    granted: list[float] = []

    def script(ask):
        with lock:
            moment = time.monotonic()
            recent = [at for at in granted if moment - at < 0.3]
            if len(recent) >= 5:
                return Say(status=429, headers={"Retry-After": f"{0.3 - (moment - recent[-5]):.3f}"})
            granted.append(moment)
        return written(ask)

    with loopback(script) as server:
        _, done, _ = run(orders(64), make("openai-compatible", server), Patience(attempts=2), concurrency=64)
    assert len(done) == 64
    assert not [event.problem for event in done.values() if event.problem]


def test_a_service_that_says_zero_seconds_is_not_asked_at_once(monkeypatch):
    monkeypatch.setattr("avion_core.descriptions.writers.patience.FIRST_WAIT_SECONDS", 0.4)
    moments: list[float] = []

    def script(ask):
        moments.append(time.monotonic())
        return Say(status=429, headers={"Retry-After": "0"}) if len(moments) < 3 else written(ask)

    with loopback(script) as server:
        run(orders(1), make("gemini", server))
    assert moments[1] - moments[0] >= 0.2
    assert moments[2] - moments[1] >= 0.4


def test_waits_that_a_service_asks_for_have_an_end(monkeypatch):
    monkeypatch.setattr("avion_core.descriptions.writers.patience.LONGEST_OBEYED_SECONDS", 0.25)
    with (
        loopback(lambda ask: Say(status=429, headers={"Retry-After": "0.1"})) as server,
        pytest.raises(WriterError, match="no longer answers"),
    ):
        run(orders(1), make("gemini", server))
    assert len(server.asks) == 3


def test_a_quota_that_is_used_up_ends_it_at_once_and_says_so():
    def script(ask):
        return Say(status=429, headers={"Retry-After": "86400"}) if ask.name == "class number 9" else written(ask)

    began = time.monotonic()
    with (
        loopback(script) as server,
        pytest.raises(WriterError, match=r"quota is used up: it asks to wait 24\.0 h\. Resume it") as raised,
    ):
        run(orders(1000), make("gemini", server), Patience(requests_per_minute=1200), concurrency=4)
    assert not isinstance(raised.value, Busy)
    assert len(server.asks) < 20
    assert time.monotonic() - began < 10


def test_a_daily_quota_with_a_short_delay_ends_it_at_once(monkeypatch):
    error = {"code": 429, "message": "Quota of GenerateRequestsPerDay exceeded", "status": "RESOURCE_EXHAUSTED"}
    script = Say(status=429, error=error, headers={"Retry-After": "1"})
    with loopback(lambda ask: script) as server, pytest.raises(WriterError, match="quota for the day is used up"):
        run(orders(1000), make("gemini", server), concurrency=4)
    assert len(server.asks) <= 4


def test_waits_are_told_while_they_last(monkeypatch):
    monkeypatch.setattr("avion_core.descriptions.writers.patience.TOLD_SECONDS", 0.05)

    def limited(ask):
        return written(ask) if ask.nth > 1 else Say(status=429, headers={"Retry-After": "0.1"})

    with loopback(limited) as server:
        events = list(generate(orders(1), make("openai-compatible", server), PROMPT, Imaging(), Patience()))
    first, *_ = events
    assert first == Waiting(0.1, "the server cannot answer now: 429")


def test_what_ends_it_for_one_ends_the_waits_of_all():
    together = threading.Barrier(2)

    def script(ask):
        together.wait(20)
        if ask.name == "class number 0":
            return Say(status=503, headers={"Retry-After": "600"})
        return Say(status=401, silence=0.5)

    began = time.monotonic()
    with loopback(script) as server, pytest.raises(WriterError, match="does not accept the key"):
        run(orders(2), make("gemini", server), concurrency=2)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("classes", [2, 100])
def test_a_service_that_is_out_is_no_end_without_an_error(classes):
    patience = Patience(attempts=2)
    with (
        loopback(lambda ask: Say(status=503)) as server,
        pytest.raises(WriterError, match=r"no longer answers: 503.*Resume it") as raised,
    ):
        run(orders(classes), make("openai-compatible", server), patience, concurrency=2)
    assert not isinstance(raised.value, Busy)
    assert len(server.asks) < 30


def test_one_good_reply_among_them_is_no_outage():
    def script(ask):
        return written(ask) if int(ask.name.split()[-1]) % 5 == 0 else Say(status=503)

    with loopback(script) as server:
        _, done, _ = run(orders(40), make("openai-compatible", server), Patience(attempts=2), concurrency=1)
    assert sum(not event.problem for event in done.values()) == 8


def test_requests_keep_their_pace():
    moments: list[float] = []

    class Clock:
        name, model = "file", "clock"

        def write(self, prompt):
            moments.append(time.monotonic())
            return RawReply("[]", "clock", 0, 0, 0.0)

    patience = Patience(requests_per_minute=600)
    list(generate(orders(3), Clock(), PROMPT, Imaging(), patience, concurrency=6))
    gaps = [later - earlier for earlier, later in zip(sorted(moments), sorted(moments)[1:], strict=False)]
    assert len(moments) == 3 * BARREN_REPLIES
    assert min(gaps) > 0.05


def test_a_stop_ends_a_long_wait():
    patience = Patience()
    with loopback(lambda ask: Say(status=503, headers={"Retry-After": "600"})) as server:
        threading.Timer(0.5, patience.stop.set).start()
        began = time.monotonic()
        assert run(orders(3), make("gemini", server), patience)[1] == {}
    assert time.monotonic() - began < 5


def test_attempts_end(monkeypatch):
    calls = []

    class Busybody:
        name, model = "file", "busy"

        def write(self, prompt):
            calls.append(1)
            raise Busy("the server cannot answer now", "Wait.", value=503)

    monkeypatch.setattr("avion_core.descriptions.writers.patience.LONGEST_WAIT_SECONDS", 0.02)
    events = []
    with pytest.raises(WriterError):
        events.extend(generate(orders(1), Busybody(), PROMPT, Imaging(), Patience(attempts=4)))
    assert len(calls) == 4
    assert events[-1].problem.startswith("0 of 5 written: The server cannot answer now: 503.")
