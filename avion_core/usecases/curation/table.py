"""The curation table: every description with the figures that decide on it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from avion_core.config import PrototypesConfig, RunConfig
from avion_core.data.project import LabelledImages
from avion_core.data.sources import Images
from avion_core.descriptions.rs_flag import RuleSet, load_rule_set
from avion_core.errors import DataError, NotFoundError
from avion_core.features.store import image_features
from avion_core.progress import Progress
from avion_core.prototypes.decisive import reach_and_decisive
from avion_core.prototypes.explanations import explained, explanation, explanations
from avion_core.prototypes.judged import Grounds, grounds_of, judged_classes
from avion_core.prototypes.ranking import Ranking, rank
from avion_core.prototypes.robust_z import past_cut
from avion_core.prototypes.text_prototypes import TextPrototypes, leave_one_out_influence, owner_of
from avion_core.store import current_verdicts
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.projects.text_lengths import unread_ends

DECISION_CHANGES = ("class", "text", "now", "then")
"""Columns of `Preview.would_change`."""


@dataclass(frozen=True)
class Preview:
    """What rules decide."""

    table: pd.DataFrame
    """One row per description with every figure (see `TextPrototypes.table`)."""
    would_change: pd.DataFrame
    """Columns class, text, "now" and "then" in words, of each description whose decision differs from that under the
    rules in force."""
    n_eff: dict[str, float]
    """Class -> effective number of texts."""
    blocked: list[str]
    """Classes left without a text."""
    vectors: Tensor
    """(C, D) text prototypes."""
    teacher_accuracy: dict[str, float]
    """ "train" and "validation" -> percent of these images whose nearest text prototype is their class's (NaN without
    images)."""


@dataclass(frozen=True)
class Curation(Preview):
    """What the rules in force decide, with all that is needed to try other rules and to take in new verdicts.

    table has besides: writer, model, original, edited, parent, reviewer, reason, conflict, influence (degrees by which
    leaving the text out would turn its class's prototype), past_cut (by how many z it is past the limit that cuts, so
    that z would cut it where that is above 0; see `robust_z.past_cut`), decisive (some verdict on this text alone would
    change the teacher's prediction of a validation image) and too_long (the teacher reads its beginning alone).
    M descriptions, C classes, D dimensions of the teacher.
    """

    project_id: str
    config: RunConfig
    class_keys: tuple[str, ...]
    class_names: dict[str, str]
    template_accuracy: dict[str, float]
    """As teacher_accuracy, for the class-name template alone; NaN without it."""
    embeddings: Tensor
    """(M, D)"""
    owner: np.ndarray
    """(M,) the place of each description's class in class_keys."""
    places: pd.Index
    """The table's description_id, by which a row is found: it stays as verdicts come in, and is made once."""
    visual: Tensor
    """(C, D)"""
    template: Tensor | None
    """(C, D); None as in `Grounds`."""
    images: dict[str, tuple[Tensor, Tensor]]
    """"train" and "validation" -> features (N, D) and labels (N,)."""
    train_paths: list[Path]
    """The files of the training images, in their order."""
    rankings: dict[str, Ranking]
    """"train" and "validation" -> what the teacher predicts."""
    reach: np.ndarray
    """(C,) how far one verdict moves a class's prototype at most (see `prototypes.find_decisive`)."""
    unjudged: dict[str, int]
    """Classes without a training shot (see `judged_classes`) -> how many descriptions each has."""
    read_up_to: current_verdicts.Mark
    """The verdicts that are in it."""

    def grounds(self, class_keys: Sequence[str], candidates: pd.DataFrame, embeddings: Tensor) -> Grounds:
        """What other candidates (M rows; embeddings (M, D)) of some of the classes are judged by."""
        places = [self.class_keys.index(key) for key in class_keys]
        template = None if self.template is None else self.template[places]
        return Grounds(tuple(class_keys), candidates, embeddings, self.visual[places], template)

    @property
    def zeta(self) -> float:
        """The robust z-score above which texts are cut."""
        return self.config.prototypes.zeta

    def explained(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of the table with why, reasons and hits: the words behind the figures."""
        return explained(rows, self._rule_set, self.config.prototypes)

    def explanation(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Those words of one row."""
        return explanation(row, self._rule_set, self.config.prototypes)

    def hits(self, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
        """The terms that RS-Flag finds in each text, as `explained` gives them."""
        return [[asdict(hit) for hit in self._rule_set.judge(text).hits] for text in texts]

    @property
    def _rule_set(self) -> RuleSet:
        return load_rule_set(self.config.descriptions.rule_set, self.config.descriptions.modality)

    def place(self, description_id: str) -> int:
        """The row of a description.

        Raises:
            NotFoundError: there is none.
        """
        place = int(self.places.get_indexer(pd.Index([description_id]))[0])
        if place < 0:
            raise NotFoundError("the project has no such description", "Reload the page.", value=description_id)
        return place


@use_case
def curation_table(
    home: Home, project: str, config: RunConfig | None = None, *, progress: Progress | None = None
) -> Curation:
    """Judge every description of a project by the teacher, the rules and people's verdicts.

    Embeddings that are not there yet are computed, which takes a while the first time.

    Args:
        config: shots, seed, teacher and rules to judge by; None takes those in force.

    Raises:
        NotFoundError: no such project, or the teacher's weights are not installed.
        DataError: no class has a labelled training image.
    """
    summary = get_project(home, project)
    config = config or run_config(home, summary.id)
    with reading(home.engine) as session:  # before the verdicts are read: one that comes meanwhile is read again
        read_up_to = current_verdicts.mark(session, summary.id)
    data = freeze(home, summary.id)
    teacher = open_towers(home, config.teacher)
    parts = {
        "train": data.splits.shots(config.data.seed, config.data.shots),
        "validation": data.splits.validation_images(config.data.seed, config.data.shots),
    }
    class_keys = judged_classes(data.class_names, parts["train"])
    if not class_keys:
        hint = "Label a few images of each class: descriptions are compared with the images of their class."
        raise DataError("no class has a labelled training image", hint, value=summary.name)
    images: dict[str, tuple[Tensor, Tensor]] = {}
    files: dict[str, Images] = {}
    for part, by_class in parts.items():
        labelled = LabelledImages.of(by_class, class_keys)
        files[part] = data.images(labelled.image_ids)
        features = image_features(teacher, files[part], home.features, recipe=data.recipe, progress=progress)
        images[part] = features.cpu(), torch.tensor(labelled.labels, dtype=torch.long)
    grounds = grounds_of(data, config, class_keys, *images["train"], teacher, home.features, progress)
    embeddings, template, names = grounds.embeddings, grounds.template, data.class_names
    written = Counter(data.descriptions["class_key"])

    with _collecting_no_garbage():
        decided = grounds.judged(config.prototypes, config.descriptions, allow_blocked=True)
        table = with_figures(decided, grounds.candidates, embeddings)
    long = marked(unread_ends(home, config.teacher, table["text"].tolist()).places, len(table))
    owner = owner_of(table, class_keys)
    rankings = {part: rank(features, decided.vectors) for part, (features, _) in images.items()}
    reach, decisive = find_decisive(table, owner, embeddings, decided.vectors, template, config, images, rankings)
    return Curation(
        table=table.assign(decisive=decisive, too_long=long),
        would_change=would_change(table, table, config.prototypes, config.prototypes, names),
        n_eff=decided.n_eff,
        blocked=decided.blocked,
        vectors=decided.vectors,
        teacher_accuracy=accuracy(images, rankings),
        project_id=summary.id,
        config=config,
        class_keys=grounds.class_keys,
        class_names=names,
        template_accuracy=_of_template(images, template),
        embeddings=embeddings,
        owner=owner,
        places=pd.Index(table["description_id"]),
        visual=grounds.visual,
        template=template,
        images=images,
        train_paths=files["train"].files,
        rankings=rankings,
        reach=reach,
        unjudged={key: written[key] for key in names if key not in class_keys},
        read_up_to=read_up_to,
    )


def marked(places: Sequence[int], count: int) -> np.ndarray:
    """(count,) whether each place is one of these."""
    long = np.zeros(count, dtype=bool)
    long[list(places)] = True
    return long


def with_figures(decided: TextPrototypes, candidates: pd.DataFrame, embeddings: Tensor) -> pd.DataFrame:
    """The table of a decision with what is known of each candidate, its influence and how far past the cut it is."""
    similarity, median, z, cut = (decided.table[name].to_numpy() for name in ("similarity", "median", "z", "cut"))
    past = past_cut(similarity, median, z, cut, decided.config.z_mode, decided.config.zeta)
    known = candidates.drop(columns=["description_id", "class_key", "text", "verdict"]).reset_index(drop=True)
    return (
        decided.table.reset_index(drop=True)
        .join(known)
        .assign(influence=leave_one_out_influence(decided, embeddings), past_cut=past)
    )


def find_decisive(
    table: pd.DataFrame,
    owner: np.ndarray,
    embeddings: Tensor,
    vectors: Tensor,
    template: Tensor | None,
    config: RunConfig,
    images: dict[str, tuple[Tensor, Tensor]],
    rankings: dict[str, Ranking],
) -> tuple[np.ndarray, np.ndarray]:
    """`reach_and_decisive` of the classes in the table, held against the validation images."""
    fallback = template if config.prototypes.template_fallback else None
    validation, ranking = images["validation"][0], rankings["validation"]
    return reach_and_decisive(table, owner, embeddings, vectors, fallback, config.prototypes, validation, ranking)


def would_change(
    now: pd.DataFrame,
    then: pd.DataFrame,
    rules_now: PrototypesConfig,
    rules_then: PrototypesConfig,
    names: dict[str, str],
) -> pd.DataFrame:
    """The descriptions that one table keeps and the other cuts, with both decisions in words."""
    changed = now["kept"] != then["kept"]
    return pd.DataFrame(
        {
            "class": then.loc[changed, "class_key"].map(names),
            "text": then.loc[changed, "text"],
            "now": explanations(now[changed], rules_now),
            "then": explanations(then[changed], rules_then),
        },
        columns=list(DECISION_CHANGES),
    )


def accuracy(images: dict[str, tuple[Tensor, Tensor]], rankings: dict[str, Ranking]) -> dict[str, float]:
    """Percent right on each part; NaN without images."""
    return {part: rankings[part].accuracy(labels) for part, (_, labels) in images.items()}


def _of_template(images: dict[str, tuple[Tensor, Tensor]], template: Tensor | None) -> dict[str, float]:
    if template is None:
        return dict.fromkeys(images, float("nan"))
    return accuracy(images, {part: rank(found, template) for part, (found, _) in images.items()})


@contextmanager
def _collecting_no_garbage() -> Iterator[None]:
    """While objects for 50,000 texts are made, all of which stay: searching them for garbage takes as long as that."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
