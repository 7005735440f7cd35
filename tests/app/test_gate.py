"""The gate and its forms over HTTP: who passes, what a cookie looks like, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event, Lock

import anyio
import pytest
from anyio import to_thread
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from app import sign_in
from avion_core.actor import ALONE, Actor, Role
from avion_core.errors import AccountError
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts
from avion_core.usecases.people.throttle import Throttle
from tests.acting import by

PASSWORD = "nine harbours at dusk"
PAGE = {"accept": "text/html"}
PASSED = 405
"""The answer of a server that takes no files to one that the gate let through."""
STREAM = "ws://192.168.1.20:8501/_stcore/stream"
"""In full: to a test client's own "/..." belongs another host than its requests have."""


async def page(_: object) -> PlainTextResponse:
    return PlainTextResponse("the pages")


async def stream(socket: WebSocket) -> None:
    """Says back what it hears, as the pages answer each message."""
    await socket.accept()
    async for said in socket.iter_text():
        await socket.send_text(said)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Iterator[Home]:
    monkeypatch.setenv("AVION_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    monkeypatch.setattr(accounts, "_by_name", Throttle(10, 900))
    monkeypatch.setattr(accounts, "_by_address", Throttle(20, 900))
    sign_in.studio.cache_clear()
    yield Home(tmp_path / "home", ALONE)
    sign_in.studio.cache_clear()


def served() -> Starlette:
    """A server that has pages, pictures and a WebSocket behind the gate."""
    routes = [
        *sign_in.ROUTES,
        WebSocketRoute("/_stcore/stream", stream),
        Route("/{path:path}", page),
    ]
    return Starlette(routes=routes, middleware=[Middleware(sign_in.Gate)])


def browser(host: str = "http://192.168.1.20:8501", come_from: str = "192.168.1.77") -> TestClient:
    """A browser at that server."""
    return TestClient(served(), base_url=host, client=(come_from, 50_000), follow_redirects=False)


@pytest.fixture
def ana(home: Home) -> Actor:
    return accounts.add_account(home, "Ana", PASSWORD, "admin")


def test_alone_this_machine_passes_and_no_other(home: Home) -> None:
    for host in ("http://127.0.0.1:8501", "http://localhost:8501", "http://[::1]:8501"):
        assert browser(host, "127.0.0.1").get("/review").text == "the pages"
    for host, come_from in (
        ("http://192.168.1.20:8501", "192.168.1.77"),
        ("http://127.0.0.1:8501", "192.168.1.77"),  # a request may say any name
        ("http://evil.example:8501", "127.0.0.1"),  # a page elsewhere may give its name this machine's address
    ):
        answer = browser(host, come_from).get("/review")
        assert (answer.status_code, "avion app --lan" in answer.text) == (403, True)


@pytest.mark.parametrize("path", ["/", "/review?project=p", "/models"])
def test_pages_lead_to_the_form_and_back(home: Home, ana: Actor, path: str) -> None:
    there = browser()
    turned = there.get(path, headers=PAGE)
    assert turned.status_code == 303
    form = there.get(turned.headers["location"], headers=PAGE)
    assert '<input name="password" type="password" autocomplete="current-password"' in form.text
    entered = there.post(turned.headers["location"], data={"name": "Ana", "password": PASSWORD})
    assert (entered.status_code, entered.headers["location"]) == (303, path)
    assert there.get(path, headers=PAGE).text == "the pages"


def test_while_the_database_cannot_be_read_nobody_passes_and_everybody_is_told(home: Home, ana: Actor) -> None:
    there = browser()
    cookie = there.post(sign_in.SIGN_IN, data={"name": "Ana", "password": PASSWORD}).headers["set-cookie"]
    file = home.path / "avion.sqlite3"
    with there.websocket_connect("/_stcore/stream", headers={"cookie": cookie.partition(";")[0]}) as open_page:
        for opened in (home, sign_in.studio()):
            opened.engine.dispose()  # and so nothing is left in the write-ahead log
        file.write_bytes(b"x" * file.stat().st_size)
        open_page.send_text("goes on to app/main.py, which says it")
        assert open_page.receive_text()
    for method in ("get", "post"):
        answer = getattr(there, method)("/review", headers=PAGE)
        assert answer.status_code == 503
        assert answer.text.startswith("The file is damaged, or is not a database")
    answer = there.post(sign_in.SIGN_IN, data={"name": "Ana", "password": PASSWORD})
    assert (answer.status_code, "The file is damaged" in answer.text) == (400, True)
    with pytest.raises(WebSocketDisconnect), there.websocket_connect("/_stcore/stream"):
        pass


@pytest.mark.parametrize("path", ["/media/picture.png", "/_stcore/upload_file/x", "/account/other", "/static"])
def test_nothing_else_passes_without_a_cookie(home: Home, ana: Actor, path: str) -> None:
    assert browser().get(path).status_code == 401
    assert browser().post(path).status_code == 401


@pytest.mark.parametrize(
    ("role", "megabytes", "status"),
    [("reviewer", 100, PASSED), ("reviewer", 300, 413), ("adjudicator", 300, 413), ("admin", 300, PASSED)],
)
def test_only_an_admin_sends_files_as_large_as_weights(
    home: Home, ana: Actor, role: Role, megabytes: int, status: int
) -> None:
    there = browser()
    name = "Ana" if role == "admin" else "Bob"
    if role != "admin":
        accounts.add_account(home.acting_as(ana), name, PASSWORD, role)
    cookie = there.post(sign_in.SIGN_IN, data={"name": name, "password": PASSWORD}).headers["set-cookie"]
    headers = {"cookie": cookie.partition(";")[0], "content-length": str(megabytes * 2**20)}
    assert there.put("/_stcore/upload_file/s/f", content=b"x", headers=headers).status_code == status


def test_an_upload_of_no_known_length_is_an_admins(home: Home, ana: Actor) -> None:
    there = browser()
    accounts.add_account(home.acting_as(ana), "Bob", PASSWORD, "reviewer")
    cookie = there.post(sign_in.SIGN_IN, data={"name": "Bob", "password": PASSWORD}).headers["set-cookie"]
    answer = there.put("/_stcore/upload_file/s/f", content=iter([b"x"]), headers={"cookie": cookie.partition(";")[0]})
    assert answer.status_code == 413


def test_the_websocket_is_behind_the_gate(home: Home, ana: Actor) -> None:
    there = browser()
    with pytest.raises(WebSocketDisconnect), there.websocket_connect("/_stcore/stream"):
        pass
    cookie = there.post(sign_in.SIGN_IN, data={"name": "Ana", "password": PASSWORD}).headers["set-cookie"]
    with there.websocket_connect("/_stcore/stream", headers={"cookie": cookie.partition(";")[0]}):
        pass


@pytest.mark.parametrize(
    "origin",
    [
        "http://192.168.1.20:9999",
        "http://192.168.1.20",
        "http://evil.example:8501",
        "ftp://192.168.1.20:8501",
        "null",
        "",
    ],
)
def test_a_page_of_another_place_opens_no_websocket(home: Home, ana: Actor, origin: str) -> None:
    there = browser()
    there.post(sign_in.SIGN_IN, data={"name": "Ana", "password": PASSWORD})
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in there.cookies.items())}
    with (
        pytest.raises(WebSocketDisconnect),
        there.websocket_connect(STREAM, headers={**headers, "origin": origin}),
    ):
        pass
    with there.websocket_connect(STREAM, headers={**headers, "origin": "http://192.168.1.20:8501"}):
        pass


def test_a_lone_studio_is_for_its_own_pages(home: Home) -> None:
    """A page at another port of this machine would have opened it as an admin."""
    there = browser("http://localhost:8501", "127.0.0.1")
    with (
        pytest.raises(WebSocketDisconnect),
        there.websocket_connect("ws://localhost:8501/_stcore/stream", headers={"origin": "http://localhost:3000"}),
    ):
        pass
    with there.websocket_connect("ws://localhost:8501/_stcore/stream", headers={"origin": "http://localhost:8501"}):
        pass


def test_a_page_over_http_opens_nothing_of_a_server_over_https(home: Home, ana: Actor) -> None:
    there = browser("https://studio.example")
    there.post(sign_in.SIGN_IN, data={"name": "Ana", "password": PASSWORD})
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in there.cookies.items())}
    stream_at = "wss://studio.example/_stcore/stream"
    with (
        pytest.raises(WebSocketDisconnect),
        there.websocket_connect(stream_at, headers={**headers, "origin": "http://studio.example"}),
    ):
        pass
    with there.websocket_connect(stream_at, headers={**headers, "origin": "https://studio.example"}):
        pass


def test_nobody_asks_the_internet_for_this_machines_address(
    home: Home, ana: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit would, for an origin that it does not know: what it is left to judge is the studio's own."""
    from streamlit import net_util
    from streamlit.web.server.starlette.starlette_websocket import _is_origin_allowed

    monkeypatch.setattr(net_util, "get_external_ip", lambda: pytest.fail("asked an outside address"))
    assert _is_origin_allowed("http://studio.example:8501", "studio.example:8501")


def test_a_flood_of_sign_ins_slows_nobody_else_down(home: Home, ana: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed two at a time, some wait, and the rest are told; a page meanwhile is as fast as ever."""
    at_once, most, hold, counting = [0], [0], Event(), Lock()

    def slow(*_: object) -> str:
        with counting:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        hold.wait(10)
        with counting:
            at_once[0] -= 1
        raise AccountError("name or password is wrong", "Try again.")

    monkeypatch.setattr(accounts, "sign_in", slow)

    async def flood() -> tuple[list[str], float]:
        told: list[str] = []

        async def guess() -> None:
            try:
                await sign_in._hashed(accounts.sign_in, "Ana", "x" * 12, "192.168.1.77")
            except AccountError as error:
                told.append(str(error))

        async with anyio.create_task_group() as guesses:
            for _ in range(60):
                guesses.start_soon(guess)
            await anyio.sleep(0.2)
            refused, begun = list(told), time.monotonic()
            await to_thread.run_sync(accounts.person_of, home, None)  # as each request of a page asks
            took = time.monotonic() - begun
            hold.set()
        return refused, took

    refused, took = anyio.run(flood)
    assert len(refused) == 60 - sign_in._HASHED_AT_ONCE - sign_in._WAIT_TO_BE_HASHED
    assert all("Too many people are signing in at this moment" in said for said in refused)
    assert most[0] == sign_in._HASHED_AT_ONCE
    assert took < 2


def test_an_open_page_is_cut_off_when_its_sign_in_ends(home: Home, ana: Actor) -> None:
    there = browser()
    there.post(sign_in.SIGN_IN, data={"name": "Ana", "password": PASSWORD})
    secret = there.cookies[accounts.cookie_name(home)]
    with there.websocket_connect(
        "/_stcore/stream", headers={"cookie": f"{accounts.cookie_name(home)}={secret}"}
    ) as page:
        for _ in range(3):
            page.send_text("draw")
            assert page.receive_text() == "draw"
        accounts.sign_out(home, secret)
        page.send_text("draw")
        assert page.receive_text() == "draw"  # which shows the way to sign in again
        page.send_text("refresh a part")
        with pytest.raises(WebSocketDisconnect):
            page.receive_text()


def test_health_and_the_program_are_open(home: Home, ana: Actor) -> None:
    assert browser().get("/_stcore/health").text == "the pages"
    assert browser().get("/static/js/index.js").text == "the pages"


def test_the_cookie_is_for_the_server_alone(home: Home, ana: Actor) -> None:
    sent = {"name": "Ana", "password": PASSWORD}
    plain = browser().post(sign_in.SIGN_IN, data=sent).headers["set-cookie"]
    assert plain.startswith(f"{accounts.cookie_name(home)}=")
    for part in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=2592000"):
        assert part in plain
    assert "Secure" not in plain
    assert "Secure" in browser("https://studio.example").post(sign_in.SIGN_IN, data=sent).headers["set-cookie"]


def test_an_ended_sign_in_is_out_everywhere(home: Home, ana: Actor) -> None:
    there = browser()
    there.post(sign_in.SIGN_IN, data={"name": "Ana", "password": PASSWORD})
    accounts.sign_out(home, there.cookies[accounts.cookie_name(home)])
    assert there.get("/", headers=PAGE).status_code == 303


def test_a_wrong_password_keeps_the_name_and_says_so(home: Home, ana: Actor) -> None:
    answer = browser().post(sign_in.SIGN_IN, data={"name": 'A"><script>', "password": "wrong"})
    assert answer.status_code == 400
    assert "Name or password is wrong." in answer.text
    assert 'value="A&quot;&gt;&lt;script&gt;"' in answer.text
    assert "<script>" not in answer.text
    assert "set-cookie" not in answer.headers


def test_guesses_from_one_address_are_slowed_down(home: Home, ana: Actor) -> None:
    for number in range(20):
        browser().post(sign_in.SIGN_IN, data={"name": f"n{number}", "password": "wrong"})
    sent = {"name": "Ana", "password": PASSWORD}
    assert "Too many wrong passwords" in browser().post(sign_in.SIGN_IN, data=sent).text
    assert browser(come_from="192.168.1.78").post(sign_in.SIGN_IN, data=sent).status_code == 303


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://192.168.1.20:9999"])
def test_a_form_of_another_site_counts_for_nothing(home: Home, ana: Actor, origin: str) -> None:
    sent = {"name": "Ana", "password": PASSWORD}
    answer = browser().post(sign_in.SIGN_IN, data=sent, headers={"origin": origin})
    assert "set-cookie" not in answer.headers
    ours = browser().post(sign_in.SIGN_IN, data=sent, headers={"origin": "http://192.168.1.20:8501"})
    assert ours.status_code == 303


def test_a_form_too_large_to_be_ours_is_not_read(home: Home, ana: Actor) -> None:
    sent = {"name": "Ana", "password": PASSWORD, "more": "x" * 10_000}
    assert "set-cookie" not in browser().post(sign_in.SIGN_IN, data=sent).headers


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"])
def test_nobody_is_led_elsewhere(home: Home, ana: Actor, elsewhere: str) -> None:
    sent = {"name": "Ana", "password": PASSWORD}
    answer = browser().post(sign_in.SIGN_IN, params={"next": elsewhere}, data=sent)
    assert answer.headers["location"] == "/"


def test_an_invite_link_makes_an_account_once(home: Home, ana: Actor) -> None:
    link = f"{sign_in.JOIN}/{accounts.invite(by('Ana', home), 'reviewer')}"
    there = browser()
    shown = there.get(link)
    assert "Ana invites you to this studio as reviewer." in shown.text
    assert shown.headers["referrer-policy"] == "same-origin"
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    refused = there.post(link, data={"name": "Ben", "password": "short"})
    assert "Use 10 characters or more" in refused.text
    assert 'value="Ben"' in refused.text
    assert there.post(link, data={"name": "Ben", "password": PASSWORD}).status_code == 303
    assert there.get("/").text == "the pages"
    again = browser().get(link)
    assert (again.status_code, "has been used or has expired" in again.text) == (400, True)
    assert "<form" not in again.text
    assert [account.name for account in accounts.list_accounts(home)] == ["Ana", "Ben"]


def test_a_link_for_a_new_password_knows_whose_it_is(home: Home, ana: Actor) -> None:
    link = f"{sign_in.JOIN}/{accounts.reset_password(by('Ana', home), 'Ana')}"
    there = browser()
    assert "Hello, Ana" in there.get(link).text
    assert there.post(link, data={"password": "another long secret"}).status_code == 303
    assert there.get("/").text == "the pages"
