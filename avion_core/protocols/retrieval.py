"""Retrieval: train on images with captions, measure how well each finds the other (docs/method.md section 7).

With other projects it is trained on the captions of all of them together, and measured on each. An image that one of
them holds out teaches in none, as far as its content tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from avion_core.config import RunConfig
from avion_core.data.captioned import Captioned, captioned_part
from avion_core.data.project import LabelledImages, ProjectData
from avion_core.errors import ConfigError
from avion_core.protocols.protocol import Part, Protocol

OWN = "captions"


class CaptionPart(Part):
    """Images with captions, which are to find each other; it has no classes."""

    def captioned(self, config: RunConfig, split: str) -> Captioned:
        """Images of "validation" or "test" with their captions."""
        return captioned_part(self.project, split, config.data.seed)

    def images(self, config: RunConfig, split: str) -> LabelledImages:
        found = self.captioned(config, split).image_ids
        return LabelledImages(found, [0] * len(found))


class Retrieval(Protocol):
    name = "retrieval"
    title = "Retrieval"
    what = "Trains on images with captions; measures how well images and captions find each other."
    paper_epochs = 50
    spans_projects = True
    needs_projects = False
    by_captions = True

    def parts(self, project: ProjectData, others: Sequence[ProjectData], config: RunConfig) -> list[Part]:
        own = CaptionPart(OWN, project.name if others else "", project, [], trained=True, metric="mr")
        return [own, *(CaptionPart(o.name, o.name, o, [], trained=True, metric="mr") for o in others)]

    def check(self, config: RunConfig) -> None:
        super().check(config)
        for key, value, usual in (
            ("model.class_mean", config.model.class_mean, "none"),
            ("distillation.teacher_logits", config.distillation.teacher_logits, "texts"),
            ("distillation.unlabelled_images", config.distillation.unlabelled_images, 0),
        ):
            if value != usual:
                hint = f"Set {key} to {usual}."
                raise ConfigError(
                    f"the setting {key} is for training on classes, and retrieval trains on captions", hint, value=value
                )
