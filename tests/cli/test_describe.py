from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading

import pytest

from avion_core.usecases.writing import command_line, generations, ordering
from tests.descriptions.writers.loopback import KEY, Say, loopback, written


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_describe_with_gemini(scenes, answer):
    with loopback() as server:
        planned = answer("describe", "scenes", "--base-url", server.address, "--per-class", "5", "--plan")
        assert planned["plan"]["descriptions"] == 15
        assert not server.asks
        made = answer("describe", "scenes", "--writer", "gemini", "--base-url", server.address, "--per-class", "5")
    assert (made["state"], made["written"], made["lacking"]) == ("finished", 15, [])
    assert [row["got"] for row in made["classes"]] == [5, 5, 5]
    listed = answer("descriptions", "list", "scenes")
    assert sum(row["writer"] == "gemini" for row in listed["descriptions"]) == 15


def test_what_was_written_is_exported_with_its_reply(scenes, answer, tmp_path):
    with loopback() as server:
        answer("describe", "scenes", "--base-url", server.address, "--per-class", "5", "--distinguish", "0")
    file = tmp_path / "out.jsonl"
    answer("descriptions", "export", "scenes", "--out", file)
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    written_here = [record for record in records if record["writer"] == "gemini"]
    assert len(written_here) == 15
    for record in written_here:
        assert record["text"] in [entry["text"] for entry in json.loads(record["raw_reply"])["descriptions"]]
        assert (record["tokens_in"], record["tokens_out"]) == (400, 120)
    assert {record["raw_reply"] for record in records if record["writer"] != "gemini"} == {""}


def test_describe_with_a_server_of_ones_own(scenes, avion):
    words = ["describe", "scenes", "--writer", "openai-compatible", "--model", "llama", "--per-class", "2"]
    words += ["--price-in", "1", "--price-out", "2", "--class", "beach"]
    with loopback() as server:
        result = avion(
            *words, "--base-url", server.openai_url, "--price-in", "1", "--price-out", "2", "--class", "beach"
        )
    assert result.exit_code == 0, result.stderr
    assert "2 descriptions by llama in 1 requests, cost 0.0006." in result.stdout
    assert "2 descriptions of 1 classes: 1 requests" in result.stderr


def test_describe_tells_classes_apart_as_the_page_says(scenes, answer):
    pair = ("beach", "forest")
    with loopback() as server:
        values = {"per_class": 2, "classes": pair, "distinguish_from": pair, "prompt": "contrast"}
        settings = ordering.make_writing_settings(values | {"base_url": server.address})
        avion, describe, *words = shlex.split(command_line.cli_command("scenes", settings))
        assert (avion, words.count("--distinguish-from")) == ("avion", 2)
        assert answer(describe, *words)["written"] == 4
    assert {(ask.name, *ask.data["distinguish_from"]) for ask in server.asks} == {pair, pair[::-1]}
    assert generations.get_generation(scenes, "scenes").settings.distinguish_from == pair


def test_describe_from_a_file(scenes, answer, tmp_path):
    batch = tmp_path / "batch.json"
    batch.write_text(json.dumps({"beach": ["Aerial view of sand."], "forest": ["Aerial view of trees."]}))
    words = ("--writer", "file", "--file", batch, "--per-class", "1", "--class", "beach", "--class", "forest")
    assert answer("describe", "scenes", *words)["written"] == 2


def test_what_lacks_is_said_and_ends_with_one(scenes, avion):
    with loopback(lambda ask: Say(status=400) if ask.name == "forest" else written(ask)) as server:
        result = avion("describe", "scenes", "--base-url", server.address, "--per-class", "2", "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["written"] == 4
    assert said["lacking"] == [
        "forest: 0 of 2 written: Gemini rejects the request: 400 TROUBLE. "
        "Change the prompt, the class card or the model.",
    ]


def test_a_wrong_key_is_one_sentence(scenes, avion):
    with loopback(lambda ask: Say(status=401)) as server:
        result = avion("describe", "scenes", "--base-url", server.address)
        host = server.address
    assert result.exit_code == 1
    assert "Gemini does not accept the key: 401. Put a valid key into GEMINI_API_KEY and start again." in result.stderr
    assert KEY not in result.stderr + result.stdout
    assert host not in result.stderr


def test_after_a_kill_it_goes_on_with_resume(scenes, folder, answer):
    first_class_saved, over = threading.Event(), threading.Event()

    def script(ask):
        if ask.nth == 2:
            first_class_saved.set()
            over.wait(60)
        return written(ask)

    command = [sys.executable, "-m", "avion_core.cli", "describe", "scenes", "--per-class", "60"]
    with loopback(script) as server:
        command += ["--base-url", server.address, "--distinguish", "0", "--concurrency", "1"]
        cut_off = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert first_class_saved.wait(60)
        while not generations.get_generation(scenes, "scenes").written:
            pass
        cut_off.send_signal(signal.SIGKILL)
        cut_off.communicate(timeout=20)
        over.set()
        made = answer("describe", "scenes", "--resume")
        again = answer("describe", "scenes", "--per-class", "60", "--base-url", server.address, "--distinguish", "0")
    assert (made["state"], made["written"], made["lacking"]) == ("finished", 180, [])
    assert again["written"] == 0


def test_wrong_use_ends_with_two(scenes, avion):
    result = avion("describe", "scenes", "--per-class", "0")
    assert result.exit_code == 2
    assert "The setting per_class cannot be used: 0." in result.stderr


def test_compare_writers(scenes, answer, avion):
    with loopback() as server:
        answer("describe", "scenes", "--base-url", server.address, "--per-class", "3", "--distinguish", "0")
    found = answer("descriptions", "compare", "scenes")
    assert {(one["writer"], one["texts"]) for one in found["writers"]} == {("gemini", 9), ("", 12)}
    assert all(0 <= one["accuracy"] <= 100 for one in found["writers"])
    said = avion("descriptions", "compare", "scenes").stdout
    assert "gemini · gemini-3.8-flash" in said
    assert "Class names alone:" in said
