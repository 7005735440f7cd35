"""The catalog of the eight data sets, against the published figures and, where it is there, the real data."""

from __future__ import annotations

from pathlib import Path

import pytest

from avion_core.data import DATA_SETS, read_captions

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")


def test_classes_and_images_are_those_of_the_publications():
    figures = {name: (len(entry.classes), entry.images) for name, entry in DATA_SETS.items()}
    assert figures == {
        "aid": (30, 10_000),
        "resisc45": (45, 31_500),
        "eurosat": (10, 27_000),
        "whu-rs19": (19, 1_005),
        "patternnet": (38, 30_400),
        "ucmerced": (21, 2_100),
        "rsitmd": (0, 4_743),
        "rsicd": (0, 10_921),
    }


@pytest.mark.parametrize("entry", DATA_SETS.values(), ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry):
    assert len(set(entry.classes)) == len(entry.classes)
    assert bool(entry.classes) == (entry.task == "classification")
    assert bool(entry.splits) == (entry.task == "retrieval")
    assert sum(count for _, count in entry.splits) in (0, entry.images)
    assert all((entry.title, entry.layout, entry.licence, entry.source))


@needs_shared
@pytest.mark.parametrize(("name", "folder"), [("aid", "aid150"), ("eurosat", "eurosat"), ("ucmerced", "ucmerced")])
def test_class_folders_are_named_as_published(name, folder):
    folders = {path.name for path in (SHARED / folder).iterdir() if path.is_dir()}
    assert folders == set(DATA_SETS[name].classes)


@needs_shared
@pytest.mark.parametrize(("name", "empty"), [("rsitmd", 4), ("rsicd", 0)])
def test_official_caption_files_are_read_whole(name, empty):
    entry = DATA_SETS[name]
    captions = read_captions(SHARED / "captions" / f"dataset_{name}.json")
    assert [problem.kind for problem in captions.problems].count("no_caption") == empty
    assert len(captions.table) == entry.images - empty
    counts = captions.table["split"].value_counts()
    for split, images in entry.splits:
        assert images - empty <= counts[split] <= images
