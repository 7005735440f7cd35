"""Serving the studio's pages: on this machine alone, or, once people sign in, on the local network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import psutil

from avion_core.errors import AccountError, AvionError
from avion_core.store.home import Home
from avion_core.usecases.installation.leftovers import clear_home
from avion_core.usecases.people.accounts import accounts_are_on
from avion_core.usecases.policies import use_case

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
_FIRST_PORT, _PORTS = 8501, 100
_ADDRESS_FILE = "address.txt"


@dataclass(frozen=True)
class Server:
    """The studio about to be served; `run` puts it in the place of this process, `start` beside it."""

    url: str
    port: int
    command: list[str]
    home: Path

    def run(self) -> NoReturn:
        self._write_address()
        os.execve(self.command[0], self.command, self._environment())

    def start(self) -> subprocess.Popen[bytes]:
        self._write_address()
        return subprocess.Popen(self.command, env=self._environment(), stdout=subprocess.DEVNULL)

    def _write_address(self) -> None:
        (self.home / _ADDRESS_FILE).write_text(f"{self.url}\n")

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "AVION_HOME": str(self.home)}


@use_case
def prepare_server(home: Home, port: int | None = None, *, lan: bool = False) -> Server:
    """Find the pages and a port, and see that the home folder can be used before a browser is opened on it.

    Args:
        port: where to listen; None takes the first free one from 8501.
        lan: listen on the local network too, where everybody signs in.

    Raises:
        StoreError: the home folder cannot be used.
        AccountError: the network is asked for and there is no account yet.
        AvionError: the pages are not installed, or the port is taken.
    """
    package = find_spec("app")
    script = Path(package.origin).with_name("server.py") if package and package.origin else None
    if script is None or not script.is_file():
        raise AvionError("the studio's pages are not installed", "Install the package from its checkout.")
    free = next((one for one in ([port] if port else range(_FIRST_PORT, _FIRST_PORT + _PORTS)) if _is_free(one)), None)
    if free is None:
        raise AvionError("the port is taken", "Choose another one with --port.", value=port or _FIRST_PORT)
    if lan and not accounts_are_on(home):
        raise AccountError(
            "a shared studio needs an admin account first",
            "Run `avion app --lan` in a terminal and open the link it prints, or `avion users add NAME --role admin`.",
        )
    _ = home.engine
    clear_home(home)
    shown = next(iter(lan_addresses()), LOOPBACK) if lan else LOOPBACK
    options = ["--server.address", EVERYWHERE if lan else LOOPBACK, "--browser.serverAddress", shown]
    options += ["--server.port", str(free), "--browser.gatherUsageStats", "false", "--server.headless", "true"]
    options += ["--client.showErrorDetails", "none", "--client.showErrorLinks", "false"]
    command = [sys.executable, "-m", "streamlit", "run", str(script), *options]
    return Server(f"http://{shown}:{free}", free, command, home.path)


def lan_addresses() -> list[str]:
    """This machine's IPv4 addresses on its networks, such as 192.168.1.20; none without a network."""
    found = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET and not entry.address.startswith(("127.", "169.254."))
    ]
    # A home or office network comes before the bridges that containers make.
    return sorted(found, key=lambda address: (not address.startswith(("192.168.", "10.")), address))


@use_case
def invite_link(home: Home, secret: str, seen: str = "") -> str:
    """The whole link to hand to a person.

    Args:
        secret: of `accounts.invite` or `accounts.reset_password`.
        seen: how a browser that is at the studio addresses it; taken unless nobody else could use it.
    """
    host = urlsplit(seen).hostname or "localhost"
    left = home.path / _ADDRESS_FILE
    if left.exists() and (host == "localhost" or host.startswith("127.")):
        seen = left.read_text().strip()
    return f"{seen or f'http://{LOOPBACK}:{_FIRST_PORT}'}/account/join/{secret}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) != 0
