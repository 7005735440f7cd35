"""Class vectors that lean on the shots: the student's text of a class and the mean of its training images, together.

An option (docs/method.md section 9), for AVION alone falls under the class mean where shots are many. One pass of the
adapted student gives both, so whatever predicts with the student's class vectors predicts with what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.prototypes.text_prototypes import visual_prototypes

_TEXT_COUNTS_AS = 2
"""Images: with so many shots, text and mean count the same."""


@dataclass(frozen=True)
class ClassMeans:
    """Of the classes that a student was trained on."""

    class_names: Mapping[str, str]
    """Class key -> prompt name, in the rows' order."""
    vectors: Tensor
    """(C, D) unit norm."""
    shots: Tensor
    """(C,) images in each."""

    @classmethod
    def of(cls, features: Tensor, labels: Sequence[int], class_names: Mapping[str, str]) -> ClassMeans:
        """From the adapted student's embeddings (N, D) of the shots; every class has one."""
        places = torch.tensor(list(labels), dtype=torch.long)
        means = visual_prototypes(features.cpu(), places, list(class_names))
        return cls(dict(class_names), means, torch.bincount(places, minlength=len(class_names)))

    def added_to(self, texts: Tensor, class_names: Mapping[str, str]) -> Tensor:
        """normalize((1 - w) g_c + w m_c) with w = K_c / (K_c + 2): (C', D) on the device of `texts`.

        Classes that the student was not trained on, or that are called otherwise now, keep their text.

        Args:
            texts: (C', D) the student's texts of these classes, class key -> prompt name.
        """
        place_of = {key: place for place, key in enumerate(self.class_names)}
        known = [
            (row, place_of[key])
            for row, (key, name) in enumerate(class_names.items())
            if key in place_of and self.class_names[key] == name
        ]
        if not known:
            return texts
        rows, places = (torch.tensor(column) for column in zip(*known, strict=True))
        share = (self.shots[places] / (self.shots[places] + _TEXT_COUNTS_AS))[:, None].to(texts.device)
        mixed = texts.clone()
        mixed[rows] = normalize((1 - share) * texts[rows] + share * self.vectors[places].to(texts.device), dim=1)
        return mixed

    def tensors(self) -> dict[str, Tensor]:
        """For an adapter's file."""
        return {"class_means": self.vectors, "class_shots": self.shots}

    @classmethod
    def read(cls, tensors: Mapping[str, Tensor], class_names: Mapping[str, str]) -> ClassMeans | None:
        """What `tensors` wrote; None of an adapter without them, or with tensors of another shape."""
        vectors, shots = tensors.get("class_means"), tensors.get("class_shots")
        if vectors is None or shots is None or (len(vectors), len(shots)) != (len(class_names),) * 2:
            return None
        return cls(dict(class_names), vectors, shots)
