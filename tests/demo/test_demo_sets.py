"""What demo/README.md promises about the bundled images, texts and verdicts."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from avion_core.descriptions.importing import read_descriptions
from avion_core.descriptions.rs_flag import load_rule_set
from avion_core.descriptions.schema import description_id
from avion_core.descriptions.sentences import sentences

ROOT = Path(__file__).parents[2]
DEMO, DATA = ROOT / "demo", ROOT.parent / "shared/data"
SETS = ("ucmerced", "eurosat")
MEGABYTE = 2**20


def project(name: str) -> dict:
    return json.loads((DEMO / name / "project.json").read_text(encoding="utf-8"))


def labels(name: str) -> list[dict[str, str]]:
    with (DEMO / name / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def json_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("name", "pool", "test"), [("ucmerced", 520, 525), ("eurosat", 300, 300)])
def test_every_class_has_its_pool_and_its_sealed_test_images(name, pool, test):
    rows = labels(name)
    assert Counter(row["split"] for row in rows) == {"": pool, "test": test}
    per_class = Counter((row["label"], row["split"]) for row in rows)
    classes = project(name)["classes"]
    assert {label for label, _ in per_class} == set(classes)
    # 16 shots and 4 validation images must always fit.
    assert all(per_class[key, ""] >= 20 for key in classes)
    assert {per_class[key, "test"] for key in classes} == {test // len(classes)}


@pytest.mark.parametrize("name", SETS)
def test_labels_list_exactly_the_images_there_are(name):
    images = DEMO / name / "images"
    listed = [row["path"] for row in labels(name)]
    assert sorted(listed) == sorted(path.relative_to(images).as_posix() for path in images.rglob("*.*"))
    assert all(row["path"].split("/")[0] == row["label"] for row in labels(name))


@pytest.mark.parametrize("name", SETS)
def test_no_content_and_no_group_is_in_both_pool_and_test(name):
    splits = defaultdict(set)
    for row in labels(name):
        content = hashlib.sha256((DEMO / name / "images" / row["path"]).read_bytes()).hexdigest()
        splits["content", content].add(row["split"])
        if row["group"]:
            splits["group", row["group"]].add(row["split"])
    assert [key for key, found in splits.items() if len(found) > 1] == []


def test_groups_of_uc_merced_join_overlapping_and_like_neighbours():
    rows = labels("ucmerced")
    groups = {row["path"]: row["group"] for row in rows}
    assert all(groups.values())
    assert groups["baseballdiamond/baseballdiamond59.jpg"] == groups["baseballdiamond/baseballdiamond61.jpg"]
    assert len({row["group"] for row in rows if row["split"] == "test"}) == 502  # of the sealed ones, shared ground
    assert 50 < len({row["group"] for row in rows if not row["split"]}) < 70  # of the pool, likeness as well
    assert json.loads((DEMO / "ucmerced" / "project.json").read_text())["keep_together"] == "features"


def test_sizes_stay_small_enough_for_a_repository():
    files = [path for path in DEMO.rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) < 50 * MEGABYTE
    images = [path.stat().st_size for name in SETS for path in (DEMO / name / "images").rglob("*.jpg")]
    assert sum(images) < 35 * MEGABYTE


@pytest.mark.parametrize(("name", "own", "mpvr"), [("ucmerced", 630, 817), ("eurosat", 200, 420)])
def test_importer_takes_every_description_and_finds_the_same_id(name, own, mpvr):
    path = DEMO / name / "descriptions.jsonl"
    result = read_descriptions(path, project(name)["classes"])
    assert (result.duplicates, result.unknown_classes, result.problems) == ([], {}, [])
    assert Counter(d.writer for d in result.descriptions) == {"avion-demo": own, "mpvr-gpt": mpvr}
    assert [d.description_id for d in result.descriptions] == [row["description_id"] for row in json_lines(path)]


@pytest.mark.parametrize(("name", "each"), [("ucmerced", 30), ("eurosat", 20)])
def test_own_descriptions_follow_the_papers_format(name, each):
    own = [row for row in json_lines(DEMO / name / "descriptions.jsonl") if row["writer"] == "avion-demo"]
    assert set(Counter(row["class_key"] for row in own).values()) == {each}
    assert all(6 <= len(row["text"].split()) <= 20 for row in own)
    assert all(row[field] for row in own for field in ("model", "prompt_version", "viewpoint", "created_at"))
    assert all(isinstance(row[field], list) and row[field] for row in own for field in ("visual_cues", "spatial_cues"))
    rules = load_rule_set("extended")
    flagged = sum(rules.judge(row["text"]).flag for row in own) / len(own)
    assert 0.65 < flagged < 0.85


@pytest.mark.parametrize("name", SETS)
def test_mpvr_sentences_keep_their_parent_and_both_kinds_of_flag(name):
    rows = [row for row in json_lines(DEMO / name / "descriptions.jsonl") if row["writer"] == "mpvr-gpt"]
    assert all(row["text"] in sentences(row["parent"]) for row in rows)
    parents = defaultdict(set)
    for row in rows:
        parents[row["class_key"]].add(row["parent"])
    assert {len(found) for found in parents.values()} == {20}
    assert set(project(name)["classes"]) - set(parents) <= {"agricultural", "buildings"}
    flagged = Counter(load_rule_set("extended").judge(row["text"]).flag for row in rows)
    assert min(flagged[True], flagged[False]) > 0.1 * len(rows)


def test_every_verdict_is_on_a_description_and_usable():
    described = {row["description_id"]: row for row in json_lines(DEMO / "ucmerced/descriptions.jsonl")}
    verdicts = json_lines(DEMO / "ucmerced/verdicts.jsonl")
    assert Counter(v["verdict"] for v in verdicts) == {"reject": 606, "accept": 144, "edit": 48}
    assert len({v["description_id"] for v in verdicts}) == len(verdicts)
    for verdict in verdicts:
        row = described[verdict["description_id"]]
        assert (verdict["class_key"], verdict["text"]) == (row["class_key"], row["text"])
        assert verdict["reason"]
        assert verdict["reviewer"] == "reference"
        assert ("text_after" in verdict) == (verdict["verdict"] == "edit")
        if verdict["verdict"] == "edit":
            # Another text than any that the class has, not the same one spelled differently.
            assert description_id(row["class_key"], verdict["text_after"]) not in described


def test_reference_curation_leaves_every_class_texts():
    kept = Counter(row["class_key"] for row in json_lines(DEMO / "ucmerced/descriptions.jsonl"))
    kept -= Counter(v["class_key"] for v in json_lines(DEMO / "ucmerced/verdicts.jsonl") if v["verdict"] == "reject")
    assert min(kept[key] for key in project("ucmerced")["classes"]) >= 30


def test_sources_and_licences_are_named():
    notices = (DEMO / "README.md").read_text(encoding="utf-8")
    for needed in (
        "Yang and S. Newsam",
        "public\n  domain",
        "Copyright (c) 2023 Patrick Helber",
        "Copyright (c) 2024 Jehanzeb Mirza",
        "jmiemirza/Meta-Prompting",
        "Permission is hereby granted, free of charge",
    ):
        assert needed in notices, needed
    for name in SETS:
        assert all(project(name)[field] for field in ("licence", "source", "citation"))


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared")
@pytest.mark.parametrize("name", SETS)
def test_images_are_the_original_bytes(name):
    for row in labels(name):
        assert (DEMO / name / "images" / row["path"]).read_bytes() == (DATA / name / row["path"]).read_bytes()
