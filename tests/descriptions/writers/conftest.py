from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avion_core.descriptions.writers.patience.FIRST_WAIT_SECONDS", 0.01)
