"""The page that docs/add-a-page.md writes is one that works."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

from streamlit.testing.v1 import AppTest

from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.summaries import get_project
from tests.app.tiny_home import NAME

TEXT = (Path(__file__).parents[2] / "docs" / "add-a-page.md").read_text(encoding="utf-8")


def test_the_documented_page_shows_the_classes_of_the_project(home: Home) -> None:
    (written,) = re.findall(r'(?ms)^    """Sizes.*?^    page\(\)$', TEXT)
    app = AppTest.from_string(dedent(written), default_timeout=60)
    app.session_state["project"] = get_project(home, NAME).id
    app.run()
    assert not app.exception
    assert app.dataframe[0].value["images"].sum() == get_project(home, NAME).labelled
    app.slider("sizes_least").set_value(100).run()
    assert len(app.dataframe[0].value) == 0
