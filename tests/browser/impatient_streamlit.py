"""`streamlit`, with a database that waits a second for a lock: what takes minutes elsewhere is seen in seconds."""

from __future__ import annotations

from streamlit.web import cli

from avion_core.store import database

if __name__ == "__main__":
    database.BUSY_SECONDS = 1.0
    cli.main()
