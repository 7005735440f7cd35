"""The one way from a project's descriptions and labelled shots to text prototypes.

A training, the decisions page, contrasts and the comparison of writers all come through here: what a person was shown
is what is trained.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from torch import Tensor

from avion_core.backbones.given import GivenTowers
from avion_core.backbones.towers import Towers
from avion_core.config import DescriptionsConfig, PrototypesConfig, RunConfig
from avion_core.data.project import ProjectData, class_texts
from avion_core.descriptions.rs_flag import load_rule_set
from avion_core.features.store import FeatureStore, text_features
from avion_core.progress import Progress
from avion_core.prototypes.text_prototypes import TextPrototypes, text_prototypes, visual_prototypes


@dataclass(frozen=True)
class Grounds:
    """What the descriptions of C classes are judged by, as the teacher sees it. M descriptions, D dimensions."""

    class_keys: tuple[str, ...]
    """The C classes."""
    candidates: pd.DataFrame
    """M rows with description_id, class_key, text and verdict."""
    embeddings: Tensor
    """(M, D) their texts."""
    visual: Tensor
    """(C, D) visual prototypes v_c of the training shots."""
    template: Tensor | None
    """(C, D) the class names in the template; None where embeddings were given and these are not among them. All of
    unit norm."""

    def judged(
        self, prototypes: PrototypesConfig, descriptions: DescriptionsConfig, *, allow_blocked: bool = False
    ) -> TextPrototypes:
        """Table and vectors under these rules.

        A class's rows and vector follow from its own shots and descriptions alone, so they are the same whichever
        other classes are judged beside it.

        Args:
            allow_blocked: list classes without a usable description as blocked instead of raising.

        Raises:
            PrototypeError: as `text_prototypes`.
        """
        rules = load_rule_set(descriptions.rule_set, descriptions.modality)
        given = self.candidates, self.embeddings, self.visual, self.class_keys
        return text_prototypes(*given, rules, prototypes, self.template, allow_blocked=allow_blocked)


def judged_classes(class_keys: Iterable[str], shots: Mapping[str, Sequence[str]]) -> list[str]:
    """Those of some classes whose descriptions can be judged, in the order given: all that have a training shot.

    A class without a shot has no visual prototype to hold its texts against. The decisions page leaves it out and
    names it. A training on it does not start: pre-flight names it, and `visual_prototypes` refuses it. So no class is
    dropped from a run in silence, and a run's prototypes are those that the page showed. Novel classes are not trained
    on and need no shot; the page judges those that have one.

    Args:
        shots: class key -> its labelled training images (see `Splits.shots`).
    """
    return [key for key in class_keys if shots.get(key)]


def grounds_of(
    project: ProjectData,
    config: RunConfig,
    class_keys: Sequence[str],
    shot_features: Tensor,
    labels: Tensor,
    teacher: Towers,
    store: FeatureStore,
    progress: Progress | None = None,
) -> Grounds:
    """What the descriptions of some classes are judged by; embeddings of texts that are not kept yet are computed.

    Args:
        shot_features: (N, D) teacher embeddings of the training shots. labels: (N,) positions in class_keys.

    Raises:
        PrototypeError: a class without a shot.
    """
    visual = visual_prototypes(shot_features, labels, class_keys)
    of_classes = project.descriptions["class_key"].isin(class_keys)
    candidates = project.descriptions[of_classes].reset_index(drop=True)
    templates = class_texts(project.class_names, list(class_keys), config.model.template)
    if isinstance(teacher, GivenTowers) and not teacher.knows(templates):
        templates = []
    texts = text_features(teacher, [*candidates["text"], *templates], store, progress).cpu()
    embeddings, template = texts[: len(candidates)], texts[len(candidates) :] if templates else None
    return Grounds(tuple(class_keys), candidates, embeddings, visual, template)
