"""The studio's own styles in the page's head: Streamlit sends them with the first run, after the first paint."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.file_util import get_static_dir

EARLY = ("BidiComponent", "Button", "ButtonGroup", "Html", "Selectbox", "TextInput", "WidgetLabel")
STYLE = Path(__file__).with_name("page.css")
# What a browser asks of Streamlit's file, and what is said of it, is not true of the file with the styles in it.
_ABOUT_THE_FILE = {b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"}
_OF_THE_FILE = ("etag", "last-modified", "accept-ranges")


class FirstPaint:
    """ASGI middleware: puts app/page.css into the head of the one document that Streamlit serves for every page.

    Until app/main.py has run for the first time, nothing else can say where the sidebar will be.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._head = b"<style>" + STYLE.read_bytes() + b"</style>" + _early_programs().encode() + b"</head>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def send_styled(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_document(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    styled = body.replace(b"</head>", self._head, 1)
                    headers = MutableHeaders(scope=start)
                    for name in _OF_THE_FILE:
                        del headers[name]
                    headers["content-length"] = str(len(styled))
                    await send(start)
                    await send({"type": "http.response.body", "body": styled})

        headers = scope["headers"]
        if any(name == b"accept" and b"text/html" in value for name, value in headers):
            headers = [(name, value) for name, value in headers if name not in _ABOUT_THE_FILE]
        await self._app({**scope, "headers": headers}, receive, send_styled)


def _early_programs() -> str:
    """Links that fetch the programs of the commonest fields at once, not when the first of each is drawn."""
    folder = Path(get_static_dir())
    files = [file for name in EARLY for file in sorted(folder.glob(f"static/js/{name}.*.js"))]
    return "".join(f'<link rel="modulepreload" href="./{file.relative_to(folder).as_posix()}">' for file in files)


def _is_document(message: Message) -> bool:
    headers = MutableHeaders(scope=message)
    return message["status"] == 200 and headers.get("content-type", "").startswith("text/html")
