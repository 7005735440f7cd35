"""What `avion app` serves: the pages of app/main.py behind the gate of app/sign_in.py.

`streamlit run app/main.py` serves the same pages for one person, without a form to sign in.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app import sign_in
from app.first_paint import FirstPaint
from app.streamlit_patches import drop_late_ticks
from avion_core.actor import STUDIO
from avion_core.errors import AvionError
from avion_core.usecases.installation.backup import back_up_if_due

_LOOK_EVERY_SECONDS = 3600
_SERVED = ("/_stcore/", "/account/", "/component/", "/media/", "/static/")
"""What lies below other addresses than a page's."""


@asynccontextmanager
async def _daily_backups(_: st.App) -> AsyncIterator[None]:
    """See at the start and then every hour whether a backup is due."""

    async def look() -> None:
        while True:
            try:
                await anyio.to_thread.run_sync(back_up_if_due, sign_in.studio().acting_as(STUDIO))
            except AvionError as error:  # a full disk, say: the studio goes on, and the settings page says so too
                logging.getLogger(__name__).warning("No backup was made. %s", error)
            await anyio.sleep(_LOOK_EVERY_SECONDS)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        yield
        tasks.cancel_scope.cancel()


class OneStepAddresses:
    """ASGI middleware: an address below a page's, mistyped, leads to that page; Streamlit would show an empty window.

    Only what a browser opens in its window: pictures, scripts and programs ask for something else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._pages = {file.stem for file in Path(__file__).parents[1].joinpath("pages").glob("*.py")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(_SERVED):
            first, *below = scope["path"].strip("/").split("/")
            if below and "text/html" in HTTPConnection(scope).headers.get("accept", ""):
                there = f"/{first}" if first in self._pages else "/"
                await RedirectResponse(there, 303)(scope, receive, send)
                return
        await self._app(scope, receive, send)


drop_late_ticks()
app = st.App(
    Path(__file__).with_name("main.py"),
    routes=sign_in.ROUTES,
    middleware=[Middleware(sign_in.Gate), Middleware(OneStepAddresses), Middleware(FirstPaint)],
    lifespan=_daily_backups,
)
