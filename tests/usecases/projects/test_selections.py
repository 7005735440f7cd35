"""Lists that one page sends to another: kept whole, in order, by what they hold."""

from __future__ import annotations

import pytest

from avion_core.errors import NotFoundError
from avion_core.usecases.projects.selections import keep_selection, read_selection


def test_a_long_list_is_kept_in_its_order_and_once(home):
    ids = [f"{number:032x}" for number in range(2000, 0, -1)]
    key = keep_selection(home, "p1", ids)
    assert read_selection(home, "p1", key) == ids
    assert keep_selection(home, "p1", ids) == key
    assert keep_selection(home, "p1", ids[::-1]) != key
    assert len(list((home.project_folder("p1") / "selections").iterdir())) == 2


@pytest.mark.parametrize("key", ["", "0" * 16, "../../p1/selections/list", "0" * 15 + "/"])
def test_a_list_that_is_not_there_is_told_of(home, key):
    (home.project_folder("p1") / "selections").mkdir(parents=True)
    (home.project_folder("p1") / "selections" / "list.json").write_text("[]")
    with pytest.raises(NotFoundError, match="no longer exists"):
        read_selection(home, "p1", key)


def test_a_list_belongs_to_its_project(home):
    key = keep_selection(home, "p1", ["a"])
    with pytest.raises(NotFoundError):
        read_selection(home, "p2", key)
