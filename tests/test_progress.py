from __future__ import annotations

import pytest

from avion_core.progress import remaining_seconds


@pytest.mark.parametrize(
    ("counts", "seconds"),
    [
        ((10, 2, 10), 40),
        ((10, 10, 10), 0),
        ((10, 6, 10, 4), 20),  # 4 were there already, so 2 took 10 seconds
        ((10, 0, 10), None),
        ((10, 4, 10, 4), None),
        ((10, 3, 0), None),  # a total that cannot be told yet
    ],
)
def test_time_to_go_at_the_pace_so_far(counts: tuple, seconds: float | None) -> None:
    assert remaining_seconds(*counts) == seconds
