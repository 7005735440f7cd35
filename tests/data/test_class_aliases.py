"""Which classes of two data sets mean the same."""

from __future__ import annotations

import pytest

from avion_core.data.catalog import DATA_SETS
from avion_core.data.class_aliases import shared_classes
from avion_core.data.class_names import prompt_names
from avion_core.errors import ConfigError


def test_names_meet_by_spelling_then_by_alias():
    here = {"harbor": "harbor", "river": "river", "sealake": "sea or lake", "parkinglot": "parking lot"}
    there = {"Port": "port", "River": "River", "Forest": "forest", "parking": "parking"}
    assert shared_classes(here, there) == {"Port": "harbor", "River": "river", "parking": "parkinglot"}
    assert shared_classes(here, there, ["sea or lake=forest"])["Forest"] == "sealake"


def test_what_could_meet_two_meets_none():
    here = {"port": "port"}
    assert shared_classes(here, {"a": "harbor", "b": "harbour"}) == {}
    # A name that is the very same comes before an alias.
    assert shared_classes(here, {"a": "harbor", "b": "port"}) == {"b": "port"}


def test_aliases_join_groups():
    assert shared_classes({"x": "quay"}, {"y": "harbour"}, ["quay=port"]) == {"y": "x"}
    assert shared_classes({"x": "quay"}, {"y": "wharf"}, ["quay=pier", "wharf=pier"]) == {"y": "x"}


@pytest.mark.parametrize("alias", ["harbor", "=port", "a=b=c", ""])
def test_an_alias_is_a_pair(alias):
    with pytest.raises(ConfigError, match="no pair of class names"):
        shared_classes({}, {}, [alias])


@pytest.mark.parametrize(
    ("there", "met"),
    [
        ("eurosat", {"Forest": "forest", "River": "river", "Highway": "freeway"}),
        ("aid", {"Port": "harbor", "BaseballField": "baseballdiamond", "Parking": "parkinglot", "Beach": "beach"}),
        ("resisc45", {"harbor": "harbor", "freeway": "freeway", "storage_tank": "storagetanks"}),
    ],
)
def test_uc_merced_meets_the_published_sets(there, met):
    here, other = (prompt_names(DATA_SETS[name].classes) for name in ("ucmerced", there))
    found = shared_classes(here, other)
    assert met.items() <= found.items()
    assert len(set(found.values())) == len(found)
