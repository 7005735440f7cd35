"""What verdicts can still change, held against trying every one of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.config import PrototypesConfig
from avion_core.descriptions.rs_flag import load_rule_set
from avion_core.prototypes.decisive import classes_to_look_at_again, reach_and_decisive
from avion_core.prototypes.ranking import rank, rank_again
from avion_core.prototypes.settled import ClassAtHand, score_bounds, settled_classes
from avion_core.prototypes.text_prototypes import TextPrototypes, text_prototypes

RULES = load_rule_set("extended")
TEXTS = ("An aerial view of a harbour with rows of boats.", "A harbour with long rows of small white boats.")
WORDS = ("accepted", "rejected", "undecided")
DIM = 6


@dataclass
class Case:
    """A few classes with their texts and some images, from a seed; `noise` brings the classes closer together."""

    seed: int
    config: PrototypesConfig
    classes: int = 3
    texts: int = 4
    noise: float = 0.4
    decided: float = 0.6

    def __post_init__(self) -> None:
        chance = torch.Generator().manual_seed(self.seed)
        axes = torch.eye(DIM)[: self.classes]
        count = self.classes * self.texts
        self.keys = [f"class {place}" for place in range(self.classes)]
        self.visual = normalize(axes + 0.1 * torch.randn(self.classes, DIM, generator=chance), dim=1)
        noise = self.noise * torch.randn(count, DIM, generator=chance)
        self.embeddings = normalize(axes.repeat_interleave(self.texts, 0) + noise, dim=1)
        images = axes.repeat(3, 1) + self.noise * torch.randn(3 * self.classes, DIM, generator=chance)
        self.features = normalize(images, dim=1)
        decided = torch.rand(count, generator=chance) < self.decided
        accepted = torch.rand(count, generator=chance) < 0.7
        flagged = torch.rand(count, generator=chance) < 0.6
        self.table = pd.DataFrame(
            {
                "description_id": [f"d{row}" for row in range(count)],
                "class_key": np.repeat(self.keys, self.texts),
                "text": [TEXTS[not flag] for flag in flagged],
                "verdict": np.where(decided, np.where(accepted, "accepted", "rejected"), "undecided"),
            }
        )
        self.template = normalize(axes + 0.5, dim=1)
        self.now = self.decide(self.table, self.keys)
        self.ranking = rank(self.features, self.now.vectors)

    def decide(self, table: pd.DataFrame, keys: list[str]) -> TextPrototypes:
        places = [self.keys.index(key) for key in keys]
        return text_prototypes(
            table,
            self.embeddings[table.index],
            self.visual[places],
            keys,
            RULES,
            self.config,
            self.template[places],
            allow_blocked=True,
        )

    def prototype(self, place: int, verdicts: dict[int, str]) -> Tensor:
        """The prototype of one class when the verdicts in some rows are others."""
        table = self.table.iloc[place * self.texts : (place + 1) * self.texts]
        words = [verdicts.get(row, word) for row, word in zip(table.index, table["verdict"], strict=True)]
        return self.decide(table.assign(verdict=words), [self.keys[place]]).vectors[0]

    def decisive(self, *places: int) -> tuple[np.ndarray, np.ndarray]:
        """Reach (C,) and what is at stake, (texts of these places,)."""
        owner = np.arange(self.classes).repeat(self.texts)
        rows = np.flatnonzero(np.isin(owner, places))
        return reach_and_decisive(
            self.now.table.iloc[rows],
            owner[rows],
            self.embeddings[rows],
            self.now.vectors,
            self.template if self.config.template_fallback else None,
            self.config,
            self.features,
            self.ranking,
        )

    def scores(self, vector: Tensor) -> Tensor:
        return self.features @ vector if vector.any() else torch.full((len(self.features),), -torch.inf)

    def at_hand(self, place: int) -> ClassAtHand:
        rows = slice(place * self.texts, (place + 1) * self.texts)
        table = self.now.table.iloc[rows]
        return ClassAtHand(
            table["similarity"].to_numpy(),
            table["verdict"].to_numpy(dtype=str),
            self.embeddings[rows],
            self.now.vectors[place],
        )

    def every_score(self, place: int) -> Tensor:
        """Scores (A, N) of the images with one class, under every set of verdicts on its undecided texts."""
        undecided = self.table.index[
            (self.table["verdict"] == "undecided") & (self.table["class_key"] == self.keys[place])
        ]
        return torch.stack(
            [
                self.scores(self.prototype(place, dict(zip(undecided, words, strict=True))))
                for words in product(WORDS, repeat=len(undecided))
            ]
        )


configs = st.builds(
    PrototypesConfig,
    z_mode=st.sampled_from(["paper", "scaled", "low_side"]),
    zeta=st.sampled_from([0.8, 1.5, 3.0]),
    flag_mode=st.sampled_from(["soft", "hard"]),
    selective=st.sampled_from([True, True, False]),
    beta=st.sampled_from([0.0, 10.0]),
    gamma=st.sampled_from([0.0, 2.0]),
    template_fallback=st.booleans(),
)
cases = st.builds(Case, st.integers(0, 10**6), configs, noise=st.floats(0.05, 0.6), decided=st.floats(0.2, 0.9))


@pytest.mark.long
@settings(max_examples=12)
@given(cases)
def test_a_text_is_at_stake_when_a_verdict_on_it_changes_a_prediction(case: Case) -> None:
    _, decisive = case.decisive(*range(case.classes))
    for place in range(case.classes):
        for number in range(case.texts):
            row = place * case.texts + number
            changes = False
            for word in WORDS:
                vectors = case.now.vectors.clone()
                vectors[place] = case.prototype(place, {row: word})
                changes |= bool((rank(case.features, vectors).best != case.ranking.best).any())
            assert decisive[row] == changes


@pytest.mark.long
@settings(max_examples=12)
@given(cases)
def test_bounds_hold_whatever_is_decided(case: Case) -> None:
    for place in range(case.classes):
        lower, upper = score_bounds(case.at_hand(place), case.config, case.features.double().numpy())
        found = case.every_score(place).numpy()
        assert (found >= lower - 1e-6).all()
        assert (found <= upper + 1e-6).all()


@pytest.mark.long
@settings(max_examples=20)
@given(cases)
def test_what_is_settled_stays_whatever_is_decided_together(case: Case) -> None:
    """Every set of verdicts on all undecided texts of all settled classes at once; the other classes as they are."""
    settled = settled_classes([case.at_hand(p) for p in range(case.classes)], case.config, case.features, case.ranking)
    now = [case.scores(vector)[None] for vector in case.now.vectors]
    choices = [case.every_score(place) if settled[place] else now[place] for place in range(case.classes)]
    for together in product(*choices):
        assert (torch.stack(together, dim=1).argmax(dim=1) == case.ranking.best).all()


def test_well_reviewed_classes_that_are_far_apart_are_settled() -> None:
    case = Case(1, PrototypesConfig(), texts=12, noise=0.15, decided=0.7)
    assert (case.table["verdict"] == "undecided").groupby(case.table["class_key"]).sum().min() >= 1
    at_hand = [case.at_hand(place) for place in range(case.classes)]
    assert settled_classes(at_hand, case.config, case.features, case.ranking).all()


@pytest.mark.long
def test_bounds_are_close_to_what_can_happen() -> None:
    case = Case(2, PrototypesConfig(), texts=8, noise=0.1, decided=0.6)
    for place in range(case.classes):
        lower, upper = score_bounds(case.at_hand(place), case.config, case.features.double().numpy())
        found = case.every_score(place).numpy()
        possible = found.max(axis=0) - found.min(axis=0)
        assert possible.max() > 0.03
        assert ((upper - lower) - possible).max() < 0.02


def test_a_class_without_an_accepted_text_is_never_settled() -> None:
    case = Case(1, PrototypesConfig(), noise=0.05, decided=0.0)
    at_hand = [case.at_hand(place) for place in range(case.classes)]
    assert not settled_classes(at_hand, case.config, case.features, case.ranking).any()


def test_without_images_nothing_open_is_settled() -> None:
    case = Case(1, PrototypesConfig(), texts=12, noise=0.15, decided=0.7)
    case.table.loc[:11, "verdict"] = "accepted"
    case.now = case.decide(case.table, case.keys)
    at_hand = [case.at_hand(place) for place in range(case.classes)]
    nothing = rank(case.features[:0], case.now.vectors)
    assert settled_classes(at_hand, case.config, case.features[:0], nothing).tolist() == [True, False, False]


def test_with_the_template_alone_nothing_is_left_to_change() -> None:
    case = Case(1, PrototypesConfig(source="template"), decided=0.0)
    at_hand = [case.at_hand(place) for place in range(case.classes)]
    assert settled_classes(at_hand, case.config, case.features, case.ranking).all()
    reach, decisive = case.decisive(0)
    assert (reach.any(), decisive.any()) == (False, False)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sets(st.integers(0, 6), min_size=1), st.booleans())
def test_ranking_again_is_ranking_anew(seed: int, changed: set[int], blocked: bool) -> None:
    chance = torch.Generator().manual_seed(seed)
    vectors = normalize(torch.randn(7, DIM, generator=chance), dim=1)
    features = normalize(torch.randn(40, DIM, generator=chance), dim=1)
    before = rank(features, vectors)
    places = sorted(changed)
    vectors[places] = normalize(torch.randn(len(places), DIM, generator=chance), dim=1)
    if blocked:
        vectors[places[0]] = 0
    again, anew = rank_again(before, features, vectors, places), rank(features, vectors)
    assert torch.equal(again.best, anew.best)
    assert torch.equal(again.runner_up, anew.runner_up)
    torch.testing.assert_close(again.top, anew.top)
    torch.testing.assert_close(again.second, anew.second)


def test_equal_scores_go_to_the_class_that_comes_first() -> None:
    vectors = torch.eye(3)[[0, 0, 1]]
    ranking = rank(torch.eye(3)[:1], vectors)
    assert (ranking.best.item(), ranking.runner_up.item()) == (0, 1)
    assert rank_again(ranking, torch.eye(3)[:1], vectors, [1]).best.item() == 0


@pytest.mark.parametrize("seed", range(5))
def test_classes_far_from_a_change_need_no_second_look(seed: int) -> None:
    """Those that are not looked at again have the same at stake as before."""
    case = Case(seed, PrototypesConfig(zeta=1.5), classes=6, noise=0.3)
    before = [case.decisive(p) for p in range(6)]
    ranking, reach = case.ranking, np.array([found[0][place] for place, found in enumerate(before)])
    case.table.loc[0, "verdict"] = "rejected"
    case.now = case.decide(case.table, case.keys)
    case.ranking = rank(case.features, case.now.vectors)
    again = classes_to_look_at_again(ranking, case.ranking, case.features, case.now.vectors, reach)
    for place in range(1, 6):
        after = case.decisive(place)
        assert again[place] or np.array_equal(after[1], before[place][1])
