"""Splits: independent of order and names, nested, disjoint, never through a group."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from avion_core.data import Splits, base_and_novel, make_splits
from avion_core.errors import ConfigError, DataError

quick = settings(max_examples=40)

COLUMNS = ["image_id", "path", "label", "group", "split"]


def table(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Rows of (label, group, fixed split)."""
    numbered = [(f"{i:032x}", f"{label}/{i}.png", label, group, split) for i, (label, group, split) in enumerate(rows)]
    return pd.DataFrame(numbered, columns=COLUMNS)


def ungrouped(**counts: int) -> pd.DataFrame:
    return table([(label, "", "") for label, count in counts.items() for _ in range(count)])


@st.composite
def manifests(draw: st.DrawFn) -> pd.DataFrame:
    """2 to 4 classes, some images unlabelled, groups that may hold several classes, some images in none."""
    classes = draw(st.integers(2, 4))
    rows = []
    for key in "ABCD"[:classes]:
        for _ in range(draw(st.integers(2, 30))):
            group = draw(st.sampled_from(["", "", "g1", "g2", "g3", f"{key}1", f"{key}2"]))
            rows.append((key, group, ""))
    rows += [("", "g1", "")] * draw(st.integers(0, 3))
    return table(rows)


def splits_or_nothing(manifest: pd.DataFrame, **options) -> Splits:
    """The splits; manifests whose groups cannot be divided are not this test's subject."""
    try:
        return make_splits(manifest, dataset="demo", **options)
    except DataError as error:
        if "one group" not in error.what and "has no" not in error.what:
            raise
        reject()


def parts(splits: Splits, seed: int) -> dict[str, str]:
    """image id -> part, of one seed."""
    placed = dict.fromkeys(splits.test, "test")
    for name, part in (("validation", splits.validation[seed]), ("train", splits.train[seed])):
        placed |= {image: name for images in part.values() for image in images}
    return placed


@quick
@given(manifests(), st.randoms())
def test_the_order_of_rows_changes_nothing(manifest, random):
    shuffled = manifest.sample(frac=1, random_state=random.randrange(2**32))
    assert splits_or_nothing(shuffled) == splits_or_nothing(manifest)


@quick
@given(manifests())
def test_names_of_files_and_classes_change_nothing(manifest):
    renamed = manifest.assign(
        path=[f"renamed/{i}" for i in reversed(range(len(manifest)))],
        label=manifest["label"].map(lambda key: f"{'ZYXW'['ABCD'.index(key)]} new" if key else ""),
    )
    before, after = splits_or_nothing(manifest), splits_or_nothing(renamed)
    assert after.test == before.test
    for seed in before.train:
        assert parts(after, seed) == parts(before, seed)
        assert list(after.train[seed].values()) == list(reversed(before.train[seed].values()))


@quick
@given(manifests(), st.sampled_from([0.2, 0.5, 0.8]))
def test_parts_are_disjoint_whole_and_labelled(manifest, share):
    splits = splits_or_nothing(manifest, test_share=share)
    labels = dict(zip(manifest["image_id"], manifest["label"], strict=True))
    classes = set(labels.values()) - {""}
    assert {labels[image] for image in splits.test} == classes
    for seed in (1, 2, 3):
        validation, train = splits.validation[seed], splits.train[seed]
        drawn = [image for part in (validation, train) for images in part.values() for image in images]
        assert len(set(drawn) | set(splits.test)) == len(drawn) + len(splits.test)
        for part in (validation, train):
            assert set(part) == classes
            assert all(labels[image] == key for key, images in part.items() for image in images)
        assert all(1 <= len(images) <= 16 for images in train.values())
        assert all(len(images) <= 4 for images in validation.values())


@quick
@given(manifests())
def test_no_group_is_in_two_parts(manifest):
    splits = splits_or_nothing(manifest)
    groups = dict(zip(manifest["image_id"], manifest["group"], strict=True))
    for seed in (1, 2, 3):
        seen: dict[str, set[str]] = {}
        for image, part in parts(splits, seed).items():
            seen.setdefault(groups[image] or image, set()).add(part)
        assert all(len(where) == 1 for where in seen.values())


@quick
@given(manifests())
def test_shots_are_nested_and_validation_never_outgrows_them(manifest):
    splits = splits_or_nothing(manifest)
    for seed in (1, 2, 3):
        for fewer, more in ((1, 2), (2, 4), (4, 8), (8, 16)):
            few, many = splits.shots(seed, fewer), splits.shots(seed, more)
            assert all(many[key][: len(images)] == images and len(images) <= fewer for key, images in few.items())
        for k in (1, 2, 4, 16):
            assert all(len(images) <= min(k, 4) for images in splits.validation_images(seed, k).values())


@quick
@given(manifests())
def test_a_frozen_split_reads_back_the_same(manifest):
    splits = splits_or_nothing(manifest)
    assert Splits.from_json(splits.to_json()) == splits


@quick
@given(st.integers(2, 120), st.sampled_from([0.2, 0.5, 0.8]))
def test_without_groups_the_test_share_is_met_to_half_an_image(count, share):
    manifest = ungrouped(A=count, B=50)
    splits = make_splits(manifest, dataset="demo", test_share=share)
    labels = dict(zip(manifest["image_id"], manifest["label"], strict=True))
    tested = sum(labels[image] == "A" for image in splits.test)
    assert tested == min(max(tested, 1), count - 1)
    assert abs(tested - share * count) <= 0.5 or tested in (1, count - 1)


def test_seeds_and_data_sets_draw_differently_but_share_one_test_set():
    manifest = ungrouped(A=80, B=80)
    splits = make_splits(manifest, dataset="demo")
    assert splits.train[1] != splits.train[2] != splits.train[3]
    assert splits.validation[1] != splits.validation[2]
    more_seeds = make_splits(manifest, dataset="demo", seeds=(9, 3, 1), max_shots=8)
    assert more_seeds.test == splits.test
    assert more_seeds.shots(3, 8) == splits.shots(3, 8)
    assert make_splits(manifest, dataset="other").test != splits.test


def test_a_full_class_gives_sixteen_shots_and_four_for_validation():
    splits = make_splits(ungrouped(A=40, B=40), dataset="demo")
    for seed in (1, 2, 3):
        assert [len(images) for images in splits.train[seed].values()] == [16, 16]
        assert [len(images) for images in splits.validation[seed].values()] == [4, 4]
    assert splits.notes == ()


@pytest.mark.parametrize(
    ("count", "test", "train", "validation"), [(2, 1, 1, 0), (3, 1, 1, 1), (4, 2, 1, 1), (10, 5, 4, 1), (20, 10, 8, 2)]
)
def test_the_policy_for_few_labels(count, test, train, validation):
    splits = make_splits(ungrouped(A=count, B=60), dataset="demo")
    assert len(splits.train[1]["A"]) == train
    assert len(splits.validation[1]["A"]) == validation
    assert len(splits.test) == test + 30
    (note,) = splits.notes
    assert note == (
        f"A has {train} training images (16 wanted) and {validation} validation images (4 wanted); "
        "runs with more shots use all that there are."
    )
    assert len(splits.shots(1, 16)["A"]) == train


def test_large_groups_are_not_spent_on_validation_where_small_ones_do():
    rows = [("A", "t", "test")] + [("A", "large", "")] * 16 + [("A", "small", "")] * 4
    splits = make_splits(table(rows + [("B", "", "")] * 20 + [("B", "", "test")]), dataset="demo")
    assert [len(part[1]["A"]) for part in (splits.train, splits.validation)] == [16, 4]


def test_fixed_splits_are_kept_and_validation_is_drawn_from_the_rest():
    rows = [(key, "", split) for key in "AB" for split in ["test"] * 5 + ["train"] * 25]
    manifest = table(rows)
    splits = make_splits(manifest, dataset="demo")
    assert set(splits.test) == set(manifest.loc[manifest["split"] == "test", "image_id"])
    assert all(len(images) == 16 for images in splits.train[1].values())
    assert all(len(images) == 4 for images in splits.validation[1].values())


def test_fixed_validation_holds_for_every_seed():
    rows = [(key, "", split) for key in "AB" for split in ["validation"] * 3 + [""] * 30]
    manifest = table(rows)
    fixed = set(manifest.loc[manifest["split"] == "validation", "image_id"])
    splits = make_splits(manifest, dataset="demo")
    for seed in (1, 2, 3):
        assert {image for images in splits.validation[seed].values() for image in images} == fixed
    assert not fixed & set(splits.test)


def test_an_unmarked_image_goes_where_its_group_is_marked():
    rows = [(key, group, split) for key in "AB" for group, split in [("t", "test"), ("t", ""), ("", ""), ("", "")]]
    manifest = table(rows)
    splits = make_splits(manifest, dataset="demo")
    assert set(splits.test) == set(manifest.loc[manifest["group"] == "t", "image_id"])


@pytest.mark.parametrize(
    ("manifest", "options", "what", "hint"),
    [
        (ungrouped(), {}, "There is no usable image: demo", "rasters that need a rendering recipe"),
        (table([("", "", "")] * 3), {}, "No image has a label: demo", "class folders, or give a file of labels"),
        (ungrouped(A=5, B=1, C=1), {}, "A class has fewer than 2 labelled images: B, C", "Label more"),
        (table([("A", "g", "")] * 9 + [("B", "", "")] * 9), {}, "of a class are in one group: A", "give finer groups"),
        (
            table([("A", "g", "test"), ("A", "g", "train"), *[("A", "", "")] * 4]),
            {},
            "Images of one group are marked both test and train: g",
            "Neighbouring images leak",
        ),
        (
            table([("A", "", "test")] * 3 + [("A", "", "")] * 3 + [("B", "", "")] * 3),
            {},
            "A class has no test image: B",
            "leave the column split empty",
        ),
        (table([("A", "", "test")] * 3 + [("A", "", "validation")] * 3), {}, "has no training image: A", "as train"),
        (table([("A", "", "test")] * 3), {}, "has no training image: A", "Mark some of its images"),
        (
            table([(key, group, "") for key in "ABC" for group in ("g", "h") if (key, group) != ("C", "h")] * 2),
            {},
            "of a class are in one group: C",
            "give finer groups",
        ),
        (pd.concat([ungrouped(A=4)] * 2), {}, f"An image is in the manifest twice: {0:032x}", "one row for each"),
        (ungrouped(A=4), {"seeds": ()}, "The seeds cannot be used: []", "one or more different"),
        (ungrouped(A=4), {"seeds": (1, 1)}, "The seeds cannot be used: [1, 1]", "different whole numbers"),
        (ungrouped(A=4), {"test_share": 1.0}, "The test share is out of range: 1.0", "between 0 and 1"),
        (ungrouped(A=4), {"max_shots": 0}, "The shot count is out of range: 0", "Give 1 or more"),
    ],
)
def test_what_cannot_be_split_is_refused(manifest, options, what, hint):
    with pytest.raises(DataError) as caught:
        make_splits(manifest, dataset="demo", **options)
    assert what in str(caught.value)
    assert hint in str(caught.value)


class TestFrozenSplits:
    def test_seeds_and_shots_that_were_not_drawn_are_refused(self):
        splits = make_splits(ungrouped(A=40, B=40), dataset="demo", seeds=(2, 1), max_shots=8)
        with pytest.raises(ConfigError, match=r"no such seed: 7\. Choose one of: 1, 2\."):
            splits.shots(7, 1)
        with pytest.raises(ConfigError, match=r"no such seed: 7\. Choose one of: 1, 2\."):
            splits.validation_images(7, 1)
        for k in (0, 9):
            with pytest.raises(ConfigError, match=rf"no such shot count: {k}\. Choose 1 to 8 shots"):
                splits.shots(1, k)

    def test_overlapping_parts_are_refused(self):
        splits = make_splits(ungrouped(A=9, B=9), dataset="demo")
        raw = json.loads(splits.to_json())
        raw["train"]["2"]["A"].append(splits.test[0])
        with pytest.raises(DataError, match=f"more than one part of the split of seed 2: {splits.test[0]}"):
            Splits.from_json(json.dumps(raw))

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"test": [], "train": {"x": {}}, "validation": {}}'])
    def test_a_damaged_file_is_refused(self, text):
        with pytest.raises(DataError, match=r"frozen split (is not JSON|does not fit its form).*Restore the file"):
            Splits.from_json(text)


class TestBaseAndNovel:
    @quick
    @given(st.sets(st.text(min_size=1), min_size=2), st.integers(0, 99), st.randoms())
    def test_halves_whatever_the_order(self, keys, seed, random):
        shuffled = random.sample(sorted(keys), len(keys))
        for policy in ("first_half", "seeded_random"):
            base, novel = base_and_novel(sorted(keys), policy, seed)
            assert base_and_novel(shuffled, policy, seed) == (base, novel)
            assert sorted(base + novel) == sorted(keys)
            assert len(base) == (len(keys) + 1) // 2

    def test_policies(self):
        keys = [f"class {i:02}" for i in range(21)]
        assert base_and_novel(keys, "first_half", 1) == base_and_novel(keys, "first_half", 2) == (keys[:11], keys[11:])
        draws = {tuple(base_and_novel(keys, "seeded_random", seed)[0]) for seed in range(5)}
        assert len(draws) == 5
        assert base_and_novel(keys, "seeded_random", 1)[0] == sorted(base_and_novel(keys, "seeded_random", 1)[0])

    def test_refused(self):
        with pytest.raises(DataError, match=r"two or more different classes: \['A'\]\. Label more"):
            base_and_novel(["A"], "first_half", 1)
        with pytest.raises(DataError, match="two or more different classes"):
            base_and_novel(["A", "B", "B"], "first_half", 1)
        with pytest.raises(DataError, match=r"no such policy for novel classes: last_half\. Choose first_half or"):
            base_and_novel(["A", "B"], "last_half", 1)  # type: ignore[arg-type]
