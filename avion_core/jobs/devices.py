"""Where a run computes, and how it is made to compute the same twice."""

from __future__ import annotations

import os
from typing import Literal

import psutil

Lane = Literal["cpu", "gpu"]
LANES: tuple[Lane, ...] = ("cpu", "gpu")

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
EXACT = {CUBLAS: ":4096:8"}
"""Environment of a training process; what a person has set there wins (empty: faster, and not exact on a GPU)."""


def device_name(wanted: str) -> str:
    """The device that a setting (`RunConfig.device`) means on this machine: the GPU's name, or "CPU"."""
    import torch

    return torch.cuda.get_device_name() if wanted != "cpu" and torch.cuda.is_available() else "CPU"


def lane_of(device: str | None) -> Lane:
    """Which lane of the queue a job on this device stands in."""
    return "cpu" if device in (None, "CPU") else "gpu"


def torch_device(wanted: str) -> str:
    """The same for PyTorch: "cuda" where there is a GPU and the setting does not refuse it, else "cpu"."""
    import torch

    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def be_exact(device: str) -> None:
    """On a GPU, have PyTorch choose kernels that add up in a fixed order (docs/determinism.md).

    Does nothing where the process began without its share of that in the environment (`EXACT`): cuBLAS reads it once.
    """
    if lane_of(device) == "gpu" and os.environ.get(CUBLAS):
        import torch

        torch.use_deterministic_algorithms(True)


def bytes_held(device: str) -> int:
    """Memory of this process: the most so far on its GPU, else in the machine now."""
    if lane_of(device) == "gpu":
        import torch

        return torch.cuda.max_memory_allocated()
    return psutil.Process().memory_info().rss
