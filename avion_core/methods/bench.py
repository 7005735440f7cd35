"""What every method computes with: the two models of a run, and the place where embeddings are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from avion_core.backbones.frozen_encoders import no_visual_prompts
from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.towers import ImageTower, OpenClipTowers, Towers
from avion_core.config import RunConfig
from avion_core.data.project import ProjectData, class_texts
from avion_core.errors import ConfigError
from avion_core.features.store import FeatureStore, image_features, prepare_images, text_features
from avion_core.progress import Progress

Model = Literal["student", "teacher"]


class Bench:
    """Opens each model once and embeds what is asked for once.

    Args:
        config: names the models, and the template of class texts.
        features: where embeddings are kept between runs. weights: where checkpoints are found.
        progress: called during long parts (embedding).
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        features: FeatureStore,
        weights: WeightStore,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> None:
        self.config, self.features, self.weights = config, features, weights
        self.device, self.progress = device, progress
        self._opened: dict[Model, Towers] = {}

    def towers(self, model: Model) -> Towers:
        """The run's student backbone or its teacher, as it comes."""
        if model not in self._opened:
            name = self.config.student if model == "student" else self.config.teacher
            self._opened[model] = load_towers(name, self.weights, device=self.device)
        return self._opened[model]

    def backbone(self) -> OpenClipTowers:
        """The student's backbone, which takes prompts.

        Raises:
            ConfigError: this model takes none.
        """
        towers = self.towers("student")
        if not isinstance(towers, OpenClipTowers):
            hint = "Choose a CLIP model from open_clip, such as demo-student."
            raise ConfigError("this model cannot be a student", hint, value=self.config.student)
        return towers

    def refuse_prompts(self, image_tokens: int) -> None:
        """See that the student takes as many visual prompts as a method has, before anything is opened.

        Raises:
            ConfigError: its image tower is convolutional and takes none.
        """
        entry = self.weights.catalog.known(self.config.student)
        if image_tokens and entry and not entry.visual_prompts:
            raise no_visual_prompts(entry.name)

    def close(self, model: Model) -> None:
        """Let a model go, for the room it takes; it is opened again when it is asked for."""
        self._opened.pop(model, None)

    def see(self, towers: ImageTower, project: ProjectData, image_ids: Sequence[str]) -> Tensor:
        """Embeddings of a project's images: (N, D) of unit norm, in the order given."""
        images = project.images(list(image_ids))
        return image_features(towers, images, self.features, recipe=project.recipe, progress=self.progress)

    def pixels(self, project: ProjectData, image_ids: Sequence[str]) -> Tensor:
        """A project's images as the student reads them, on the device: (N, 3, S, S) uint8."""
        images = project.images(list(image_ids))
        return prepare_images(self.backbone(), images, recipe=project.recipe, progress=self.progress).to(self.device)

    def read(self, towers: Towers, texts: Sequence[str]) -> Tensor:
        """Embeddings of texts: (M, D) of unit norm, in the order given."""
        return text_features(towers, texts, self.features, self.progress)

    def read_classes(self, towers: Towers, project: ProjectData, classes: Sequence[str]) -> Tensor:
        """Embeddings of the classes' sentences by the run's template: (C, D) of unit norm."""
        return self.read(towers, class_texts(project.class_names, list(classes), self.config.model.template))
