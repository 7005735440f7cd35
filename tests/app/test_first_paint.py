"""The head of the one document that Streamlit serves: the studio's styles are in it before anything is drawn."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from streamlit.file_util import get_static_dir
from streamlit.web.server.starlette.starlette_gzip_middleware import SelectiveGZipMiddleware
from streamlit.web.server.starlette.starlette_static_routes import create_streamlit_static_handler

from app.first_paint import EARLY, STYLE, FirstPaint

WINDOW = {"accept": "text/html,application/xhtml+xml", "accept-encoding": "gzip", "if-none-match": '"kept"'}


async def _text(_: object) -> PlainTextResponse:
    return PlainTextResponse("<head></head>")


@pytest.fixture
def browser() -> TestClient:
    pages = Mount("/", create_streamlit_static_handler(get_static_dir(), None))
    middleware = [Middleware(FirstPaint), Middleware(SelectiveGZipMiddleware)]
    return TestClient(Starlette(routes=[Route("/text", _text), pages], middleware=middleware))


@pytest.mark.parametrize("address", ["/", "/review", "/review?project=demo"])
def test_every_page_has_the_styles_in_its_head(address: str, browser: TestClient) -> None:
    answer = browser.get(address, headers=WINDOW)
    head, _, body = answer.text.partition("</head>")
    assert head.count(STYLE.read_text(encoding="utf-8")) == 1
    assert '<div id="root">' in body
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "etag" not in answer.headers  # it would be Streamlit's file's


def test_programs_that_are_fetched_early_exist(browser: TestClient) -> None:
    head = browser.get("/review", headers=WINDOW).text.partition("</head>")[0]
    for name in EARLY:
        (address,) = [part for part in head.split('"') if f"/static/js/{name}." in part]
        assert browser.get(address.removeprefix(".")).headers["content-type"].startswith("text/javascript")


def test_nothing_else_is_touched(browser: TestClient) -> None:
    assert browser.get("/text", headers=WINDOW).text == "<head></head>"
    plain = browser.get("/manifest.json", headers={"accept": "*/*"})
    again = browser.get("/manifest.json", headers={"accept": "*/*", "if-none-match": plain.headers["etag"]})
    assert again.status_code == 304
    assert browser.head("/", headers=WINDOW).content == b""
