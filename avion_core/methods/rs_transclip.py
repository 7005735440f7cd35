"""RS-TransCLIP: zero-shot that looks at all images of the question together (El Khoury et al., ICASSP 2025,
arXiv 2409.00698; the solver is TransCLIP's, Zanella et al., NeurIPS 2024, arXiv 2406.01837, sections 3.1 and 3.2).

Transductive: what it says of an image depends on the others it is asked about, so it is not to be compared with methods
that see one image at a time, and its rows say so. Classes are Gaussians with a common diagonal variance in the space of
embeddings; each image's answer z_i balances its zero-shot answer, the Gaussians, and its nearest images' answers:

    z_i ~ zero_shot_i exp( log p_i / 50 + (1 / 2 k) sum_j (w_ij + w_ji) z_j )

in turn with the Gaussians' means and variance (equations 6 to 8). No label is used. With a single image, or with
neither Gaussians nor neighbours, it is zero-shot.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.data.project import ProjectData
from avion_core.methods.frozen import FrozenSettings
from avion_core.methods.zero_shot_ensemble import ZeroShotEnsemble

CONFIDENT = 8
"""Images that a class's mean starts from."""
INNER = 5
"""Times that answers are passed on between two updates of the Gaussians."""
AT_ONCE = 1024
"""Images whose distances to the others are computed together."""


class RsTransclipSettings(FrozenSettings):
    neighbours: int = Field(default=3, ge=0, le=100)
    """Nearest images whose answers count."""
    gaussians: float = Field(default=0.02, ge=0, le=100)
    """How much the classes' Gaussians count."""
    iterations: int = Field(default=10, ge=0, le=1000)
    """Updates of the Gaussians."""


class RsTransclip(ZeroShotEnsemble):
    """The zero-shot ensemble, its answers made to agree with one another."""

    name = "rs_transclip"
    title = "RS-TransCLIP"
    what = "Zero-shot answers that the images asked about refine together; no labels, no training."
    source = "El Khoury et al., ICASSP 2025, arXiv 2409.00698"
    transductive = True
    Settings = RsTransclipSettings
    settings: RsTransclipSettings
    beside = ()

    def logits(self, project: ProjectData, image_ids: Sequence[str], classes: Sequence[str]) -> Tensor:
        """log z: (N, C), from all of these images together."""
        own, features = self.settings, self.bench.see(self.towers, project, image_ids).cpu()
        zero_shot = super().logits(project, image_ids, classes).log_softmax(1)
        return refined(features, zero_shot, own.neighbours, own.gaussians, own.iterations)


def refined(features: Tensor, zero_shot: Tensor, neighbours: int, gaussians: float, iterations: int) -> Tensor:
    """log z of N images: (N, C).

    Args:
        features: (N, D) of unit norm. zero_shot: (N, C), log-probabilities.
        neighbours: k. gaussians: what log p is multiplied by. iterations: updates of means and variance.
    """
    # A small variance divides differences of numbers that are nearly the same: float64 keeps them apart.
    features, zero_shot = features.double(), zero_shot.double()
    count, dim = features.shape
    z = zero_shot.exp()
    near = affinity(features, min(neighbours, count - 1))
    # Each class's mean starts from the images that zero-shot is surest of.
    sure = z.topk(min(CONFIDENT, count), dim=0)
    starts = torch.einsum("kc,kcd->cd", sure.values, features[sure.indices])
    means, variance = normalize(starts, dim=1), torch.full((dim,), 1 / dim, dtype=torch.float64)
    log_z = zero_shot
    for turn in range(iterations + 1):
        log_p = log_likelihood(features, means, variance)  # (N, C)
        for _ in range(INNER):
            passed = (near @ z + near.T @ z) / (2 * neighbours) if neighbours else 0.0
            log_z = (zero_shot + gaussians * log_p + passed).log_softmax(1)
            z = log_z.exp()
        if turn < iterations:
            share = z.sum(0).clamp_min(torch.finfo(z.dtype).tiny)  # (C,)
            means = normalize(z.T @ features / share[:, None], dim=1)
            # sum_ic z_ic (f_i - m_c)^2, written out so that no (N, C, D) is made; rows of z sum to 1.
            square = features.square().sum(0) - 2 * (means * (z.T @ features)).sum(0) + share @ means.square()
            variance = (square / count).clamp_min(1e-8)
    return log_z.float()


def affinity(features: Tensor, neighbours: int) -> Tensor:
    """Sparse (N, N): the cosine of each image with its nearest others, 0 elsewhere."""
    count = len(features)
    rows: list[Tensor] = []
    columns: list[Tensor] = []
    values: list[Tensor] = []
    for places in torch.arange(count).split(AT_ONCE):
        cosines = features[places] @ features.T
        cosines[torch.arange(len(places)), places] = -torch.inf
        best = cosines.topk(neighbours, dim=1)
        rows.append(places[:, None].expand(-1, neighbours).flatten())
        columns.append(best.indices.flatten())
        values.append(best.values.flatten())
    where = torch.stack([torch.cat(rows), torch.cat(columns)])
    return torch.sparse_coo_tensor(where, torch.cat(values), (count, count), check_invariants=False).coalesce()


def log_likelihood(features: Tensor, means: Tensor, variance: Tensor) -> Tensor:
    """(N, C): -1/2 sum_d (f_d - m_cd)^2 / variance_d."""
    scaled = features / variance
    square = (features * scaled).sum(1)[:, None] - 2 * scaled @ means.T + (means.square() / variance).sum(1)
    return -0.5 * square
