"""A real server, spoken to as a browser does: a tick of the page that was left, sent before the browser heard of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs.launching import create_run
from tests.app.tiny_home import NAME, make_home
from tests.browser.conftest import serving

pytestmark = pytest.mark.process
BROKEN_OFF = ForwardMsg.FINISHED_EARLY_FOR_RERUN


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """With a training that waits, so that the sidebar of every page has its status line."""
    home = make_home(tmp_path, trained=False)
    create_run(home, NAME)
    return home


async def hear_a_run(socket: ClientConnection) -> list[ForwardMsg]:
    """What the server says until a run has come to its end."""
    heard: list[ForwardMsg] = []
    while not heard or heard[-1].WhichOneof("type") != "script_finished" or heard[-1].script_finished == BROKEN_OFF:
        heard.append(ForwardMsg.FromString(await asyncio.wait_for(socket.recv(), 120)))
    return heard


def asked(page: str = "", script: str = "", tick: str = "") -> bytes:
    message = BackMsg()
    message.rerun_script.page_name, message.rerun_script.page_script_hash = page, script
    message.rerun_script.fragment_id, message.rerun_script.is_auto_rerun = tick, bool(tick)
    return message.SerializeToString()


async def leave_as_it_ticks(address: str) -> tuple[str, str, list[str]]:
    """Open Launch, then Jobs, with a tick of Launch's status line sent along; both pages, and whose runs began."""
    place = f"{address.replace('http', 'ws')}/_stcore/stream"
    async with connect(place, subprotocols=[Subprotocol("streamlit")], max_size=None) as socket:
        await socket.send(asked("launch"))
        opened = await hear_a_run(socket)
        listed = next(one.navigation for one in opened if one.WhichOneof("type") == "navigation")
        launch_page = listed.page_script_hash
        jobs_page = next(page.page_script_hash for page in listed.app_pages if page.url_pathname == "jobs")
        tick = next(one.auto_rerun.fragment_id for one in opened if one.WhichOneof("type") == "auto_rerun")
        await socket.send(asked("", jobs_page))
        await socket.send(asked("", launch_page, tick))
        heard = await hear_a_run(socket)
        await socket.send(asked("", jobs_page, tick))
        heard += await hear_a_run(socket)
        began = [one.new_session.page_script_hash for one in heard if one.WhichOneof("type") == "new_session"]
        return launch_page, jobs_page, began


def test_the_page_that_was_left_stays_left(home: Home, tmp_path: Path) -> None:
    with serving(home, tmp_path / "log.txt") as address:
        launch_page, jobs_page, began = asyncio.run(leave_as_it_ticks(address))
    assert launch_page != jobs_page
    assert began == [jobs_page, jobs_page]  # the page, and its own tick
