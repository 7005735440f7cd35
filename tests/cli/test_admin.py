"""Commands for people, backups and serving, as a person and as a program calls them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from argon2 import PasswordHasher
from click.testing import Result
from typer.testing import CliRunner

from avion_core.actor import ALONE
from avion_core.cli import app
from avion_core.usecases.installation.home import Home
from avion_core.usecases.installation.serving import invite_link, lan_addresses, prepare_server
from avion_core.usecases.people import accounts

PASSWORD = "nine harbours at dusk"


@pytest.fixture(autouse=True)
def fast_hashes(monkeypatch):
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def ana(folder) -> Home:
    home = Home(folder, ALONE)
    accounts.add_account(home, "Ana", PASSWORD, "admin")
    return home


def test_the_first_admin_is_added_with_a_password_that_is_asked_for(folder):
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    result: Result = CliRunner().invoke(app, ["users", "add", "Ana", "--role", "admin", "--json"], input=typed)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"name": "Ana", "role": "admin"}
    assert PASSWORD not in result.stdout + result.stderr
    assert accounts.sign_in(Home(folder, ALONE), "Ana", PASSWORD, "here")


def test_people_are_invited_listed_and_changed(answer, avion, ana):
    made = answer("users", "invite", "--role", "reviewer")
    assert (made["role"], made["days"]) == ("reviewer", 7)
    secret = made["link"].removeprefix("http://127.0.0.1:8501/account/join/")
    accounts.accept_invite(ana, secret, "Ben", PASSWORD)
    assert answer("users", "role", "Ben", "adjudicator") == {"name": "Ben", "role": "adjudicator"}
    assert answer("users", "disable", "Ben") == {"name": "Ben", "disabled": True}
    listed = answer("users", "list")["users"]
    assert [(row["name"], row["role"], row["disabled_at"] is None) for row in listed] == [
        ("Ana", "admin", True),
        ("Ben", "adjudicator", False),
    ]
    assert "password" not in json.dumps(listed)
    assert answer("users", "disable", "Ben", "--undo")["disabled"] is False
    link = answer("users", "reset", "Ben")["link"]
    assert accounts.read_invite(ana, link.rpartition("/")[2]).resets == "Ben"
    assert "new password for Ben" in avion("users", "list").stdout


def test_alone_the_list_says_so(avion, folder):
    assert "No account: whoever is on this machine may use it." in avion("users", "list").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("users", "role", "Zoe", "admin"), "There is no such account: Zoe. Existing accounts: Ana."),
        (("users", "disable", "Ana"), "This is the last admin. Make somebody else an admin first."),
        (("backup", "restore", "none"), "There is no such backup: none. Existing backups: none yet."),
        (("models", "remove", "georsclip-vit-b-32"), "These weights are not installed"),
    ],
)
def test_failures_are_one_sentence(avion, ana, words, message):
    result = avion(*words)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stdout == ""


def test_backups_are_made_listed_and_restored(answer, avion, scenes):
    made = answer("backup", "create")
    assert [row["name"] for row in answer("backup", "list")["backups"]] == [made["name"]]
    assert made["name"] in avion("backup", "list").stdout
    accounts.add_account(scenes, "Ana", PASSWORD, "admin")
    refused = avion("backup", "restore", made["name"])
    assert refused.exit_code == 1
    assert "holds newer work than this backup: 1 account" in refused.stderr
    restored = answer("backup", "restore", made["name"], "--losing")
    assert restored["before"].endswith("-before-restore")
    assert not accounts.accounts_are_on(scenes)


def test_removed_weights_say_what_is_free_again(answer, folder):
    kept = folder / "weights" / "remoteclip-vit-b-32"
    kept.mkdir(parents=True)
    (kept / "weights.bin").write_bytes(bytes(1000))
    assert answer("models", "remove", "remoteclip-vit-b-32") == {"name": "remoteclip-vit-b-32", "freed_bytes": 1000}


def test_the_catalog_says_what_a_person_must_know(answer, folder):
    (demo,) = [row for row in answer("models", "list")["models"] if row["name"] == "openai-vit-b-32"]
    assert (demo["activation"], demo["dim"], demo["bundled"]) == ("QuickGELU", 512, False)
    assert demo["licence"].startswith("MIT")
    assert demo["hub"] == "timm/vit_base_patch32_clip_224.openai/open_clip_model.safetensors"


def test_doctor_speaks_of_people_backups_and_keys(answer, ana, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("AVION_DATABASE_URL", f"sqlite:///{ana.path}/avion.sqlite3")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    checks = {check["title"]: check for check in answer("doctor")["checks"]}
    assert "Ana (admin)" in checks["People"]["message"]
    assert "none yet" in checks["Backups"]["message"]
    assert checks["OPENAI_API_KEY"]["message"] == "is set."
    assert checks["GEMINI_API_KEY"]["message"].startswith("is not set")
    assert "sk-secret" not in json.dumps(checks)


def test_the_network_waits_for_an_admin(avion, folder):
    result = avion("app", "--lan", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"].startswith("A shared studio needs an admin account first.")
    assert not (folder / "address.txt").exists()


def test_the_network_is_opened_for_those_who_sign_in(ana):
    alone, shared = prepare_server(ana), prepare_server(ana, lan=True)
    address = alone.command.index("--server.address") + 1
    assert (alone.command[address], shared.command[address]) == ("127.0.0.1", "0.0.0.0")
    assert shared.url.startswith(tuple(f"http://{one}:" for one in [*lan_addresses(), "127.0.0.1"]))


def test_links_lead_where_people_find_the_studio(folder):
    home = Home(folder, ALONE)
    folder.mkdir()
    assert invite_link(home, "s") == "http://127.0.0.1:8501/account/join/s"
    assert invite_link(home, "s", "http://localhost:8600") == "http://localhost:8600/account/join/s"
    assert invite_link(home, "s", "https://studio.example") == "https://studio.example/account/join/s"
    (folder / "address.txt").write_text("http://192.168.1.20:8502\n")
    for seen in ("", "http://localhost:8502", "http://127.0.0.1:8502"):
        assert invite_link(home, "s", seen) == "http://192.168.1.20:8502/account/join/s"


def test_the_first_admin_opens_the_network(folder):
    """This machine alone, until the printed link made an admin; then the network, behind the gate."""
    with subprocess.Popen(
        [sys.executable, "-m", "avion_core.cli", "app", "--lan", "--home", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as serving:
        try:
            assert serving.stdout is not None
            link = next(line.strip() for line in serving.stdout if "/account/join/" in line)
            assert link.startswith("http://127.0.0.1:")
            until(lambda: status(link) == 200)
            form = urllib.parse.urlencode({"name": "Ana", "password": PASSWORD}).encode()
            with pytest.raises(urllib.error.HTTPError) as entered:
                urllib.request.build_opener(NoRedirect).open(urllib.request.Request(link, form), timeout=30)
            assert entered.value.code == 303
            assert "HttpOnly; Max-Age" in entered.value.headers["Set-Cookie"]

            shared = next(line for line in serving.stdout if "AVION Studio is at" in line)
            assert any(address in shared for address in [*lan_addresses(), "127.0.0.1"])
            base = link.partition("/account/")[0]
            until(lambda: status(f"{base}/_stcore/health") == 200)
            assert status(f"{base}/_stcore/host-config") == 401
        finally:
            os.killpg(serving.pid, signal.SIGTERM)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def until(see) -> None:
    deadline = time.monotonic() + 90
    while not see():
        assert time.monotonic() < deadline
        time.sleep(0.2)
