"""Two people, signed in on one server, judge the same descriptions at once in browsers of their own.

Sixty verdicts each; with 500 each: `python -m pytest -m slow tests/browser/test_reviewers_at_once.py -s`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from avion_core.actor import ALONE
from avion_core.usecases.curation import history, my_sight
from avion_core.usecases.curation.agreement import agreement, conflicts, set_blind
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.projects.summaries import ProjectSummary
from tests.acting import by
from tests.app.tiny_home import need_demo_weights
from tests.browser.conftest import open_chromium, serving
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(1800)

PASSWORD = "as many verdicts as keys"
BETWEEN_KEYS = 0.03  # seconds, beside what the browser's driver takes
KEYS = {"a": "accepted", "x": "rejected"}
# What each says of every ten texts, in the order in which they come. Both accept 5 and both reject 3: they agree on 8
# of 10. Each rejects 4 and accepts 6: by chance they would agree on 0.4 * 0.4 + 0.6 * 0.6 = 0.52.
SAYS = {"ana": "xxxxaaaaaa", "ben": "xxxaaxaaaa"}
AGREE, KAPPA = 0.8, (0.8 - 0.52) / (1 - 0.52)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Home, ProjectSummary, str]]:
    """The demo with its 620 descriptions, two accounts, and a server."""
    home = Home(tmp_path / "home", ALONE)
    need_demo_weights(home.path)
    project = open_demo(home, "eurosat")
    accounts.add_account(home, "ana", PASSWORD, "admin")
    accounts.add_account(home, "ben", PASSWORD, "reviewer")
    with serving(home, tmp_path / "log.txt") as address:
        yield home, project, address


def sign_in(page: Page, home: Home, name: str) -> None:
    page.driver.get(page.address)
    secret = accounts.sign_in(home, name, PASSWORD, "127.0.0.1")
    page.driver.add_cookie({"name": accounts.cookie_name(home), "value": secret})
    page.look("light", 1280, 1000)


def judge(page: Page, says: str, count: int) -> dict[str, str]:
    """Press a key for each text as it is shown, without waiting for the server; text -> the verdict it was given."""
    judged: dict[str, str] = {}
    while len(judged) < count:
        item = page.until(lambda: page.card("item"), "a text to judge")
        assert item not in judged
        key = says[len(judged) % len(says)]
        judged[item] = KEYS[key]
        page.press(key)
        time.sleep(BETWEEN_KEYS)
    page.until(lambda: page.card("pending") == "0", "the server to take every verdict")
    return judged


@pytest.mark.parametrize("each", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_two_people_review_at_once(
    each: int,
    chromium: WebDriver,
    shared: tuple[Home, ProjectSummary, str],
    tmp_path: Path,
    picture: Callable[[str], None],
) -> None:
    home, project, address = shared
    set_blind(home, project.id, True)  # else each goes past what the other has judged meanwhile
    second = open_chromium(tmp_path / "second")
    pages = {"ana": Page(chromium, address), "ben": Page(second, address)}
    try:
        for name, page in pages.items():
            sign_in(page, home, name)
            page.open("review", project=project.id)
            page.until(lambda page=page: page.card("item"), "the review card")
        began = time.monotonic()
        with ThreadPoolExecutor(2) as people:
            work = {name: people.submit(judge, page, SAYS[name], each) for name, page in pages.items()}
            judged = {name: one.result() for name, one in work.items()}
        print(f"\n{each} verdicts each in {time.monotonic() - began:.1f} s")

        assert list(judged["ana"]) == list(judged["ben"])  # the same texts in the same order
        for name, said in judged.items():
            assert len(said) == each
            assert my_sight(by(name, home), project.id).mine == said
        for item in judged["ana"]:
            given = [
                entry.reviewer
                for entry in history(by("ana", home), project.id, item)
                if entry.verdict in ("accept", "reject")
            ]
            assert Counter(given) == {"ana": 1, "ben": 1}

        found = agreement(home, project.id)
        assert (found.reviewers, found.items) == (["ana", "ben"], each)
        assert found.pairs["agree"].tolist() == [pytest.approx(100 * AGREE)]
        assert found.kappa == pytest.approx(KAPPA)
        assert len(conflicts(home, project.id)) == each - round(AGREE * each)
        for page in pages.values():
            page.open("agreement", project=project.id)
            said = f"Cohen's kappa is {KAPPA:.2f} over {each} texts"
            page.until(lambda page=page, said=said: said in page.text(), "the agreement")
            page.until(lambda page=page: f"Conflict 1 of {each - round(AGREE * each)}" in page.text(), "the conflicts")
        picture("agreement")
    finally:
        second.quit()
        chromium.delete_all_cookies()
