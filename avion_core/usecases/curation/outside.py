"""How well a curation's text prototypes do on all labelled images that nothing was made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from avion_core.features.store import image_features
from avion_core.metrics.accuracy import paired_change, wilson_interval
from avion_core.progress import Progress
from avion_core.protocols.placebo import outside_images
from avion_core.prototypes.ranking import rank
from avion_core.store.home import Home
from avion_core.usecases.curation.table import Curation
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.freeze import freeze


@dataclass(frozen=True)
class Outside:
    """Percent of the labelled images outside the training shots and the sealed test set, with 95 % intervals."""

    images: int
    accuracy: float
    low: float
    high: float
    template: float | None = None
    """With the class names alone; None without a model to read them."""
    gain: float | None = None
    """Points by which the prototypes are better than it on the same images."""
    gain_low: float | None = None
    gain_high: float | None = None

    @property
    def sentence(self) -> str:
        if not self.images:
            return "No labelled image lies outside the shots and the test set."
        said = f"On {self.images:,} labelled images outside the shots and the test set: {self.accuracy:.1f} %"
        said += f" ({self.low:.1f} to {self.high:.1f})"
        if self.template is not None:
            said += f", {self.gain:+.1f} points ({self.gain_low:+.1f} to {self.gain_high:+.1f}) over the template"
        return f"{said}."


@use_case
def outside_accuracy(home: Home, curation: Curation, *, progress: Progress | None = None) -> Outside:
    """Measure a curation's prototypes; embeddings that are not there yet are computed.

    Raises:
        NotFoundError: the teacher's weights are not installed.
    """
    data, keys = freeze(home, curation.project_id), list(curation.class_keys)
    images = outside_images(data, curation.config, keys, "validation")
    if not images.image_ids:
        return Outside(0, float("nan"), float("nan"), float("nan"))
    towers = open_towers(home, curation.config.teacher)
    shown = data.images(images.image_ids)
    features = image_features(towers, shown, home.features, recipe=data.recipe, progress=progress).cpu()
    labels = torch.tensor(images.labels)
    right = rank(features, curation.vectors).best == labels
    count = len(labels)
    found = Outside(count, 100 * right.double().mean().item(), *wilson_interval(int(right.sum()), count))
    if curation.template is None:
        return found
    by_name = rank(features, curation.template).best == labels
    gain = paired_change(by_name, right)
    return Outside(count, found.accuracy, found.low, found.high, 100 * by_name.double().mean().item(), *gain)
