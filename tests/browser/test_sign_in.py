"""People sign in, in a real browser: an invite link, an account, a refresh, signing out, and the gate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from avion_core.actor import ALONE
from avion_core.usecases.installation.backup import list_backups
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts
from tests.acting import by
from tests.browser.conftest import serving
from tests.browser.page import Page

PASSWORD = "nine harbours at dusk"


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Home, str]]:
    """A studio with an admin, served as `avion app` does."""
    home = Home(tmp_path / "home", ALONE)
    accounts.add_account(home, "Ana", PASSWORD, "admin")
    with serving(home, tmp_path / "log.txt") as address:
        yield home, address


def test_invite_account_refresh_sign_out_gate(chromium: WebDriver, shared: tuple[Home, str]) -> None:
    home, address = shared
    page = Page(chromium, address)
    page.look("light", 1280, 1000)

    def fill(**typed: str) -> None:
        for name, text in typed.items():
            page.type(f"input[name={name}]", text, into=f"the field {name}")
        chromium.find_element(By.CSS_SELECTOR, "form button").click()

    chromium.get(f"{address}/settings")
    page.until(lambda: "Sign in to go on." in page.text(), "the gate")
    assert "/account/sign-in?next=%2Fsettings" in chromium.current_url

    chromium.get(f"{address}/account/join/{accounts.invite(by('Ana', home), 'adjudicator')}")
    page.until(lambda: "Ana invites you to this studio as adjudicator." in page.text(), "the invitation")
    fill(name="Ben", password=PASSWORD)
    page.settle()
    page.until(lambda: "Ben · adjudicator" in page.text(), "the name of who signed in")

    chromium.refresh()
    page.settle()
    assert "Ben · adjudicator" in page.text()
    assert accounts.cookie_name(home) not in chromium.execute_script("return document.cookie")

    page.click("Sign out")
    page.until(lambda: "this browser is not signed in" in page.text(), "the gate inside the app")
    page.until(lambda: "Ben" not in page.text(), "the sidebar without who signed out")
    page.until(lambda: chromium.find_elements(By.LINK_TEXT, "Sign in"), "the way back in")[0].click()
    page.until(lambda: "Sign in to go on." in page.text(), "the form")

    fill(name="ben", password="a wrong guess")
    page.until(lambda: "Name or password is wrong." in page.text(), "what is wrong")
    fill(password=PASSWORD)
    page.settle()
    page.until(lambda: "Ben · adjudicator" in page.text(), "the name of who signed in")

    accounts.set_disabled(home, "Ben", True)
    chromium.refresh()
    page.until(lambda: "Sign in to go on." in page.text(), "the gate, for a disabled account")
    assert [backup.kind for backup in list_backups(home)] == ["daily"]  # made when the server started
