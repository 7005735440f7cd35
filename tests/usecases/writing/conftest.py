from __future__ import annotations

import pytest

from tests.descriptions.writers.loopback import KEY


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setattr("avion_core.descriptions.writers.patience.FIRST_WAIT_SECONDS", 0.01)
