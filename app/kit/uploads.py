"""How large a file may be that comes through the browser: the server holds it in memory while it comes in."""

from __future__ import annotations

MOST_MB = 200
"""Of everything but weights; `server.maxUploadSize` in .streamlit/config.toml leaves room for those."""
