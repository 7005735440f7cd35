from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avion_core.descriptions.rs_flag import RSFlag, load_rule_set
from avion_core.metrics.accuracy import confusion

LABELLED = Path(__file__).with_name("labelled_texts.jsonl")
TAIL = "with rows of boats along a long straight quay"  # nine words without any term
OVERHEAD = "in an aerial view of the whole area"


def failed(verdict: RSFlag) -> set[str]:
    return {reason.rule for reason in verdict.reasons if not reason.passed}


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (f"Overhead harbour {TAIL}", set()),
        (f"An aerial view of a harbour {TAIL}", set()),
        (f"SAR scene {TAIL}", set()),
        (f"Aerial image of a harbour {TAIL}", {"positive"}),
        (f"A satellite image {TAIL}", {"positive"}),
        (f"Aerial views {TAIL}", {"positive"}),
        (f"Sarasota harbour {TAIL}", {"positive"}),
        (f"Overhead streets {TAIL}", set()),
        (f"Overhead close up {TAIL}", set()),
        (f"Overhead street-level shops {TAIL}", {"negative"}),
        (f"SAR-based scene {TAIL}", set()),
        (f"A non-overhead, multi-SAR scene {TAIL}", set()),
        (f"SAR_tile {TAIL}", set()),
        (f"An aerial view\u2014wide {TAIL}", set()),
        (f"SARs and 2SAR and SAR2 {TAIL}", {"positive"}),
        (f"Ünadir {TAIL}", {"positive"}),
        (f"Overhead, indoor/outdoor {TAIL}", {"negative"}),
        (f"Overhead close\u2010up {TAIL}", set()),
        (f"An aerial  view {TAIL}", {"positive"}),
        (f"An aerial\u00a0view {TAIL}", {"positive"}),
        (f"An aerial\nview {TAIL}", {"positive"}),
        (f"An aerial-view {TAIL}", {"positive"}),
        (f"Overhead at ground  level {TAIL}", set()),
        (f"Overhead street {TAIL}", {"negative"}),
        (f"Overhead close-up {TAIL}", {"negative"}),
        (f"Overhead at ground level {TAIL}", {"negative"}),
        ("Overhead harbour", {"words"}),
        ("Street", {"positive", "negative", "words"}),
    ],
)
def test_paper_is_the_published_list_to_the_letter(text: str, broken: set[str]) -> None:
    verdict = load_rule_set("paper").judge(text)
    assert failed(verdict) == broken
    assert verdict.flag == (not broken)


@pytest.mark.parametrize(
    "phrase",
    [
        "aerial image",
        "Aerial Images",
        "satellite photographs",
        "satellite’s perspective",
        "overhead scene",
        "bird's-eye view",
        "bird’s eye view",
        "birds-eye view",
        "top-down view",
        "top\u2011down view",
        "topdown view",
        "seen from above",
        "seen from high above",
        "seen from a satellite",
        "orthophoto",
        "ortho-photo",
        "orthorectified scene",
        "nadir view",
        "high-resolution aerial\u00a0image",
        "aerial\u2013image",
    ],
)
def test_extended_knows_the_ways_to_say_overhead(phrase: str) -> None:
    assert load_rule_set("extended").judge(f"A {phrase} {TAIL}").flag


@pytest.mark.parametrize(
    "phrase",
    [
        "street view",
        "street-level scene",
        "street level",
        "eye\u2010level",
        "eye levels",
        "close up",
        "closeup",
        "close-ups",
        "CLOSE\u2212UP",
        "selfies",
        "portraits",
        "indoor photo",
        "ground-level view",
        "ground level photograph",
        "seen from the street",
        "photographed from ground level",
        "view from street level",
        "pedestrian's perspective",
    ],
)
def test_extended_refuses_the_ground_level_view(phrase: str) -> None:
    assert failed(load_rule_set("extended").judge(f"A {phrase} {OVERHEAD}")) == {"negative"}


@pytest.mark.parametrize(
    "phrase",
    [
        "houses along streets",
        "street grid",
        "indoor courts",
        "a ramp down to ground level",
        "interior courtyards",
        "ground track field",
        "portraiture academy",
        "patterns not easily visible from ground level",
        "patterns that may not be as easily observable from ground level",
        "an overpass raised from the ground level",
        "unlike a street view it is flat",
    ],
)
def test_extended_lets_the_object_be(phrase: str) -> None:
    assert load_rule_set("extended").judge(f"{phrase} {OVERHEAD}").flag


@pytest.mark.parametrize(
    "text",
    [
        "Sarasota has many long straight quays and rows of white boats.",
        "The aerially of the whole quay with long rows of boats.",
        "A paranadir quay with many long straight rows of white boats.",
        "An antenna and aerials on many of the flat grey roofs.",
        "Fromabove the quay there are many straight rows of boats.",
        "I am an AI and cannot directly view satellite images of quays.",
        "RESISC45 is a remote sensing image dataset with forty-five classes.",
    ],
)
def test_extended_holds_word_boundaries_and_what_is_meant(text: str) -> None:
    assert failed(load_rule_set("extended").judge(text)) == {"positive"}


@pytest.mark.parametrize(
    ("phrase", "modalities"),
    [
        ("SAR scene", {"sar"}),
        ("radar backscatter", {"sar"}),
        ("back-scattering", {"sar"}),
        ("synthetic aperture", {"sar"}),
        ("multispectral", {"multispectral"}),
        ("multi-spectral bands", {"multispectral"}),
        ("satellite photo", {"optical", "multispectral"}),
        ("satellite image", {"optical", "multispectral", "sar"}),
    ],
)
def test_extended_follows_the_modality(phrase: str, modalities: set[str]) -> None:
    text = f"Bright {phrase} {TAIL}"
    judged = {name for name in ("optical", "multispectral", "sar") if load_rule_set("extended", name).judge(text).flag}
    assert judged == modalities


def test_paper_has_one_list_whatever_the_modality() -> None:
    assert load_rule_set("paper", "optical").judge(f"SAR scene {TAIL}").flag


@pytest.mark.parametrize(("words", "passed"), [(0, False), (5, False), (6, True), (20, True), (21, False)])
@pytest.mark.parametrize("name", ["paper", "extended"])
def test_six_to_twenty_words(name, words: int, passed: bool) -> None:
    verdict = load_rule_set(name).judge(" \n".join(["nadir", *["quay"] * 20][:words]))
    assert (verdict.words, verdict.reasons[2].passed, verdict.flag) == (words, passed, passed)


def test_every_rule_gives_its_reason_in_a_sentence() -> None:
    verdict = load_rule_set("extended").judge("A close\u2011up selfie.")
    assert [reason.sentence for reason in verdict.reasons] == [
        "No term for an overhead view, such as aerial view or satellite imagery.",
        "Mentions a ground-level view: “close\u2011up”, “selfie”.",
        "Too short: 3 words, where 6 to 20 are required.",
    ]
    good = load_rule_set("extended").judge(f"An aerial view of a harbour {TAIL}")
    assert [reason.sentence for reason in good.reasons] == [
        "Mentions an overhead view: “aerial view”.",
        "No term for a ground-level view.",
        "Good length: 15 words, within 6 to 20.",
    ]


def test_spans_point_into_the_original_text() -> None:
    text = "  İstanbul — a Bird’s\u2010Eye  View,\nnot a Close\u2013Up "
    verdict = load_rule_set("extended").judge(text)
    assert [(text[hit.start : hit.end], hit.kind) for hit in verdict.hits] == [
        ("Bird’s\u2010Eye  View", "positive"),
        ("Close\u2013Up", "negative"),
    ]


def test_rule_sets_are_versioned_data() -> None:
    assert [(load_rule_set(name).name, load_rule_set(name).version) for name in ("paper", "extended")] == [
        ("paper", 2),
        ("extended", 1),
    ]


PAPER = {
    "positive": ["overhead", "aerial view", "satellite imagery", "nadir", "orthorectified", "multispectral", "sar"],
    "negative": ["street", "indoor", "selfie", "portrait", "close-up", "ground level"],
}
SIGNS = ["SAR", "Street", "s", "é", "7", "_", "-", "\u2011", " ", "  ", "\u00a0", ".", ""]
PIECES = st.sampled_from([*PAPER["positive"], *PAPER["negative"], *SIGNS])


@given(st.lists(PIECES, max_size=9).map("".join))
def test_paper_says_what_the_authors_expression_says(text: str) -> None:
    def has(kind: str) -> bool:
        places = (
            (found.start(), found.end()) for term in PAPER[kind] for found in re.finditer(re.escape(term), text, re.I)
        )
        return any(not text[:start][-1:].isalnum() and not text[end:][:1].isalnum() for start, end in places)

    verdict = load_rule_set("paper").judge(text)
    assert (verdict.positive, verdict.negative) == (has("positive"), not has("negative"))


@given(st.text(alphabet=st.sampled_from("ab -\u2011’'\n.,İß") | st.characters(), max_size=80), st.booleans())
def test_any_text_can_be_judged(noise: str, before: bool) -> None:
    text = f"{noise} aerial image" if before else f"aerial image {noise}"
    for rule_set in (load_rule_set("paper"), load_rule_set("extended")):
        verdict = rule_set.judge(text)
        assert verdict.flag == all(reason.passed for reason in verdict.reasons)
        assert all(0 <= hit.start < hit.end <= len(text) for hit in verdict.hits)


@pytest.mark.parametrize(("name", "precision", "recall"), [("paper", 30, 5), ("extended", 70, 95)])
def test_terms_keep_their_measured_quality(name, precision: float, recall: float) -> None:
    """A floor under the table of benchmarks/rs_flag_precision.py, length rule apart: lists are tuned against this."""
    rows = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    flagged = [not failed(load_rule_set(name).judge(row["text"])) - {"words"} for row in rows]
    table = confusion(flagged, [row["overhead"] for row in rows], 2)
    assert len(rows) == 200
    assert 100 * table[1, 1] / table[:, 1].sum() >= precision
    assert 100 * table[1, 1] / table[1].sum() >= recall
