"""What a run leaves behind: the adapter (what a user keeps) and the training state (what a resume needs).

The adapter is about 0.4 MB for ViT-B/32: prompts and scale, with everything needed to know what it is and to refuse a
wrong backbone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from torch import Tensor

from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import StudentConfig
from avion_core.distill.class_means import ClassMeans
from avion_core.distill.loop import TrainingState
from avion_core.distill.tensor_file import read_tensors, write_tensors
from avion_core.errors import CheckpointError
from avion_core.reading import whole_number

_PROMPTS = ("visual_prompts", "text_prompts", "logit_scale")


class _Settings(BaseModel):
    model: StudentConfig


class _AdapterFacts(BaseModel):
    """What an adapter must say of itself."""

    backbone: str
    backbone_hash: str
    template: str
    class_names: dict[str, str]
    config: _Settings


class _Progress(BaseModel):
    """How far a training is, and the optimizer's settings by group."""

    step: int = Field(ge=0)
    accuracy: float | None
    best_accuracy: float
    best_step: int = Field(ge=0)
    groups: list[dict[str, Any]]
    tensors: int | None = None
    """How many there are; states of earlier versions do not say."""


class _StateFacts(BaseModel):
    progress: _Progress


def save_adapter(path: Path, learned: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write prompts, scale and, where there is one, the map.

    Args:
        learned: tensors as Trainer.learned gives them.
        facts: must hold `backbone`, `backbone_hash`, `template`, `class_names` and `config`; more may join them.
    """
    write_tensors(path, learned, facts)


def load_adapter(path: Path, backbone: OpenClipTowers) -> tuple[PromptedStudent, dict[str, Any]]:
    """The trained student on its backbone, and the facts it was saved with.

    The student reads any class names: the saved ones are only what it was trained on.

    Raises:
        CheckpointError: not an adapter, or made on another backbone.
    """
    tensors, facts = read_tensors(path, "an AVION adapter", _PROMPTS, _AdapterFacts)
    if facts["backbone_hash"] != backbone.weights_hash:
        raise CheckpointError(
            f"the adapter {path.name} was trained on other weights than {backbone.name}",
            f"Load it on {facts['backbone']} with weights hash {facts['backbone_hash']}.",
            value=backbone.weights_hash,
        )
    student = PromptedStudent(backbone, StudentConfig.model_validate(facts["config"]["model"]))
    prompts = {name: tensors[name] for name in _PROMPTS}
    for name, tensor in student.state_dict().items():
        if tensor.shape != prompts[name].shape:
            raise CheckpointError(
                f"{name} of the adapter {path.name} has the wrong shape for {backbone.name}",
                f"This backbone takes {tuple(tensor.shape)}; choose the backbone that the adapter was trained on.",
                value=tuple(prompts[name].shape),
            )
    student.load_state_dict(prompts)
    return student.eval(), facts


def load_class_means(path: Path) -> ClassMeans | None:
    """What an adapter keeps of its shots for its class vectors; None where its run's settings did not ask for it.

    Raises:
        CheckpointError: not an adapter.
    """
    tensors, facts = read_tensors(path, "an AVION adapter", _PROMPTS, _AdapterFacts)
    return ClassMeans.read(tensors, facts["class_names"])


def save_state(path: Path, state: TrainingState, facts: dict[str, Any]) -> None:
    """Write a training state; it replaces the older one in a single step, so a crash leaves one or the other."""
    tensors = {f"learned.{name}": tensor for name, tensor in state.learned.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in state.best.items()}
    for index, slots in state.optimizer["state"].items():
        # Momentum that has not begun is None.
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in slots.items() if tensor is not None}
    tensors["random"] = state.random
    groups = state.optimizer["param_groups"]
    progress = {
        "step": state.step,
        "accuracy": state.accuracy,
        "best_accuracy": state.best_accuracy,
        "best_step": state.best_step,
        "seconds": state.seconds,
        "groups": groups,
        "tensors": len(tensors),
    }
    write_tensors(path, tensors, facts | {"progress": progress})


def load_state(path: Path) -> tuple[TrainingState, dict[str, Any]]:
    """The training state and the facts that it was saved with.

    Raises:
        CheckpointError: the file is damaged or something else.
    """
    tensors, facts = read_tensors(path, "a training state", ("random",), _StateFacts)
    progress = facts["progress"]
    if progress.get("tensors", len(tensors)) != len(tensors):
        hint = "Restore it from a copy of the run's folder, or start a new run."
        raise CheckpointError(f"tensors are missing in {path.name}", hint, value=str(path))
    slots: dict[int, dict[str, Tensor]] = {}
    parts: dict[str, dict[str, Tensor]] = {"learned": {}, "best": {}}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            index, _, slot = rest.partition(".")
            number = whole_number(index)
            if number is None:
                hint = "Restore it from a copy of the run's folder, or start a new run."
                raise CheckpointError(f"a tensor of {path.name} has a name that no training gives", hint, value=name)
            slots.setdefault(number, {})[slot] = tensor
        elif kind in parts:
            parts[kind][rest] = tensor
    optimizer = {"state": slots, "param_groups": progress["groups"]}
    state = TrainingState(
        step=progress["step"],
        learned=parts["learned"],
        optimizer=optimizer,
        random=tensors["random"],
        accuracy=progress["accuracy"],
        best_accuracy=progress["best_accuracy"],
        best_step=progress["best_step"],
        best=parts["best"],
        source=str(path),
        seconds=progress.get("seconds", 0.0),  # a run of an earlier version did not count them
    )
    return state, facts
