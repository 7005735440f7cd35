"""What only a browser can tell: that pages fit their window."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from avion_core.studio.home import Home
from avion_core.studio.training import list_runs
from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
Picture = Callable[[str], None]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 1920])
def test_pages_fit_their_window(width: int, scheme: str, page: Page, home: Home, picture: Picture) -> None:
    finished = next(run.id for run in list_runs(home, NAME) if run.state == "finished")
    page.look(scheme, width, 1000)
    for name in (
        "",
        "review",
        "sheet",
        "agreement",
        "decisions",
        "launch",
        "runs",
        "alignment",
        "evaluation",
        "predict",
    ):
        page.open(name, run=finished)
        overflow = "return document.querySelector('[data-testid=stMain]').scrollWidth > innerWidth"
        assert not page.driver.execute_script(overflow), name
        assert not page.all('[data-testid="stException"]'), name
        picture(f"{name or 'projects'}-{scheme}-{width}")
