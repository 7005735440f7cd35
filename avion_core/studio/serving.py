"""Serving the studio's pages on this machine."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from avion_core.errors import AvionError
from avion_core.store.home import Home

ADDRESS = "127.0.0.1"
_FIRST_PORT, _PORTS = 8501, 100


@dataclass(frozen=True)
class Server:
    """The studio about to be served; `run` puts it in the place of this process."""

    url: str
    command: list[str]
    home: Path

    def run(self) -> NoReturn:
        os.execve(self.command[0], self.command, {**os.environ, "AVION_HOME": str(self.home)})


def prepare_server(home: Home, port: int | None = None) -> Server:
    """Find the pages and a port, and see that the home folder can be used before a browser is opened on it.

    Args:
        port: where to listen; None takes the first free one from 8501.

    Raises:
        StoreError: the home folder cannot be used.
        AvionError: the pages are not installed, or the port is taken.
    """
    package = find_spec("app")
    script = Path(package.origin).with_name("main.py") if package and package.origin else None
    if script is None or not script.is_file():
        raise AvionError("the studio's pages are not installed", "Install the package from its checkout.")
    free = next((one for one in ([port] if port else range(_FIRST_PORT, _FIRST_PORT + _PORTS)) if _is_free(one)), None)
    if free is None:
        raise AvionError("the port is taken", "Choose another one with --port.", value=port or _FIRST_PORT)
    _ = home.engine
    options = ["--server.address", ADDRESS, "--server.port", str(free), "--browser.gatherUsageStats", "false"]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true", *options]
    return Server(f"http://{ADDRESS}:{free}", command, home.path)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) != 0
