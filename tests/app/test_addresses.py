"""Mistyped addresses: an address below a page's leads to the page, and nothing that is served is touched."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.server import OneStepAddresses

PAGE = {"accept": "text/html,application/xhtml+xml"}


async def served(_: object) -> PlainTextResponse:
    return PlainTextResponse("served")


@pytest.fixture
def browser() -> TestClient:
    routes = [Route("/{path:path}", served, methods=["GET", "POST", "PUT"])]
    made = Starlette(routes=routes, middleware=[Middleware(OneStepAddresses)])
    return TestClient(made, follow_redirects=False)


@pytest.mark.parametrize(
    ("address", "there"),
    [("/review/x", "/review"), ("/review/x/y?project=p", "/review"), ("/nowhere/x", "/"), ("/app/review", "/")],
)
def test_an_address_below_a_page_leads_to_it(address: str, there: str, browser: TestClient) -> None:
    answer = browser.get(address, headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, there)


@pytest.mark.parametrize("address", ["/", "/review", "/review/", "/_stcore/health", "/account/join/x", "/static/js/a"])
def test_pages_and_what_is_served_pass(address: str, browser: TestClient) -> None:
    assert browser.get(address, headers=PAGE).text == "served"


def test_programs_and_uploads_pass(browser: TestClient) -> None:
    assert browser.get("/review/picture.png", headers={"accept": "image/png"}).text == "served"
    assert browser.put("/review/x", headers=PAGE).text == "served"
