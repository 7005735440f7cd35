from __future__ import annotations

import time

import pytest
from argon2 import PasswordHasher
from streamlit.runtime.context import ContextProxy

from avion_core.errors import RightsError
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.writing import generations, ordering, prompts
from tests.acting import by
from tests.app.tiny_home import NAME
from tests.descriptions.writers.loopback import KEY, Say, loopback, written
from tests.pages.conftest import Open, settle


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def until_ended(home: Home) -> generations.GenerationView:
    deadline = time.monotonic() + 60
    while (view := generations.get_generation(home, NAME)).state in ("queued", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return view


def ordered(app, server, count=3):
    app.text_input(key="writing_address").set_value(server.address)
    app.number_input(key="writing_count").set_value(count)
    app.number_input(key="writing_distinguish").set_value(0)
    return settle(app.run())


def button(app, label):
    return next(button for button in app.button if button.label == label)


def page_text(app) -> str:
    return "\n".join(str(element.value) for kind in ("markdown", "caption") for element in app.get(kind))


def test_order_watch_and_review(open_page: Open, home: Home):
    with loopback() as server:
        app = ordered(open_page("generate"), server)
        assert "**9** descriptions of **3** classes in **3** requests" in page_text(app)
        assert KEY not in page_text(app)
        assert any("avion describe tiny --writer gemini" in code.value for code in app.code)
        app = button(app, "Generate descriptions").click().run()
        view = until_ended(home)
    assert (view.state, view.written) == ("finished", 9)
    app = app.run()
    assert not app.exception
    assert "3 of 3 classes · 9 descriptions" in app.get("progress")[0].text
    assert list(app.dataframe[0].value["new"]) == [3, 3, 3]
    chooser = next(one for one in app.selectbox if one.label == "Requests and replies")
    app = chooser.select_index(0).run()
    assert any("400 tokens sent, 120 written" in one.label for one in app.expander)
    assert any(code.value.startswith('{"descriptions"') for code in app.code)
    app = button(app, "Review these 9").click().run()
    assert app.title[0].value == "Review"
    assert get_project(home, NAME).descriptions == 36


def test_what_failed_is_asked_again(open_page: Open, home: Home):
    failing = True

    def script(ask):
        return Say(status=400) if failing and ask.name == "sea or lake" else written(ask)

    with loopback(script) as server:
        app = ordered(open_page("generate"), server)
        button(app, "Generate descriptions").click().run()
        assert until_ended(home).lacking == ("SeaLake",)
        app = open_page("generate")
        assert "rejects the request: 400" in " ".join(app.dataframe[0].value["problem"])
        failing = False
        button(app, "Retry 1 class").click().run()
        assert until_ended(home).written == 3


def test_what_is_sent_is_shown_and_prompts_are_kept(open_page: Open, home: Home):
    app = open_page("generate")
    assert any("You write short descriptions" in code.value for code in app.code)
    assert any('"name": "forest"' in code.value for code in app.code)
    app.text_area[0].set_value("Describe the class in the data from above.")
    app.text_input(key="prompt_name").set_value("mine")
    app = next(button for button in app.button if button.label == "Save").click().run()
    assert set(prompts.prompts(home)) == {"contrast", "plain", "remote-sensing", "mine"}
    app.text_input(key="prompt_name").set_value("../up")
    app = next(button for button in app.button if button.label == "Save").click().run()
    assert app.error[0].value == "Choose another name."


def test_no_key_gives_a_hint(open_page: Open, home: Home, monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY")
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    app = open_page("generate")
    assert "Set GEMINI_API_KEY in the environment" in app.warning[0].value
    assert button(app, "Generate descriptions").disabled


def test_a_wrong_key_is_shown_with_a_hint(open_page: Open, home: Home):
    with loopback(lambda ask: Say(status=401)) as server:
        app = ordered(open_page("generate"), server)
        button(app, "Generate descriptions").click().run()
        assert until_ended(home).state == "failed"
    app = open_page("generate")
    assert "Put a valid key into GEMINI\\_API\\_KEY" in app.error[0].value
    assert button(app, "Resume")


def test_pictures_are_said_to_leave(open_page: Open, home: Home):
    app = open_page("generate")
    app.number_input(key="writing_pictures").set_value(2)
    app = app.run()
    assert "2 training images of each class leave this machine" in app.info[0].value


@pytest.mark.parametrize(("role", "may"), [("adjudicator", False), ("admin", True)])
def test_where_people_sign_in_an_admin_alone_says_where_the_key_goes(
    open_page: Open, home: Home, monkeypatch, role, may
):
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    for name in ("Ana", "Dee"):
        accounts.add_account(home, name, "nine harbours at dusk", "admin" if name == "Ana" else role)
    secret = accounts.sign_in(home, "Dee", "nine harbours at dusk", "here")
    monkeypatch.setattr(ContextProxy, "cookies", {accounts.cookie_name(home): secret})
    monkeypatch.setattr(ContextProxy, "url", "http://192.168.1.20:8501/generate")
    app = open_page("generate")
    assert app.text_input(key="writing_address").disabled is not may
    assert not button(app, "Generate descriptions").disabled
    with loopback() as server:
        settings = ordering.make_writing_settings({"base_url": server.address, "distinguish": 0, "per_class": 1})
        if may:
            assert ordering.order_descriptions(by("Dee", home), NAME, settings)
        else:
            with pytest.raises(RightsError, match="As adjudicator you may not"):
                ordering.order_descriptions(by("Dee", home), NAME, settings)
        assert ordering.order_descriptions(home, NAME, settings)  # whoever has the command line owns the home
