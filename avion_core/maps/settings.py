"""What is on a map and how it is arranged: chosen before anything is computed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError

from avion_core.config import Stage
from avion_core.errors import ConfigError

Method = Literal["umap", "tsne"]
Metric = Literal["cosine", "euclidean", "correlation"]
Kind = Literal["image", "description", "prototype"]
Part = Literal["train", "validation", "pool", "unlabelled", "test"]

NEIGHBOURS: dict[Method, int] = {"umap": 15, "tsne": 30}


class MapSettings(Stage):
    method: Method = "umap"
    """UMAP shows groups and what lies between them; t-SNE shows close neighbourhoods best."""
    neighbours: int | None = Field(default=None, ge=2, le=500)
    """How many neighbours each point tries to stay close to (t-SNE calls it perplexity): few show fine structure."""
    min_dist: float = Field(default=0.1, ge=0, le=1)
    """UMAP only: the smallest distance between points; 0 packs groups tightly, 1 spreads them."""
    metric: Metric = "cosine"
    """Distance between two embeddings; cosine is what CLIP was trained with."""
    seed: int = Field(default=0, ge=0, le=100_000)
    """The same seed gives the same map."""
    kinds: tuple[Kind, ...] = ("image", "description", "prototype")
    """What is on the map; prototypes are the class texts that images are compared with."""
    parts: tuple[Part, ...] = ("train", "validation", "unlabelled")
    """Which images: training shots, validation, the other labelled ones (pool), unlabelled, the sealed test set."""
    most_images: int = Field(default=20_000, ge=10, le=1_000_000)
    """If there are more images, this many are drawn with the seed: shots and validation first, then the others."""

    @property
    def neighbourhood(self) -> int:
        """Neighbours, or the method's own default (UMAP 15, t-SNE 30)."""
        return NEIGHBOURS[self.method] if self.neighbours is None else self.neighbours

    @property
    def layout(self) -> dict[str, Any]:
        """The settings that decide where a given set of points is placed."""
        chosen = {"method": self.method, "neighbours": self.neighbourhood, "metric": self.metric, "seed": self.seed}
        return chosen | ({"min_dist": self.min_dist} if self.method == "umap" else {})


def map_settings(**chosen: Any) -> MapSettings:
    """Settings of a map; what is not given has its default.

    Raises:
        ConfigError: an unknown setting, a value out of its range, or nothing to lay out.
    """
    try:
        settings = MapSettings.model_validate(chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        hint = f"{first['msg'].removesuffix('.')}."
        if first["type"] == "extra_forbidden":
            hint = f"Settings are: {', '.join(MapSettings.model_fields)}."
        raise ConfigError(f"the map's {name} cannot be used", hint, value=first["input"]) from None
    if not settings.kinds:
        raise ConfigError("a map needs something to show", "Choose images, descriptions or prototypes.")
    if "image" in settings.kinds and not settings.parts:
        raise ConfigError("no images are chosen for the map", "Choose which images, or leave images out.")
    return settings
