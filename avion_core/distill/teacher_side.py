"""What a run takes from its teacher, kept in the run's folder: a resume and an evaluation see the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from torch import Tensor

from avion_core.backbones.projection import Projection
from avion_core.backbones.towers import Towers
from avion_core.distill.tensor_file import read_tensors, write_tensors
from avion_core.errors import CheckpointError

_NAME = "teacher.safetensors"


class _Facts(BaseModel):
    scale: float
    teacher_hash: str
    student_hash: str
    rank: int | None = None
    held_out_agreement: float | None = None
    unlabelled_ids: list[str] = []


@dataclass(frozen=True)
class TeacherSide:
    """The teacher's half of the distillation, on N training images and C classes, or C different captions."""

    images: Tensor
    """(N, D_T) f_T."""
    prototypes: Tensor
    """(C, D_T) p_c, or the captions' embeddings; both unit norm."""
    scale: float
    """s_T, the factor of the teacher's logits."""
    projection: Projection | None
    """The map fitted to both; None for the options that fit none."""
    teacher_hash: str
    student_hash: str
    """`teacher_hash`, `student_hash`: hashes of the weights that these numbers follow from."""
    agreement: float | None = None
    """Mean cosine between mapped teacher and student embeddings of the validation images, to which the map was not
    fitted; None without a map or without such images, and for runs of earlier versions, which did not measure it."""
    unlabelled: Tensor | None = None
    """(U, D_T) f_T of images without a label; None where none are learnt from."""
    unlabelled_ids: tuple[str, ...] = ()
    """Their U content hashes."""

    @staticmethod
    def is_kept(folder: Path) -> bool:
        """Whether the run in this folder has got so far."""
        return (folder / _NAME).is_file()

    def save(self, folder: Path) -> None:
        """Write it all, or nothing."""
        tensors = {"images": self.images, "prototypes": self.prototypes}
        facts: dict[str, Any] = {"scale": self.scale}
        facts |= {"teacher_hash": self.teacher_hash, "student_hash": self.student_hash}
        if self.unlabelled is not None:
            tensors["unlabelled"] = self.unlabelled
            facts["unlabelled_ids"] = list(self.unlabelled_ids)
        if self.projection is not None:
            tensors["projection"] = self.projection.matrix
            facts |= {"rank": self.projection.rank, "held_out_agreement": self.agreement}
        write_tensors(folder / _NAME, tensors, facts)

    @classmethod
    def load(cls, folder: Path) -> TeacherSide:
        """As `save` left it.

        Raises:
            CheckpointError: the file is missing, damaged or something else.
        """
        tensors, facts = read_tensors(folder / _NAME, "the teacher's part", ("images", "prototypes"), _Facts)
        matrix = tensors.get("projection")
        _check_shapes(tensors, facts, folder / _NAME)
        projection = None if matrix is None else Projection(matrix, facts["rank"])
        hashes = facts["teacher_hash"], facts["student_hash"]
        return cls(
            tensors["images"],
            tensors["prototypes"],
            facts["scale"],
            projection,
            *hashes,
            facts.get("held_out_agreement"),
            tensors.get("unlabelled"),
            tuple(facts.get("unlabelled_ids", ())),
        )

    def demand(self, towers: Towers, role: Literal["teacher", "student"]) -> None:
        """See that these are the weights the run began with.

        Raises:
            CheckpointError: they are others, so that numbers of both would be mixed.
        """
        begun_with = self.teacher_hash if role == "teacher" else self.student_hash
        if towers.weights_hash != begun_with:
            raise CheckpointError(
                f"the weights of the {role} {towers.name} are not those that the run started with",
                f"Install the weights with the hash {begun_with}, or start a new run.",
                value=towers.weights_hash,
            )


def _check_shapes(tensors: Mapping[str, Tensor], facts: Mapping[str, Any], path: Path) -> None:
    """See that images (N, D_T), prototypes (C, D_T) and the map (D_S, D_T) belong together."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    whole = (
        all(len(shape) == 2 for shape in shapes.values())
        and len({shape[-1] for shape in shapes.values()}) == 1
        and len(tensors.get("unlabelled", ())) == len(facts.get("unlabelled_ids", ()))
    )
    if not whole or ("projection" in shapes and facts.get("rank") is None):
        raise CheckpointError(
            f"the tensors of {path.name} do not belong together ({shapes})",
            "Restore the file from a copy of the run's folder, or start a new run.",
            value=str(path),
        )
