# pyright: reportCallIssue=false
"""Two studios judge copies of one project and exchange their decisions."""

from __future__ import annotations

import json

import pytest

from avion_core.actor import ALONE
from avion_core.store.home import Home
from avion_core.usecases.projects.descriptions import import_upload
from tests.usecases.transfer.exchanging import bare_project, decide, export, standing, undo


class TestTwoStudios:
    """Two people judge copies of one project and bring their decisions together."""

    @pytest.fixture
    def copies(self, home, tmp_path):
        project = bare_project(home, "one")
        import_upload(home, project, "x.json", json.dumps({"beach": ["Blue water.", "White sand."]}).encode())
        other = Home(tmp_path / "other", ALONE)
        there = bare_project(other, "two")
        import_upload(other, there, "x.jsonl", export(home, project))
        return (home, project), (other, there)

    def meet(self, one, two):
        """Each takes what the other has, and once more what that made of it; they then agree on how things stand."""
        first = import_upload(*one, "x.jsonl", export(*two))
        import_upload(*two, "x.jsonl", export(*one))
        import_upload(*one, "x.jsonl", export(*two))
        assert standing(*one) == standing(*two)
        assert not import_upload(*one, "x.jsonl", export(*two)).changes
        return first

    def test_disagreement_becomes_a_conflict(self, copies):
        one, two = copies
        decide(*one, 0, "accept", "ann")
        decide(*two, 0, "reject", "bob")
        self.meet(one, two)
        assert [entry[1:] for entry in standing(*one).values()] == [("undecided", True), ("undecided", False)]

    def test_the_later_decision_of_one_person_holds(self, copies):
        one, two = copies
        decide(*two, 0, "accept", "ann")
        decide(*one, 0, "reject", "ann")
        report = self.meet(one, two)
        assert (report.decisions.added, report.decisions.overtaken) == (1, 1)
        assert "1 decision superseded already" in report.sentence
        assert next(iter(standing(*one).values()))[1] == "rejected"

    def test_a_verdict_on_an_old_text_does_not_bring_the_old_text_back(self, copies):
        one, two = copies
        decide(*one, 0, "edit", "ann", text="Blue water at a white beach.")
        decide(*two, 0, "accept", "bob")
        report = self.meet(one, two)
        assert report.decisions.overtaken == 1
        assert next(iter(standing(*one).values())) == ("Blue water at a white beach.", "undecided", False)

    def test_the_later_of_two_edits_holds(self, copies):
        one, two = copies
        decide(*two, 0, "edit", "bob", text="From bob.")
        decide(*one, 0, "edit", "ann", text="From ann.")
        self.meet(one, two)
        assert next(iter(standing(*one).values()))[0] == "From ann."

    def test_an_edit_opens_a_question_that_was_settled_here(self, copies):
        one, two = copies
        decide(*two, 0, "edit", "bob", text="From bob.")
        decide(*one, 0, "accept", "ann")
        self.meet(one, two)
        assert next(iter(standing(*one).values())) == ("From bob.", "undecided", False)

    def test_a_decision_that_was_taken_back_there_is_taken_back_here(self, copies):
        one, two = copies
        decide(*one, 1, "accept", "ann")
        decide(*two, 0, "accept", "bob")
        undo(*two, "bob")
        assert self.meet(one, two).decisions.added == 2
        assert [entry[1] for entry in standing(*one).values()] == ["undecided", "accepted"]

    def test_an_undo_on_both_sides_is_one_undo(self, copies):
        one, two = copies
        decide(*one, 0, "accept", "ann")
        import_upload(*two, "x.jsonl", export(*one))
        undo(*one, "ann")
        undo(*two, "ann")
        assert not self.meet(one, two).changes

    def test_a_class_that_was_renamed_there_is_found_by_its_texts(self, copies):
        one, two = copies
        decide(*two, 0, "accept", "bob")
        renamed = export(*two).replace(b'"class_key": "beach"', b'"class_key": "shore"')
        report = import_upload(*one, "x.jsonl", renamed)
        assert (report.known, report.decisions.added, report.unknown_classes) == (2, 1, {})
