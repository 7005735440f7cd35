"""Classes that the teacher takes for one another on the training shots: what a writer had better tell apart."""

from __future__ import annotations

from torch.nn.functional import softmax

from avion_core.errors import DataError, NotFoundError
from avion_core.progress import Progress
from avion_core.store.home import Home
from avion_core.usecases.curation import curation_table
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case


@use_case
def confusable_classes(
    home: Home, project: str, count: int, progress: Progress | None = None
) -> dict[str, tuple[str, ...]]:
    """Class key -> prompt names of the `count` classes that its training shots are likeliest taken for, worst first.

    By the teacher's zero-shot probabilities with the class-name template: p(c' | x) averaged over the training shots x
    of c. A class with less than an even share of what is not its own is not named.

    Raises:
        DataError: no training shots, or fewer than two classes. NotFoundError: the teacher's weights are not installed.
    """
    curation = curation_table(home, project, progress=progress)
    features, labels = curation.images["train"]
    others = len(curation.class_keys) - 1
    if others < 1 or not len(features):
        hint = "Label images of at least two classes."
        raise DataError("too few classes have labelled images", hint, value=f"{len(curation.class_keys)} classes")
    if curation.template is None:
        hint = "Make a project from images for classes to be compared by name."
        raise NotFoundError("there is no model here to read the class names with", hint, value=project)
    scale = open_towers(home, curation.config.teacher).logit_scale
    probabilities = softmax(scale * features @ curation.template.T, dim=1)  # (N, C)
    found: dict[str, tuple[str, ...]] = {}
    for place, key in enumerate(curation.class_keys):
        mean = probabilities[labels == place].mean(dim=0)  # (C,)
        even = (1.0 - mean[place]) / others
        mean[place] = 0.0
        worst = mean.argsort(descending=True)[:count].tolist()
        found[key] = tuple(curation.class_names[curation.class_keys[other]] for other in worst if mean[other] > even)
    return found
