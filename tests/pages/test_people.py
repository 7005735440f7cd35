"""The gate and the settings page, in every state and for every role."""

from __future__ import annotations

import sys

import pandas as pd
import pytest
from argon2 import PasswordHasher
from sqlalchemy import make_url
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from avion_core import __version__
from avion_core.actor import ALONE
from avion_core.jobs.executors import local
from avion_core.store.database import writing
from avion_core.store.tables import Project
from avion_core.usecases.insight.alignment import map_settings, start_map, stop_map
from avion_core.usecases.installation import backup
from avion_core.usecases.installation.home import Home
from avion_core.usecases.models.installing import installing_jobs
from avion_core.usecases.people import accounts
from avion_core.usecases.projects.summaries import get_project
from tests.acting import by
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text, click, settle

PASSWORD = "nine harbours at dusk"
MODEL = "remoteclip-vit-b-32"


@pytest.fixture(autouse=True)
def fast_hashes(monkeypatch):
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def come_as(empty_home: Home, monkeypatch: pytest.MonkeyPatch):
    """Be the browser of an account that is made for it (Ana is the admin)."""

    def come(name: str, role: str) -> str:
        if not accounts.accounts_are_on(empty_home):
            accounts.add_account(empty_home, "Ana", PASSWORD, "admin")
        if name != "Ana":
            accounts.add_account(empty_home, name, PASSWORD, role)
        secret = accounts.sign_in(empty_home, name, PASSWORD, "here")
        monkeypatch.setattr(ContextProxy, "cookies", {accounts.cookie_name(empty_home): secret})
        monkeypatch.setattr(ContextProxy, "url", "http://192.168.1.20:8501/settings")
        return secret

    return come


def be_ben(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be the browser of Ben, a reviewer in a home with a project."""
    accounts.add_account(home, "Ana", PASSWORD, "admin")
    accounts.add_account(home, "Ben", PASSWORD, "reviewer")
    secret = accounts.sign_in(home, "Ben", PASSWORD, "here")
    monkeypatch.setattr(ContextProxy, "cookies", {accounts.cookie_name(home): secret})


def frame_with(app: AppTest, column: str) -> pd.DataFrame:
    return next(frame.value for frame in app.dataframe if column in frame.value)


def everything(app: AppTest) -> str:
    """All that is sent to the browser."""
    return f"{all_text(app)} {[frame.value.to_dict() for frame in app.dataframe]}"


def codes(app: AppTest) -> list[str]:
    return [element.value for element in app.code]


def test_alone_there_is_no_gate(empty_home: Home, open_page: Open) -> None:
    app = open_page("settings")
    assert "You work alone: nobody signs in" in all_text(app)
    assert "avion app --lan" in codes(app)
    assert not [button for button in app.button if button.label == "Sign out"]


@pytest.mark.parametrize("cookie", [{}, {"avion_00000000": "x"}, "wrong"])
def test_the_gate_shows_nothing_but_the_way_in(
    empty_home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch, cookie
) -> None:
    accounts.add_account(empty_home, "Ana", PASSWORD, "admin")
    held = {accounts.cookie_name(empty_home): cookie} if cookie == "wrong" else cookie
    monkeypatch.setattr(ContextProxy, "cookies", held)
    app = open_page("settings")
    assert [title.value for title in app.title] == ["Sign in"]
    assert "/account/sign-in" in app.get("html")[0].proto.body
    assert not app.button
    assert not app.sidebar.selectbox


def test_signing_out_closes_the_gate(empty_home: Home, come_as, open_page: Open) -> None:
    secret = come_as("Ana", "admin")
    app = open_page()
    assert "**Ana** · admin" in all_text(app)
    click(app, "Sign out")
    assert [title.value for title in app.title] == ["Sign in"]
    assert accounts.person_of(empty_home, secret) is None


def test_a_disabled_account_meets_the_gate_at_its_next_step(empty_home: Home, come_as, open_page: Open) -> None:
    come_as("Ben", "reviewer")
    app = open_page()
    accounts.set_disabled(empty_home, "Ben", True)
    app.run()
    assert [title.value for title in app.title] == ["Sign in"]


def test_an_admin_invites_and_manages(empty_home: Home, come_as, open_page: Open) -> None:
    accounts.add_account(empty_home, "Ana", PASSWORD, "admin")
    accounts.add_account(empty_home, "Ben", PASSWORD, "reviewer")
    come_as("Ana", "admin")
    app = open_page("settings")
    app.selectbox("invite_role").select("adjudicator")
    click(app, "Create an invite link")
    (link,) = [code for code in codes(app) if "/account/join/" in code]
    assert link.startswith("http://192.168.1.20:8501/account/join/")
    assert accounts.read_invite(empty_home, link.rpartition("/")[2]).role == "adjudicator"

    app.button("withdraw_1").click()
    settle(app.run())
    assert accounts.list_invites(empty_home) == []

    app.selectbox("role_Ben_reviewer").select("adjudicator")
    settle(app.run())
    app.button("disable_Ben").click()
    settle(app.run())
    ben = accounts.list_accounts(empty_home)[1]
    assert (ben.role, ben.disabled_at is None) == ("adjudicator", False)
    assert "disabled" in all_text(app)

    app.button("reset_Ben").click()
    settle(app.run())
    (link,) = [code for code in codes(app) if "/account/join/" in code]
    assert accounts.read_invite(empty_home, link.rpartition("/")[2]).resets == "Ben"


def test_a_role_that_was_changed_meanwhile_is_not_written_over(empty_home: Home, come_as, open_page: Open) -> None:
    come_as("Ana", "admin")
    accounts.add_account(empty_home, "Ben", PASSWORD, "reviewer")
    app = open_page("settings")
    accounts.set_role(empty_home, "Ben", "adjudicator")
    app.selectbox("role_Ben_reviewer").select("admin")
    settle(app.run())
    assert "Ben was made adjudicator meanwhile" in app.error[0].proto.title
    assert accounts.list_accounts(empty_home)[1].role == "adjudicator"
    assert app.selectbox("role_Ben_adjudicator").value == "adjudicator"


def test_the_last_admin_keeps_the_role(empty_home: Home, come_as, open_page: Open) -> None:
    come_as("Ana", "admin")
    app = open_page("settings")
    app.selectbox("role_Ana_admin").select("reviewer")
    settle(app.run())
    assert "Make somebody else an admin first" in app.error[0].value
    assert app.selectbox("role_Ana_admin").value == "admin"


def test_the_last_admin_is_told_why_not(empty_home: Home, come_as, open_page: Open) -> None:
    come_as("Ana", "admin")
    app = open_page("settings")
    app.button("disable_Ana").click()
    settle(app.run())
    assert "Make somebody else an admin first" in app.error[0].value


def test_a_reviewer_sees_the_team_and_manages_nothing(empty_home: Home, come_as, open_page: Open) -> None:
    come_as("Ben", "reviewer")
    app = open_page("settings")
    assert [tab.label for tab in app.tabs] == ["You", "Storage", "Device and keys"]
    assert frame_with(app, "role")["name"].tolist() == ["Ana", "Ben"]
    assert {button.label for button in app.button} == {"Sign out", "Change my password"}
    assert "reviewer** may review descriptions" in all_text(app)
    click(app, "Change my password")
    (link,) = [code for code in codes(app) if "/account/join/" in code]
    assert accounts.read_invite(empty_home, link.rpartition("/")[2]).resets == "Ben"


def test_a_demotion_in_mid_page_is_refused_at_the_action(empty_home: Home, come_as, open_page: Open) -> None:
    come_as("Ana", "admin")
    accounts.add_account(empty_home, "Zoe", PASSWORD, "admin")
    app = open_page("models")
    accounts.set_role(empty_home, "Ana", "reviewer")
    app.button(f"download_{MODEL}").click()
    app.run()
    assert installing_jobs(empty_home) == {}


def test_settings_show_places_sizes_and_that_keys_are_set(
    empty_home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    (empty_home.path / "features").mkdir(parents=True)
    (empty_home.path / "features" / "shard").write_bytes(bytes(3_000_000))
    app = open_page("settings")
    said = all_text(app)
    assert str(empty_home.path) in said
    parts = frame_with(app, "part").set_index("part")["size"]
    assert parts["features"] == "3 MB"
    assert "`OPENAI_API_KEY` :green" in said
    assert "`GEMINI_API_KEY` :gray" in said
    assert "sk-secret" not in everything(app)
    assert "processor" in said or "GPU" in said
    assert f"AVION Studio {__version__}" in said


def test_a_database_password_is_not_shown(empty_home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    _ = empty_home.engine
    shown = "postgresql+psycopg://me:***@host/avion"
    monkeypatch.setattr(
        "avion_core.usecases.installation.resources.database_url", lambda _: make_url(shown.replace("***", "secret"))
    )
    app = open_page("settings")
    assert shown in everything(app)
    assert "secret" not in everything(app)


def test_backups_are_made_and_put_back_knowing_the_cost(empty_home: Home, open_page: Open) -> None:
    app = open_page("settings")
    assert "No backup yet" in all_text(app)
    click(app, "Back up now")
    (made,) = backup.list_backups(empty_home)
    assert frame_with(app, "why")["why"].tolist() == ["by hand"]
    app.selectbox("restore").select(made.name)
    settle(app.run())
    assert "No work is lost" in all_text(app)
    row = Project(name="harbours", image_root="", modality="", teacher="", student="", recipe={}, defaults={})
    with writing(empty_home.engine) as database:
        database.add(row)
    settle(app.run())
    assert "loses 1 project that the backup does not hold" in app.warning[0].value
    click(app, "Restore and lose these")
    assert [one.kind for one in backup.list_backups(empty_home)] == ["before-restore", "by-hand"]
    assert backup.losses(Home(empty_home.path, ALONE), made.name) == []


def test_before_a_restore_it_is_said_that_all_sign_in_anew(empty_home: Home, come_as, open_page: Open) -> None:
    secret = come_as("Ana", "admin")
    made = backup.back_up(empty_home)
    app = open_page("settings")
    app.selectbox("restore").select(made.name)
    settle(app.run())
    assert "Everybody signs in again" in all_text(app)
    click(app, "Restore")
    assert accounts.person_of(empty_home, secret) is None


def test_a_reviewer_reads_the_catalog_and_changes_nothing(empty_home: Home, come_as, open_page: Open) -> None:
    come_as("Ben", "reviewer")
    app = open_page("models")
    assert app.button(f"download_{MODEL}").disabled


def test_a_reviewer_may_stop_a_map_of_their_own_alone(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "import time; time.sleep(600)"))

    def stop() -> Button:
        app = open_page("alignment", at_rest=False)  # the map's process goes on until it is stopped
        return next(button for button in app.button if button.label == "Stop")

    be_ben(home, monkeypatch)
    key = start_map(by("Ana", home), "latest", map_settings(method="tsne"))
    assert stop().disabled
    assert "Ana asked for this" in stop().help
    stop_map(by("Ana", home), "latest", key)
    key = start_map(by("Ben", home), "latest", map_settings(method="tsne"))
    assert not stop().disabled
    stop_map(by("Ben", home), "latest", key)


@pytest.mark.parametrize(
    ("page", "widget", "label"),
    [
        ("launch", "button", "Start now"),
        ("evaluation", "toggle", "test set"),
        ("runs", "button", "Pin as baseline"),
        ("runs", "popover", "Rename"),
        ("runs", "popover", "Delete"),
        ("projects", "button", "Open the demo"),
        ("confusion", "button", "Ask for contrastive descriptions"),
        ("generate", "button", "Save"),
    ],
)
def test_what_a_reviewer_may_not_do_is_greyed_out(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch, page: str, widget: str, label: str
) -> None:
    def barred() -> list[bool]:
        app = open_page(page, cell=["Forest", "SeaLake"])
        # The test's popover shows what it holds alone; what it was told is in its message.
        protos = [found.proto.popover if widget == "popover" else found.proto for found in app.get(widget)]
        return [proto.disabled for proto in protos if label in proto.label]

    assert barred()
    assert not any(barred())
    be_ben(home, monkeypatch)
    assert all(barred())


def test_a_reviewer_is_shown_no_folder_of_the_server(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(get_project(home, NAME).image_root)

    def shown() -> tuple[bool, bool]:
        app = open_page()
        boxes = {box.key for box in app.text_input}
        app.session_state["new_folder"] = folder  # as a browser might send it, whatever it was shown
        settle(app.run())
        return "new_folder" in boxes, "36 pictures" in all_text(app)

    assert shown() == (True, True)
    be_ben(home, monkeypatch)
    assert shown() == (False, False)
