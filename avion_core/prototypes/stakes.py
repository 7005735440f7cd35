"""What is at stake in a verdict: could it change the teacher's prediction of a validation image?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from avion_core.config import PrototypesConfig
from avion_core.prototypes.selection import select
from avion_core.prototypes.text_prototypes import TextPrototypes, _rows_of


def verdicts_that_matter(
    prototypes: TextPrototypes, embeddings: Tensor, config: PrototypesConfig, features: Tensor
) -> np.ndarray:
    """Which descriptions some verdict, on them alone, would change the prediction of an image for.

    Args:
        embeddings: (M, D) of the descriptions. features: (N, D) of the validation images.

    Returns:
        (M,) bool.
    """
    table = prototypes.table
    matters = np.zeros(len(table), dtype=bool)
    if len(features) == 0 or config.source == "template":
        return matters
    scores = (features @ prototypes.vectors.T).double()
    scores[:, prototypes.vectors.norm(dim=1) == 0] = -torch.inf
    now = scores.argmax(dim=1)
    verdicts, flags = table["verdict"].to_numpy(dtype=str), table["flag"].to_numpy(dtype=bool)
    similarity = table["similarity"].to_numpy()
    for index, (_, rows) in enumerate(_rows_of(table, prototypes.class_keys)):
        g = embeddings[rows].double()
        for place, row in enumerate(rows):
            for verdict in {"accepted", "rejected", "undecided"} - {verdicts[row]}:
                tried = verdicts[rows]
                tried[place] = verdict
                weights = select(similarity[rows], flags[rows], tried, config).weights
                vector = torch.nn.functional.normalize(torch.from_numpy(weights) @ g, dim=0)
                then = scores.clone()
                then[:, index] = features.double() @ vector if weights.any() else -torch.inf
                matters[row] |= bool((then.argmax(dim=1) != now).any())
    return matters
