"""The page Placebo: from the button to a sentence for each class."""

from __future__ import annotations

import pytest

from avion_core.usecases.curation import curation_table, record_verdict
from avion_core.usecases.installation.home import Home
from tests.app.tiny_home import NAME
from tests.jobs_here import do_jobs_here
from tests.pages.conftest import Open, all_text


def test_a_sentence_for_each_class(open_page: Open, home: Home, monkeypatch: pytest.MonkeyPatch):
    do_jobs_here(monkeypatch)
    app = open_page("placebo")
    assert "No placebo test yet" in all_text(app)
    app.button("placebo_start").click().run()
    table = app.dataframe[0].value
    assert list(table["texts"])[:3] == ["its own descriptions", "the template", "descriptions of another class"]
    assert (table["accuracy"].between(0, 100)).all()
    sentences = [one.value for one in app.markdown if one.value.startswith(":material/")]
    assert len(sentences) == 3
    assert all("carry meaning to this teacher" in one or "mislead this teacher" in one for one in sentences)
    assert "labelled images outside shots and test set" in all_text(app)
    assert len(app.selectbox("placebo_class").options) == 3
    ids = curation_table(home, NAME).table["description_id"]
    record_verdict(home, NAME, ids.iloc[0], "reject")
    assert "have changed since this test" in all_text(open_page("placebo"))


def test_without_a_project_it_leads_to_one(open_page: Open, empty_home: Home):
    assert "No project yet" in all_text(open_page("placebo"))
