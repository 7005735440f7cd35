"""Prompt names, and classes that would share one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avion_core.data import DATA_SETS, name_collisions, prompt_name, prompt_names
from avion_core.data.class_names import is_wordless, name_problems


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("mobilehomepark", "mobile home park"),
        ("MobileHomePark", "mobile home park"),
        ("baseballdiamond", "baseball diamond"),
        ("StorageTanks", "storage tanks"),
        ("storage_tanks", "storage tanks"),
        ("storagetanks", "storage tanks"),
        ("footballField", "football field"),
        ("thermal_power_station", "thermal power station"),
        ("AnnualCrop", "annual crop"),
        ("SeaLake", "sea or lake"),
        ("mobile-home.park", "mobile home park"),
        ("  Bare  Land ", "bare land"),
        ("FOREST", "forest"),
        ("SARImage", "sar image"),
        ("industrial2", "industrial 2"),
        ("01_forest", "forest"),
        ("3. Urban Fabric", "urban fabric"),
        ("T62", "t62"),
        ("2S1", "2s1"),
        ("2021", "2021"),
        ("森林", "森林"),
        ("GroßeStraße", "große straße"),
        ("Forêt_dense", "forêt dense"),
        ("___", "___"),
    ],
)
def test_prompt_name(key, name):
    assert prompt_name(key) == name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("001.Black_footed_Albatross", "black footed albatross"),
        ("001.name", "name"),
        ("1_forest", "forest"),
        ("7) Harbour", "harbour"),
        ("12: river", "river"),
        ("03 river", "river"),
        ("1.1.2 Discontinuous urban fabric", "discontinuous urban fabric"),
        ("2-3 floors", "2-3 floors"),
        ("2–3 floors", "2–3 floors"),
        ("10-20 m trees", "10-20 m trees"),
        ("2.5 m road", "2.5 m road"),
        ("4 lane road", "4 lane road"),
        ("2-storey houses", "2 storey houses"),
        ("3D buildings", "3d buildings"),
        ("1-2_family_house", "1-2 family house"),
        ("area 2.5-3", "area 2.5-3"),
    ],
)
def test_codes_go_and_numbers_that_count_stay(key, name):
    assert prompt_name(key) == name


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (("1 forest", "2 river", "3 lake"), ("forest", "river", "lake")),
        (("1-forest", "2-river", "10-lake", "background"), ("forest", "river", "lake", "background")),
        (("1_forest", "2_river"), ("forest", "river")),
        (("2_lane_road", "4_lane_road", "forest"), ("2 lane road", "4 lane road", "forest")),
        (("2 storey house", "forest", "river"), ("2 storey house", "forest", "river")),
        (("1-2 floors", "3-4 floors", "5+ floors"), ("1-2 floors", "3-4 floors", "5+ floors")),
        (("1 lane", "2 lanes", "3 lanes"), ("1 lane", "2 lanes", "3 lanes")),
        (("01 forest", "02 river", "roads"), ("forest", "river", "roads")),
        (("1 Forest",), ("1 forest",)),
    ],
)
def test_whether_numbers_count_the_classes_is_told_by_all_of_them(keys, names):
    assert tuple(prompt_names(keys).values()) == names


@pytest.mark.parametrize("entry", DATA_SETS.values(), ids=lambda entry: entry.name)
def test_every_catalog_class_reads_well_and_stands_alone(entry):
    names = prompt_names(entry.classes)
    assert list(names) == list(entry.classes)
    assert all(name == name.lower() and name.replace(" ", "").isalpha() for name in names.values())
    assert name_collisions(entry.classes) == []


def test_ucmerced_has_no_glued_word_left():
    single = {name for name in prompt_names(DATA_SETS["ucmerced"].classes).values() if " " not in name}
    plain = "agricultural airplane beach buildings chaparral forest freeway harbor intersection overpass river runway"
    assert single == set(plain.split())


@settings(max_examples=50)
@given(st.sampled_from(sorted({key for entry in DATA_SETS.values() for key in entry.classes})), st.data())
def test_names_of_several_words_are_known_however_they_are_glued(key, data):
    name = prompt_name(key)
    if " " in name and key != "SeaLake":
        separator = data.draw(st.sampled_from(["", "_", "-", " ", "__", "."]))
        words = [data.draw(st.sampled_from([word, word.upper(), word.title()])) for word in name.split()]
        assert prompt_name(separator.join(words)) == name


@settings(max_examples=50)
@given(st.text(min_size=1))
def test_any_key_gets_a_name(key):
    assert prompt_name(key)


def test_keys_that_would_share_a_name_are_reported_once():
    keys = ["StorageTanks", "storage_tanks", "storage tanks", "Forest", "River"]
    (problem,) = name_collisions(keys)
    assert problem.kind == "name_collision"
    assert problem.path == "StorageTanks"
    assert "StorageTanks, storage tanks, storage_tanks would all be called “storage tanks”" in problem.message
    assert "Merge them, or give each a prompt name of its own" in problem.message
    assert name_collisions(reversed(keys)) == [problem]


def test_two_encodings_of_one_accent_collide():
    composed, decomposed = (unicodedata.normalize(form, "Forêt") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert len(name_collisions([composed, decomposed])) == 1


@pytest.mark.parametrize("name", ["0", "10", "n01440764", "T62", "2S1", "BMP2", "a1", "c", "cl 01"])
def test_names_without_words(name):
    assert is_wordless(name)


@pytest.mark.parametrize("name", ["sea", "bare land", "area 2", "森", "été", "лес", "BMP2 vehicle", "30% forest"])
def test_names_with_words(name):
    assert not is_wordless(name)


def test_no_class_of_a_data_set_is_wordless():
    for entry in DATA_SETS.values():
        assert not [name for name in prompt_names(entry.classes).values() if is_wordless(name)]


class TestLettersThatOrder:
    RSSCN7 = ("aGrass", "bField", "cIndustry", "dRiverLake", "eForest", "fResident", "gParking")

    def test_are_left_out_and_told(self):
        names = prompt_names(self.RSSCN7)
        assert list(names.values()) == ["grass", "field", "industry", "river lake", "forest", "resident", "parking"]
        (problem,) = name_problems(self.RSSCN7)
        assert (problem.kind, problem.path) == ("class_name", "aGrass")
        assert "prompts call aGrass “grass”" in problem.message

    @pytest.mark.parametrize("keys", [("aGrass", "bField"), ("iPhone", "eBook", "xRay"), ("aGrass", "bField", "city")])
    def test_others_stay(self, keys):
        assert prompt_names(keys) == {key: prompt_name(key) for key in keys}


def test_what_is_said_of_names_without_words():
    (problem,) = name_problems([*map(str, range(8)), "forest"])
    assert (problem.kind, problem.path) == ("class_name", "0")
    assert problem.message.startswith("No word for a model to go by: 0, 1, 2, 3, 4 and 3 more. Give each class")
