from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from avion_core.config import PrototypesConfig
from avion_core.errors import PrototypeError
from avion_core.prototypes.explanations import explained, explanations
from avion_core.prototypes.text_prototypes import (
    TextPrototypes,
    text_prototypes,
)
from tests.prototypes.cases import DIM, FLAGGED, PLAIN, RULES, one_class, random_case


def sentences(found: TextPrototypes) -> list[str]:
    return explanations(found.table, found.config)


def slow_reference(candidates, embeddings, visual, keys, config) -> tuple[dict[str, float], list[list[float]]]:
    """docs/method.md section 3, with lists and loops and no code of the package but the flags."""
    weights: dict[str, float] = {}
    prototypes = []
    for index, key in enumerate(keys):
        rows = [row for row in range(len(candidates)) if candidates["class_key"][row] == key]
        flag = {row: RULES.judge(candidates["text"][row]).flag for row in rows}
        accepted = {row for row in rows if candidates["verdict"][row] == "accepted"}
        play = [
            row
            for row in rows
            if candidates["verdict"][row] != "rejected" and (config.flag_mode == "soft" or flag[row] or row in accepted)
        ]
        s = {
            row: sum(a * b for a, b in zip(embeddings[row].tolist(), visual[index].tolist(), strict=True))
            for row in play
        }
        middle = float(np.median(list(s.values())))
        mad = float(np.median([abs(value - middle) for value in s.values()]))
        scale = 0.6745 if config.z_mode == "scaled" else 1.0
        kept = [
            row
            for row in play
            if row in accepted
            or len(play) <= 2
            or scale * abs(s[row] - middle) / (mad + 1e-8) <= config.zeta
            or (config.z_mode == "low_side" and s[row] > middle)
        ]
        parts = {row: math.exp(config.beta * s[row] + config.gamma * (flag[row] or row in accepted)) for row in kept}
        total = [0.0] * DIM
        for row, part in parts.items():
            weights[candidates["description_id"][row]] = part / sum(parts.values())
            for axis in range(DIM):
                total[axis] += part * embeddings[row, axis].item()
        length = math.sqrt(sum(value**2 for value in total))
        prototypes.append([value / length for value in total])
    return weights, prototypes


@pytest.mark.parametrize("z_mode", ["paper", "scaled", "low_side"])
@pytest.mark.parametrize("seed", range(6))
def test_equal_to_the_slow_reference(z_mode, seed: int) -> None:
    candidates, embeddings, visual, keys = random_case(seed)
    config = PrototypesConfig(z_mode=z_mode, zeta=1.5, flag_mode="soft")
    found = text_prototypes(candidates, embeddings, visual, keys, RULES, config)
    weights, vectors = slow_reference(candidates, embeddings, visual, keys, config)
    expected = [weights.get(key, 0.0) for key in candidates["description_id"]]
    assert 0 < (found.table["weight"] == 0).sum() < len(candidates)
    np.testing.assert_allclose(found.table["weight"], expected, atol=1e-6)
    torch.testing.assert_close(found.vectors, torch.tensor(vectors), atol=1e-6, rtol=0)


def test_equal_to_the_slow_reference_with_the_hard_flag() -> None:
    candidates, embeddings, visual, keys = random_case(3)
    candidates.loc[::7, "text"] = FLAGGED
    config = PrototypesConfig(flag_mode="hard", zeta=1.5)
    found = text_prototypes(candidates, embeddings, visual, keys, RULES, config)
    weights, _ = slow_reference(candidates, embeddings, visual, keys, config)
    np.testing.assert_allclose(
        found.table["weight"], [weights.get(key, 0.0) for key in candidates["description_id"]], atol=1e-6
    )
    refused = ~found.table["flag"] & (found.table["verdict"] == "undecided")
    assert refused.any()
    assert not found.table["kept"][refused].any()


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from(["paper", "scaled", "low_side"]), st.sampled_from(["soft", "hard"]))
def test_order_does_not_matter_and_weights_sum_to_one(seed: int, z_mode, flag_mode) -> None:
    candidates, embeddings, visual, keys = random_case(seed)
    config = PrototypesConfig(z_mode=z_mode, flag_mode=flag_mode)
    here = text_prototypes(candidates, embeddings, visual, keys, RULES, config, allow_blocked=True)
    order = np.random.default_rng(seed).permutation(len(candidates))
    shuffled = candidates.iloc[order]
    there = text_prototypes(shuffled, embeddings[order], visual, keys, RULES, config, allow_blocked=True)
    torch.testing.assert_close(there.vectors, here.vectors, atol=1e-6, rtol=0)
    assert there.table["description_id"].tolist() == shuffled["description_id"].tolist()
    pd.testing.assert_frame_equal(there.table, here.table.iloc[order], atol=1e-12)

    sums = here.table.groupby("class_key")["weight"].sum()
    for key in keys:
        assert sums[key] == pytest.approx(0.0 if key in here.blocked else 1.0)
        assert (here.n_eff[key] == 0) == (key in here.blocked)
    used = here.vectors[[index for index, key in enumerate(keys) if key not in here.blocked]]
    torch.testing.assert_close(used.norm(dim=1), torch.ones(len(used)))
    assert ((here.table["weight"] > 0) == here.table["kept"]).all()


def test_an_accepted_text_is_kept_and_weighs_as_flagged() -> None:
    scores, texts = [0.30, 0.30, 0.31, 0.29, 0.30, 0.05], [FLAGGED] * 4 + [PLAIN, PLAIN]
    verdicts = ["undecided"] * 4 + ["accepted", "accepted"]
    before, after = one_class(scores, texts=texts), one_class(scores, verdicts, texts)
    assert before.table["kept"].tolist() == [True] * 5 + [False]
    assert before.table["weight"][4] == pytest.approx(before.table["weight"][0] * math.exp(-2))
    assert after.table["kept"].all()
    assert after.table["weight"][4] == pytest.approx(after.table["weight"][0])
    assert not after.table["flag"][4]


def test_a_rejected_text_is_out_and_does_not_move_the_median() -> None:
    scores = [0.30, 0.31, 0.29, 0.80]
    found = one_class(scores, ["undecided"] * 3 + ["rejected"])
    assert found.table["kept"].tolist() == [True, True, True, False]
    assert found.table["median"].tolist() == pytest.approx([0.30] * 4)
    torch.testing.assert_close(found.vectors, one_class(scores[:3]).vectors)


def test_n_eff() -> None:
    even = one_class([0.3] * 4)
    assert even.n_eff == {"harbour": pytest.approx(4.0)}
    assert one_class([0.3] * 4, texts=[FLAGGED] + [PLAIN] * 3, gamma=50).n_eff["harbour"] == pytest.approx(1.0)
    assert one_class([0.3, 0.4, 0.5], beta=0, gamma=0).n_eff["harbour"] == pytest.approx(3.0)


def test_an_emptied_class_is_blocked() -> None:
    with pytest.raises(PrototypeError) as caught:
        one_class([0.3, 0.4], ["rejected", "rejected"])
    assert str(caught.value) == (
        "No usable description is left for these classes: harbour. "
        "Accept or add a description of each, loosen the rules, or use the class name where a class has no description "
        "(prototypes.template_fallback)."
    )
    with pytest.raises(PrototypeError, match="No usable description is left"):
        one_class([0.3, 0.4], texts=[PLAIN, PLAIN], flag_mode="hard")
    shown = one_class([0.3, 0.4], ["rejected", "rejected"], allow_blocked=True)
    assert (shown.blocked, shown.n_eff["harbour"]) == (["harbour"], 0.0)
    assert shown.vectors.abs().sum() == 0
    assert shown.table["weight"].sum() == 0


def test_a_zeta_under_one_can_cut_everything_and_then_the_class_is_blocked() -> None:
    found = one_class([0.2, 0.2, 0.3, 0.3], zeta=0.5, z_mode="paper", allow_blocked=True)
    assert found.blocked == ["harbour"]
    assert {sentence[:4] for sentence in sentences(found)} == {"Cut:"}


def test_a_class_nobody_described_is_blocked_too() -> None:
    candidates, embeddings, visual, keys = random_case(0)
    found = text_prototypes(
        candidates.iloc[:14], embeddings[:14], visual, keys, RULES, PrototypesConfig(), allow_blocked=True
    )
    assert found.blocked == ["class 2"]


def test_the_template_steps_in_only_on_purpose() -> None:
    template = normalize(torch.ones(1, DIM), dim=1)
    found = one_class([0.3, 0.4], ["rejected", "rejected"], template_fallback=True)
    assert (found.template, found.blocked) == (["harbour"], [])
    torch.testing.assert_close(found.vectors, template)
    ablation = one_class([0.3, 0.4, 0.5], source="template")
    torch.testing.assert_close(ablation.vectors, template)
    assert set(sentences(ablation)) == {"Not used: the prototype comes from the class-name template alone."}
    assert one_class([0.3, 0.4], template_fallback=True).template == []


def test_without_selection_all_weigh_the_same_but_the_rejected() -> None:
    found = one_class([0.3, 0.31, 0.29, -0.9, 0.3], ["undecided"] * 4 + ["rejected"], selective=False, flag_mode="hard")
    assert found.table["weight"].tolist() == pytest.approx([0.25] * 4 + [0.0])


@pytest.mark.parametrize(
    ("row", "case", "sentence"),
    [
        (
            0,
            {},
            "Cut: less typical than the class's other texts (similarity 0.210, class median 0.300; robust z 9.0, cut "
            "at 3.0).",
        ),
        (1, {}, "Kept: similarity 0.290, class median 0.300; robust z 1.0, cut at 3.0."),
        (
            1,
            {"zeta": 1.1},
            "Kept, only just: less typical than the class's other texts (similarity 0.290, class median 0.300; robust "
            "z 1.0, cut at 1.1).",
        ),
        (
            6,
            {},
            "Kept: more typical than the class's other texts, and only less typical ones are cut (similarity 0.390, "
            "class median 0.300; robust z 9.0).",
        ),
        (
            6,
            {"z_mode": "paper"},
            "Cut: more typical than the class's other texts (similarity 0.390, class median 0.300; robust z 9.0, cut "
            "at 3.0).",
        ),
        (
            0,
            {"z_mode": "scaled"},
            "Cut: less typical than the class's other texts (similarity 0.210, class median 0.300; robust z 6.1 in "
            "sigmas, cut at 3.0).",
        ),
        (0, {"zeta": 20}, "Kept: similarity 0.210, class median 0.300; robust z 9.0, cut at 20.0."),
        (
            0,
            {"selective": False},
            "Kept: these rules cut no outliers (similarity 0.210, class median 0.300; robust z 9.0).",
        ),
        (
            0,
            {"verdicts": ["accepted"] + ["undecided"] * 6},
            "Kept: a reviewer accepted it (similarity 0.210, class median 0.300; robust z 9.0).",
        ),
        (0, {"verdicts": ["rejected"] + ["undecided"] * 6}, "Cut: a reviewer rejected it."),
        (
            0,
            {"texts": [PLAIN] + [FLAGGED] * 6, "flag_mode": "hard"},
            "Cut: it does not pass RS-Flag, and the rules use only texts that do.",
        ),
    ],
)
def test_every_row_says_why_in_one_sentence(row: int, case: dict, sentence: str) -> None:
    found = one_class([0.21, 0.29, 0.29, 0.30, 0.31, 0.31, 0.39], **case)
    assert sentences(found)[row] == sentence


def test_why_for_few_texts_and_for_texts_that_agree() -> None:
    assert sentences(one_class([0.3, 0.5])) == [
        "Kept: similarity 0.300; one or two texts are too few to find an outlier.",
        "Kept: similarity 0.500; one or two texts are too few to find an outlier.",
    ]
    assert sentences(one_class([0.3, 0.3, 0.3, 0.25]))[3] == (
        "Cut: less typical than the class's other texts (similarity 0.250, 0.0500 below the 0.300 that most texts of "
        "the class share, cut at 0.001)."
    )


def test_the_table_can_be_filed_and_shown(tmp_path: Path) -> None:
    found = one_class([0.3, 0.4, 0.5], ["undecided", "rejected", "accepted"], [FLAGGED, PLAIN, "Selfie."])
    assert list(found.table.columns) == [
        *("description_id", "class_key", "text", "verdict", "flag", "words"),
        *("rule_positive", "rule_negative", "rule_words"),
        *("similarity", "median", "mad", "z", "cut", "in_play", "kept", "weight"),
    ]
    table = explained(found.table, RULES, found.config)
    assert [reason["passed"] for reason in table["reasons"][2]] == [False, False, False]
    assert table["hits"][2] == [{"start": 0, "end": 6, "term": "selfie", "kind": "negative"}]
    assert found.table["words"].tolist() == [10, 9, 1]
    assert found.table[["rule_positive", "rule_negative", "rule_words"]].to_numpy()[1].tolist() == [False, True, True]
    filed = found.full_table()
    assert json.loads(filed["hits"][0]) == table["hits"][0]
    filed.to_parquet(tmp_path / "prototypes.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "prototypes.parquet"), filed)


def test_numbers_that_are_none_are_refused() -> None:
    candidates, embeddings, visual, keys = random_case(0)
    embeddings[4, 2] = float("nan")
    with pytest.raises(
        PrototypeError, match=r"^The embedding of a description holds values that are not numbers: d4\. Compute"
    ):
        text_prototypes(candidates, embeddings, visual, keys, RULES, PrototypesConfig())
    visual[1, 0] = float("inf")
    with pytest.raises(
        PrototypeError, match=r"^The visual prototype of a class holds values that are not numbers: class 1\. Compute"
    ):
        text_prototypes(candidates, embeddings.nan_to_num(), visual, keys, RULES, PrototypesConfig())


def test_rows_that_do_not_fit_together_are_refused() -> None:
    candidates, embeddings, visual, keys = random_case(0)
    with pytest.raises(PrototypeError, match=r"21 descriptions, embeddings \(20, 8\).* one embedding per description"):
        text_prototypes(candidates, embeddings[:20], visual, keys, RULES, PrototypesConfig())
    with pytest.raises(PrototypeError, match=r"not in the list: class 2\. Pass only the descriptions"):
        text_prototypes(candidates, embeddings, visual[:2], keys[:2], RULES, PrototypesConfig())
    with pytest.raises(
        PrototypeError, match=r"A verdict is unknown: maybe\. Use one of: accepted, rejected, undecided"
    ):
        text_prototypes(candidates.assign(verdict="maybe"), embeddings, visual, keys, RULES, PrototypesConfig())
    for config in (PrototypesConfig(source="template"), PrototypesConfig(template_fallback=True)):
        with pytest.raises(PrototypeError, match="embeddings are needed and were not given"):
            text_prototypes(candidates, embeddings, visual, keys, RULES, config)


def test_a_preview_is_fast_enough_for_sliders() -> None:
    """21 classes x 50 texts at the teacher's 1024 dimensions, flags judged before: under 50 ms of processor time."""
    generator = torch.Generator().manual_seed(0)
    keys = [f"class {index}" for index in range(21)]
    candidates = pd.DataFrame(
        {
            "description_id": [f"d{row}" for row in range(1050)],
            "class_key": np.repeat(keys, 50),
            "text": [f"An aerial view of harbour {row} with rows of boats." for row in range(1050)],
            "verdict": "undecided",
        }
    )
    embeddings = normalize(torch.randn(1050, 1024, generator=generator), dim=1)
    visual = normalize(torch.randn(21, 1024, generator=generator), dim=1)
    seconds = []
    for zeta in (2.0, 2.2, 2.4, 2.6, 2.8, 3.0):
        start = time.process_time()
        text_prototypes(candidates, embeddings, visual, keys, RULES, PrototypesConfig(zeta=zeta))
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05
