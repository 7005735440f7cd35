"""Reviewing in a real browser: fast keys, a slow server, a whole table in one go."""

from __future__ import annotations

import time

import pytest

from avion_core.usecases.curation import history, record_verdict
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from tests.acting import by
from tests.app.tiny_home import CLASSES, NAME, TEXTS
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
ALL = len(CLASSES) * TEXTS


@pytest.fixture
def undecided(home: Home) -> None:
    """Every description undecided again, whoever judged before."""
    project = get_project(home, NAME)
    for item in current_descriptions(home, project.id).query("verdict != 'undecided'")["description_id"]:
        record_verdict(home, project.id, item, "undecide")


def decided(home: Home) -> dict[str, str]:
    table = current_descriptions(home, get_project(home, NAME).id).query("verdict != 'undecided'")
    return dict(zip(table["description_id"], table["verdict"], strict=True))


def decisions(home: Home, item: str) -> int:
    """How often a description was accepted or rejected."""
    return sum(entry.verdict in ("accept", "reject") for entry in history(home, NAME, item))


def wait_for_server(page: Page) -> None:
    page.until(lambda: page.card("pending") == "0", "the server to take every decision")


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("milliseconds", [300, 100, 30])
def test_twenty_keys_are_twenty_verdicts(milliseconds: int, page: Page, home: Home) -> None:
    judge_twenty(page, home, milliseconds)


@pytest.mark.usefixtures("undecided")
def test_keys_every_30_ms_over_a_slow_server(slow_page: Page, home: Home) -> None:
    judge_twenty(slow_page, home, 30)


def judge_twenty(page: Page, home: Home, milliseconds: int) -> None:
    page.open("review")
    page.until(lambda: page.card("item"), "the review card")
    before = {
        item: decisions(home, item) for item in current_descriptions(home, get_project(home, NAME).id)["description_id"]
    }
    judged = []
    for number in range(20):
        judged.append(page.card("item"))
        page.press("ax"[number % 2])
        time.sleep(milliseconds / 1000)
    wait_for_server(page)
    assert len(set(judged)) == 20
    assert decided(home) == {item: ("accepted", "rejected")[place % 2] for place, item in enumerate(judged)}
    assert {decisions(home, item) - before[item] for item in judged} == {1}


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("leave", ["another page", "reload"])
def test_no_verdict_is_lost_when_one_leaves_before_the_server_is_done(leave: str, slow_page: Page, home: Home) -> None:
    page = slow_page
    page.open("review")
    page.until(lambda: page.card("item"), "the review card")
    items = current_descriptions(home, get_project(home, NAME).id)["description_id"]
    before = {item: decisions(home, item) for item in items}
    judged = []
    for number in range(10):
        judged.append(page.card("item"))
        page.press("ax"[number % 2])
        time.sleep(0.03)
    note = """return [...document.querySelectorAll('*')].map(host => host.shadowRoot?.querySelector('.waiting'))
        .find(note => note && !note.hidden)?.textContent"""
    assert "not saved yet" in page.driver.execute_script(note)
    leaving = "return window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert page.driver.execute_script(leaving) is False  # the browser asks before it lets the page go
    if leave == "reload":
        page.driver.refresh()
    else:
        page.go("Classes")
    assert len(decided(home)) < 10
    page.until(lambda: len(decided(home)) >= 10, "the verdicts that waited")
    page.settle()
    assert decided(home) == {item: ("accepted", "rejected")[place % 2] for place, item in enumerate(judged)}
    assert {decisions(home, item) - before[item] for item in judged} == {1}
    assert page.driver.execute_script("return sessionStorage['avion-outbox']") == "[]"
    assert not page.driver.execute_script(note)
    assert page.driver.execute_script(leaving) is True


@pytest.mark.usefixtures("undecided")
def test_keys_edit_skip_undo_take_back_and_move(page: Page, home: Home) -> None:
    page.open("review")
    first = page.until(lambda: page.card("item"), "the review card")
    page.press("s")
    second = page.until(lambda: page.card("item") != first and page.card("item"), "the next text")
    page.press("ArrowLeft")
    page.until(lambda: page.card("item") == first, "the text before")
    page.press("ArrowRight")
    page.press("a")
    page.until(lambda: decided(home) == {second: "accepted"}, "the verdict")
    page.press("x")
    page.until(lambda: len(decided(home)) == 2, "another verdict")
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    page.press("t")  # an earlier decision, not the newest one
    assert isinstance(second, str)
    page.until(lambda: second not in decided(home), "the earlier verdict to be taken back")
    page.press("u")
    page.until(lambda: decided(home).get(second) == "accepted", "the taking back to be undone")
    page.press("u")
    page.until(lambda: decided(home) == {second: "accepted"}, "the verdict before to be undone")
    wait_for_server(page)

    page.press("w")
    page.driver.switch_to.active_element.send_keys("axe")  # letters are text here, not commands
    page.driver.switch_to.active_element.send_keys("\ue007")  # Enter
    page.press("e")
    page.driver.switch_to.active_element.send_keys(" A wide aerial view.")
    page.driver.switch_to.active_element.send_keys("\ue009\ue007")  # Ctrl + Enter
    project = get_project(home, NAME).id
    edited = page.until(lambda: current_descriptions(home, project).query("edited").to_dict("records"), "the edit")
    assert edited[0]["text"].endswith(" A wide aerial view.")
    wait_for_server(page)
    assert page.card("item") == edited[0]["description_id"]
    assert "A wide aerial view." in page.card("ins")
    assert history(home, NAME, page.card("item"))[-1].reason == "axe"


@pytest.mark.usefixtures("undecided")
def test_a_key_judges_the_text_on_the_screen_and_no_other(page: Page, home: Home) -> None:
    page.open("review")
    item = page.until(lambda: page.card("item"), "the review card")
    project = get_project(home, NAME).id
    before = current_descriptions(home, project).set_index("description_id")["text"][item]
    record_verdict(by("bob", home), project, item, "edit", text=f"{before} A colleague's words.")
    page.press("a")
    page.until(lambda: "The description was edited meanwhile" in page.text(), "the word that it reads otherwise")
    wait_for_server(page)
    assert decided(home) == {}
    assert page.card("item") == item
    assert "A colleague's words." in page.card(".text")
    page.press("a")
    page.until(lambda: decided(home) == {item: "accepted"}, "the verdict on what is shown")
    record_verdict(by("bob", home), project, item, "edit", text=before)


@pytest.mark.usefixtures("undecided")
def test_the_whole_table_is_judged_and_undone_by_key(page: Page, home: Home) -> None:
    page.open("review", view="table")
    page.click(f"all {ALL}")
    page.until(lambda: f"Reject {ALL}" in page.text(), "the number on the buttons")
    page.press("x")
    page.until(lambda: f"Reject: {ALL} descriptions?" in page.text(), "the question with the count")
    page.settle()
    page.press("Enter")
    page.until(lambda: len(decided(home)) == ALL, "every verdict")
    assert set(decided(home).values()) == {"rejected"}
    page.settle()
    page.press("u")
    page.until(lambda: decided(home) == {}, "the bulk verdict to be undone as one")


@pytest.mark.usefixtures("undecided")
def test_pictures_scores_filters_and_hostile_texts(page: Page) -> None:
    page.open("review", **{"class": "forest"})
    page.until(lambda: page.card(".count").endswith(f"of {TEXTS}"), "one class")
    page.until(lambda: page.all(".avion-strip"), "the strip of scores")
    script = "return [...document.querySelectorAll('[data-testid=stImage] img')].map(i => i.naturalWidth)"
    widths = page.until(lambda: page.driver.execute_script(script), "thumbnails")
    assert len(widths) >= 2
    assert min(widths) > 0

    page.open("review", words="onerror")
    page.until(lambda: "onerror=alert(1)" in page.card(".text"), "the text as it is")
    assert not page.driver.execute_script("return document.querySelectorAll('img[src=x]').length")

    page.open("review", words="zebra%20crossing")
    page.click("Clear the filters")
    page.until(lambda: page.card(".count").endswith(f"of {ALL}"), "all classes")


@pytest.mark.usefixtures("undecided")
def test_no_key_flips_a_verdict_unnoticed_after_a_refresh(page: Page, home: Home) -> None:
    """Right, A, F5, X, X: the text just accepted stays accepted."""
    page.open("review", **{"class": "forest"})
    first = page.until(lambda: page.card("item"), "the review card")
    page.press("ArrowRight")
    second = page.until(lambda: page.card("item") != first and page.card("item"), "the second text")
    page.press("a")
    page.until(lambda: decided(home) == {second: "accepted"}, "the verdict")
    wait_for_server(page)
    page.driver.refresh()
    page.settle()
    page.until(lambda: page.card("item") == first, "the first text that waits")
    page.press("x")
    third = page.until(lambda: page.card("item") not in ("", first, second) and page.card("item"), "the third text")
    page.press("x")
    page.until(lambda: len(decided(home)) == 3, "two more verdicts")
    assert decided(home) == {first: "rejected", second: "accepted", third: "rejected"}


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("judge", ["me", "bob"])
def test_a_key_on_a_judged_text_says_what_it_changes_and_acts_when_pressed_again(
    judge: str, page: Page, home: Home
) -> None:
    first = current_descriptions(home, get_project(home, NAME).id)["description_id"][0]
    record_verdict(by(judge, home), NAME, first, "accept")
    rows = len(history(home, NAME, first))
    page.open("review", verdict="accepted")
    page.until(lambda: page.card("item") == first, "the judged text")
    who = "you" if judge == "me" else "bob"
    page.press("x")
    page.until(lambda: f"{who} accepted it. Press X again to reject it." in page.card(".said"), "the question")
    page.press("ArrowRight")  # another key: the question is over
    page.press("x")
    page.until(lambda: "Press X again" in page.card(".said"), "the question once more")
    time.sleep(0.5)
    assert len(history(home, NAME, first)) == rows
    page.press("x")
    page.until(lambda: f"rejected now ({who} accepted it). U undoes." in page.card(".said"), "what it changed")
    wait_for_server(page)
    assert history(home, NAME, first)[-1].verdict == "reject"
    page.press("u")
    page.until(lambda: decided(home) == {first: "accepted"}, "the verdict before")
    record_verdict(by(judge, home), NAME, first, "undecide")


@pytest.mark.usefixtures("undecided")
def test_a_verdict_in_a_stale_tab_over_another_one_says_so(page: Page, home: Home) -> None:
    page.open("review")
    item = page.until(lambda: page.card("item"), "the review card")
    record_verdict(by("bob", home), NAME, item, "accept")
    page.press("x")
    page.until(lambda: "It was judged meanwhile (bob accepted)" in page.text(), "the word that bob was faster")
    wait_for_server(page)
    page.press("u")
    page.until(lambda: decided(home) == {item: "accepted"}, "bob's verdict alone")
    record_verdict(by("bob", home), NAME, item, "undecide")


FOCUS = "return document.activeElement.tagName"


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("way", ["mouse", "keyboard", "search", "escape"])
def test_after_a_filter_the_keys_work_at_once(way: str, page: Page, home: Home) -> None:
    page.open("review")
    page.until(lambda: page.card("item"), "the review card")
    field = "[class*='st-key-words'] input" if way == "search" else "[class*='st-key-class'] input"
    page.all(field)[0].click()
    page.until(lambda: page.driver.execute_script(FOCUS) == "INPUT", "the focus in the filter")
    if way == "search":
        page.all(field)[0].send_keys("aerial view\ue007")
    elif way == "keyboard":
        page.all(field)[0].send_keys("forest\ue007")
    elif way == "mouse":
        page.until(lambda: page.all("[role=option]"), "the options")[1].click()
    else:
        page.press("Escape")
    page.until(lambda: page.driver.execute_script(FOCUS) != "INPUT", "the focus away from the filter")
    if way != "escape":
        page.until(lambda: not page.card(".count").endswith(f"of {ALL}"), "the narrowed list")
    page.settle()
    item = page.card("item")
    page.press("a")
    page.until(lambda: decided(home) == {item: "accepted"}, "the verdict")


# How far down the page the parts of a review reach: the card with its keys, why a text counts, and the pictures.
REACH = """
    const bottom = element => element.getBoundingClientRect().bottom
    const hosts = [...document.querySelectorAll('*')].filter(one => one.shadowRoot?.querySelector('.card .actions'))
    const told = [...document.querySelectorAll('[data-testid=stMarkdown]')]
    const why = told.filter(one => one.innerText.includes('(RS-Flag)'))
    const pictures = [...document.querySelectorAll('[data-testid=stMain] [data-testid=stImage] img')]
    if (!hosts.length || !why.length || !pictures.length) return null
    return [hosts[0].shadowRoot.querySelector('.card'), ...why, ...pictures].map(bottom)"""


def test_class_text_why_keys_and_pictures_fit_a_laptop_s_first_screen(page: Page, home: Home) -> None:
    page.look("light", 1280, 720)
    page.open("review")
    page.until(lambda: page.card("item") and page.driver.execute_script(REACH), "a description with its evidence")
    page.settle()
    assert max(page.driver.execute_script(REACH)) <= 720
