"""A PostgreSQL of the tests' own, on loopback: Debian's package, a cluster in a temporary folder, no password."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine

_OWNER = "postgres" if os.geteuid() == 0 else None
"""The server refuses to run as root; Debian's package brings this user."""


def programs() -> Path | None:
    """Where the newest server's programs are; None where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def server(bin_folder: Path) -> Iterator[URL]:
    """A running server; its address names no database."""
    folder = Path(tempfile.mkdtemp(prefix="avion-postgresql-"))
    cluster, log = folder / "data", folder / "log"
    if _OWNER:
        shutil.chown(folder, _OWNER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command: object) -> None:
        # Not a pipe: the server would inherit it, and reading it would wait for the server's end.
        with log.open("ab") as told:
            done = subprocess.run(
                [str(word) for word in command], user=_OWNER, cwd=folder, stdout=told, stderr=told, timeout=120
            )
        assert done.returncode == 0, log.read_text()

    try:
        run(bin_folder / "initdb", "-D", cluster, "-U", "avion", "-A", "trust", "-E", "UTF8", "--no-sync")
        # Not to be kept, so it need not wait for the disk.
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
        run(bin_folder / "pg_ctl", "-D", cluster, "-w", "-l", folder / "server.log", "-o", options, "start")
        try:
            yield URL.create("postgresql+psycopg", username="avion", host="127.0.0.1", port=port)
        finally:
            run(bin_folder / "pg_ctl", "-D", cluster, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(address: URL, name: str) -> URL:
    """An empty database on that server."""
    engine = create_engine(address.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine.dispose()
    return address.set(database=name)
