"""The gate before the studio: who may pass, the sign-in form, and the form behind an invite link.

A page under Streamlit can read cookies (`st.context.cookies`) but cannot set one, and what is typed into its widgets
travels through the session and its state. So the forms are plain HTML, served beside the pages by the same ASGI server
(`st.App`, app/server.py): a password goes from the form into one request and no further, password managers know what
they see, and the answer sets the cookie that a refresh of the browser survives. It is HttpOnly (no script reads it),
SameSite=Lax (other sites' requests come without it), Secure where the server speaks HTTPS, and holds a random secret of
which the database knows the hash alone: signing out or disabling an account makes it worthless at the server.

`Gate` asks at every request, also for pictures, uploads and each message of the pages' WebSocket; app/main.py asks once
more at every run, and shows a browser whose account was disabled meanwhile the way back in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, quote, urlsplit

from anyio import CapacityLimiter, WouldBlock, to_thread
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avion_core.actor import ALONE, STRANGER, Actor
from avion_core.errors import AccountError, AvionError, StoreError
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts
from avion_core.usecases.policies import ADMINISTER, may
from avion_core.usecases.projects.uploads import MOST_MB

SIGN_IN, JOIN = "/account/sign-in", "/account/join"
_OPEN = (SIGN_IN, "/_stcore/health")
_OPEN_BELOW = (f"{JOIN}/", "/static/")  # what lies in static/ is Streamlit's own program, and nobody's data
_LARGEST_FORM = 8192
_MEBIBYTE, _AROUND_A_FILE = 2**20, 2**20  # of an upload, beside the file itself
_HASHED_AT_ONCE, _WAIT_TO_BE_HASHED = 2, 16
"""Hashing a password takes 64 MB and a core: it has threads of its own, so that a flood of sign-ins slows nobody else
down, and those who would wait too long are told so."""
_HERE = Path(__file__).parent
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    # An invite's secret is in the address: no other site shall hear of it. ("no-referrer" would blank Origin as well.)
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@cache
def studio() -> Home:
    """The installation that is served, opened for nobody yet."""
    return Home(None, STRANGER)


class Gate:
    """ASGI middleware: lets a request pass when it needs no sign-in or comes from a browser that is signed in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not _is_open(scope["path"]):
            connection = HTTPConnection(scope)
            if scope["type"] == "websocket" and not _is_same_origin(connection):
                await send({"type": "websocket.close", "code": 1008})
                return
            try:
                refusal = await to_thread.run_sync(_refusal, connection)
            except StoreError as error:  # who it is cannot be asked: nobody passes, and they are told why
                refusal = PlainTextResponse(str(error), 503)
            if refusal is not None:
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1013 if refusal.status_code == 503 else 1008})
                else:
                    await refusal(scope, receive, send)
                return
            if scope["type"] == "websocket":
                receive = _while_signed_in(connection, receive, send)
        await self._app(scope, receive, send)


def _while_signed_in(connection: HTTPConnection, receive: Receive, send: Send) -> Receive:
    """Hear a page's messages until its sign-in has ended.

    The first message after the end still passes: app/main.py answers it with the way to sign in again. A page that
    only refreshes a part of itself does not come by there, and is cut off at the next one. While the database cannot be
    asked, messages pass as well: app/main.py says what is wrong, and no use case does anything for somebody unknown.
    """
    ended = False

    async def receive_or_close() -> Message:
        nonlocal ended
        message = await receive()
        try:
            if message["type"] != "websocket.receive" or await to_thread.run_sync(_refusal, connection) is None:
                return message
        except StoreError:
            return message
        if not ended:
            ended = True
            return message
        await send({"type": "websocket.close", "code": 1008})
        return {"type": "websocket.disconnect", "code": 1008}

    return receive_or_close


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _refusal(request: HTTPConnection) -> Response | None:
    """What to answer instead of the page; None lets the request pass."""
    person = accounts.person_of(studio(), request.cookies.get(accounts.cookie_name(studio())))
    if person is None:
        if request.scope["type"] == "http" and "text/html" in request.headers.get("accept", ""):
            wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", 303)
        return PlainTextResponse("Sign in first.", 401)
    asked, asking = request.url.hostname or "", request.client.host if request.client else ""
    if person == ALONE and not (_is_this_machine(asked) and _is_this_machine(asking)):
        # The name counts too: a web page elsewhere can give its own name this machine's address and read along.
        return PlainTextResponse(
            "Without accounts the studio answers on this machine alone, as 127.0.0.1 or localhost. "
            "To share it, start it with `avion app --lan`.",
            403,
        )
    if request.scope["type"] == "http" and request.scope["method"] == "PUT":
        return _too_large(request, person)
    return None


def _too_large(request: HTTPConnection, person: Actor) -> Response | None:
    """What to answer to a file that is larger than this person may send: only weights are, and not for everybody.

    Streamlit knows one limit for all, and holds a file in memory while it comes in.
    """
    length = request.headers.get("content-length", "")
    fits = length.isdecimal() and int(length) <= MOST_MB * _MEBIBYTE + _AROUND_A_FILE
    if fits or may(person, ADMINISTER):
        return None
    return PlainTextResponse(f"Only an admin may send more than {MOST_MB} MB.", 413)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_same_origin(connection: HTTPConnection) -> bool:
    """Whether a browser's request comes from a page of this studio: same host and port, no lesser scheme.

    Streamlit compares the host alone, so that a page at another port of this machine would pass; and for a host that it
    does not know it asks a server on the internet for this machine's address. Programs send no origin. A page over
    HTTPS reaches a server that speaks HTTP behind a proxy, never the other way round.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    asking = urlsplit(origin)
    safe = ("https",) if connection.url.scheme in ("https", "wss") else ("http", "https")
    return asking.scheme in safe and asking.netloc == connection.headers.get("host")


@cache
def _hashing() -> tuple[CapacityLimiter, CapacityLimiter]:
    """Places of those who are let in, and of those of them whose password is hashed at this moment."""
    return CapacityLimiter(_HASHED_AT_ONCE + _WAIT_TO_BE_HASHED), CapacityLimiter(_HASHED_AT_ONCE)


async def _hashed(function: Callable[..., str], *arguments: str) -> str:
    """What hashes a password, in threads of its own.

    Raises:
        AccountError: too many wait for that already.
    """
    (let_in, threads), ticket = _hashing(), object()
    try:
        let_in.acquire_on_behalf_of_nowait(ticket)
    except WouldBlock:
        what = "too many people are signing in at this moment"
        raise AccountError(what, "Try again in a few seconds.") from None
    try:
        return await to_thread.run_sync(function, studio(), *arguments, limiter=threads)
    finally:
        let_in.release_on_behalf_of(ticket)


async def _sign_in(request: Request) -> Response:
    onward = _inside(request.query_params.get("next", "/"))
    if request.method == "GET":
        return _form("Sign in", "This studio is shared. Sign in to go on.", _SIGN_IN_FIELDS, "Sign in")
    fields = await _fields(request)
    address = request.client.host if request.client else ""
    try:
        secret = await _hashed(accounts.sign_in, fields.get("name", ""), fields.get("password", ""), address)
    except AvionError as error:
        text = "This studio is shared. Sign in to go on."
        return _form("Sign in", text, _SIGN_IN_FIELDS, "Sign in", wrong=error, name=fields.get("name", ""))
    return _enter(request, secret, onward)


async def _join(request: Request) -> Response:
    secret = request.path_params["secret"]
    fields = await _fields(request) if request.method == "POST" else {}
    wrong = None
    try:
        if fields:
            name, password = fields.get("name", ""), fields.get("password", "")
            browser = await _hashed(accounts.accept_invite, secret, name, password)
            return _enter(request, browser, "/")
    except AvionError as error:
        wrong = error
    try:
        offered = await to_thread.run_sync(accounts.read_invite, studio(), secret)
    except AvionError as error:
        return _form("This link cannot be used", "", "", "", wrong=error)
    if offered.resets:
        return _form(f"Hello, {offered.resets}", "Choose a new password.", _PASSWORD, "Save and sign in", wrong=wrong)
    text = f"{offered.made_by} invites you to this studio as {offered.role}. Choose a name and a password."
    return _form("Join the studio", text, _NAME + _PASSWORD, "Join", wrong=wrong, name=fields.get("name", ""))


ROUTES = [
    Route(SIGN_IN, _sign_in, methods=["GET", "POST"]),
    Route(f"{JOIN}/{{secret}}", _join, methods=["GET", "POST"]),
]

_NAME_FIELD = (
    '<label>Name<input name="name" value="$name" autocomplete="username" maxlength="40" required autofocus></label>'
)
_NAME = _NAME_FIELD.replace("Name<", "Name<small>Your verdicts are kept under it.</small><")
_PASSWORD = (
    f"<label>Password<small>{accounts.SHORTEST_PASSWORD} characters or more; a sentence is fine.</small>"
    f'<input name="password" type="password" autocomplete="new-password" minlength="{accounts.SHORTEST_PASSWORD}" '
    "required></label>"
)
_SIGN_IN_FIELDS = _NAME_FIELD + (
    '<label>Password<input name="password" type="password" autocomplete="current-password" required></label>'
)


def _form(
    title: str, text: str, fields: str, button: str, *, wrong: AvionError | None = None, name: str = ""
) -> HTMLResponse:
    """The one page of this module. All that comes from people is escaped here."""
    body = Template(fields).substitute(name=escape(name))
    filled = Template((_HERE / "sign_in.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        text=escape(text),
        logo=(_HERE / "logo.svg").read_text(encoding="utf-8"),
        alert=f'<p role="alert">{escape(str(wrong))}</p>' if wrong else "",
        form=f'<form method="post">{body}<button>{escape(button)}</button></form>' if button else "",
    )
    return HTMLResponse(filled, 400 if wrong else 200, _HEADERS)


async def _fields(request: Request) -> dict[str, str]:
    """What was typed into the form; nothing when the form came from another site or is too large to be ours."""
    if not _is_same_origin(request):
        return {}
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            return {}
    return {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _enter(request: Request, secret: str, onward: str) -> Response:
    answer = RedirectResponse(onward, 303, {"Cache-Control": "no-store"})
    answer.set_cookie(
        accounts.cookie_name(studio()),
        secret,
        max_age=accounts.SIGN_IN_DAYS * 24 * 3600,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def _inside(address: str) -> str:
    """An address within the studio; "/" for one that leads elsewhere."""
    return address if address.startswith("/") and address[1:2] not in ("/", "\\") else "/"
