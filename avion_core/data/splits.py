"""Few-shot splits (docs/method.md section 7): frozen as image ids; `drawing.make_splits` draws them.

What people do afterwards. A drawn image never changes its part: relabelled, or its class merged or divided, it is
looked for under its new class in the part it was drawn into. Images labelled later join the end of the training list
in the order of labelling, unless their group is held out (`Splits.relabelled`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from avion_core.errors import ConfigError, DataError
from avion_core.reading import MOST_COUNT, Subject, fitted, parse_json

VALIDATION_IMAGES = 4
"""Most validation images per class: a K-shot run selects on min(K, 4), never on more labels than it trains on."""

ClassImages = dict[str, tuple[str, ...]]

KeepTogether = Literal["series", "place", "features"]
"""What tells neighbouring images, beside groups and near-copies: their files' names, where they were taken, or nearness
in the teacher's features (docs/method.md section 7)."""

_FILE = Subject("the frozen split", hint="Restore the file, or draw the split again.")


class _Kept(BaseModel):
    """A split as JSON has it."""

    test: tuple[str, ...]
    validation: dict[int, ClassImages]
    train: dict[int, ClassImages]
    max_shots: Annotated[int, Field(ge=1, le=MOST_COUNT)]
    notes: tuple[str, ...]
    together: KeepTogether | None = None


@dataclass(frozen=True)
class Splits:
    """A frozen split, in image ids.

    Raises:
        DataError: the parts are not disjoint.
    """

    test: tuple[str, ...]
    """The one sealed test set of all shots and seeds."""
    validation: dict[int, ClassImages]
    """Seed -> class key -> ordered ids, at most VALIDATION_IMAGES."""
    train: dict[int, ClassImages]
    """Seed -> class key -> ordered ids; the K-shot set is the first K. Merged and later labelled images can make a list
    longer than `max_shots`."""
    max_shots: int = 16
    """The most shots that a run may take."""
    notes: tuple[str, ...] = ()
    """One sentence for each class that has fewer images than were wanted."""
    together: KeepTogether | None = None
    """What told the neighbours that this draw keeps on one side; None for groups and near-copies alone, and in splits
    of before it could be said."""

    def __post_init__(self) -> None:
        for seed in self.train:
            parts = Counter(self.test)
            for part in (self.validation, self.train):
                parts.update(image for images in part.get(seed, {}).values() for image in images)
            shared = [image for image, count in parts.items() if count > 1]
            if shared:
                raise DataError(
                    f"an image is in more than one part of the split of seed {seed}",
                    "Test, validation and training images must be different; draw the split again.",
                    value=shared[0],
                )

    @property
    def drawn(self) -> bool:
        """Whether there is a test set."""
        return bool(self.test)

    def relabelled(
        self, labels: Mapping[str, str], given: Sequence[str], groups: Mapping[str, str], class_keys: Iterable[str]
    ) -> Splits:
        """The same draw under other labels: no image changes its part, and one without a label teaches nothing.

        A test image whose label was taken off stays in the test set: an image once sealed is shown to nobody who
        labels or curates. Nothing is measured on it until it has a label again.

        Args:
            labels: image id -> class key as it stands now, "" for none.
            given: images that people labelled, in the order of labelling; those that were not drawn join the
                training lists at the end, except where an image of their group is in the test set or in that
                seed's validation set: neighbours leak.
            groups: image id -> group, "" for none.
            class_keys: the classes as they stand now; one without images has empty lists.
        """
        keys = sorted(class_keys)
        tested = {groups.get(image, "") for image in self.test}
        validation: dict[int, ClassImages] = {}
        train: dict[int, ClassImages] = {}
        for seed, drawn in self.train.items():
            held_out = self.validation[seed]
            validation[seed] = _under_labels(held_out, labels, keys)
            known = {*self.test, *_flat(held_out), *_flat(drawn)}
            near_held_out = (tested | {groups.get(image, "") for image in _flat(held_out)}) - {""}
            later = [image for image in given if image not in known and groups.get(image, "") not in near_held_out]
            train[seed] = _under_labels(drawn, labels, keys, later)
        notes = notes_on_few(validation, train, self.max_shots) if self.drawn and keys else self.notes
        return replace(self, validation=validation, train=train, notes=notes)

    def shots(self, seed: int, k: int) -> dict[str, list[str]]:
        """The K-shot training set: for each class its first k images (fewer where the class has fewer).

        Raises:
            ConfigError: a seed that was not drawn, or more shots than were.
        """
        if not 1 <= k <= self.max_shots:
            raise ConfigError("there is no such shot count", f"Choose 1 to {self.max_shots} shots per class.", value=k)
        return {key: list(images[:k]) for key, images in self._of(self.train, seed).items()}

    def pictures(self, seed: int, k: int) -> dict[str, list[str]]:
        """Images to send to a language model: for each class its first k training images that no seed validates on.

        Raises:
            ConfigError: a seed that was not drawn.
        """
        held_out = {image for drawn in self.validation.values() for images in drawn.values() for image in images}
        return {
            key: [image for image in images[: self.max_shots] if image not in held_out][:k]
            for key, images in self._of(self.train, seed).items()
        }

    def validation_images(self, seed: int, k: int) -> dict[str, list[str]]:
        """The validation set of a K-shot run: for each class its first min(k, 4) images."""
        return {
            key: list(images[: min(k, VALIDATION_IMAGES)]) for key, images in self._of(self.validation, seed).items()
        }

    def _of(self, part: dict[int, ClassImages], seed: int) -> ClassImages:
        if seed not in part:
            seeds = ", ".join(map(str, sorted(part)))
            raise ConfigError("there is no such seed", f"Choose one of: {seeds}.", value=seed)
        return part[seed]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Splits:
        """Read what `to_json` wrote.

        Raises:
            DataError: not JSON, not of this form, or parts that overlap.
        """
        kept = fitted(_Kept, parse_json(text, _FILE, value=text[:80]), _FILE)
        if kept.train.keys() != kept.validation.keys() or not kept.train:
            raise _FILE.refused("does not hold training and validation images of the same seeds", value=text[:80])
        return cls(kept.test, kept.validation, kept.train, kept.max_shots, kept.notes, kept.together)


def undrawn(*, seeds: Sequence[int] = (1, 2, 3), max_shots: int = 16, together: KeepTogether | None = None) -> Splits:
    """The splits of a project that has too few labels for a draw: nothing is held out."""
    note = "There are no validation and test images yet: label two or more images of each class, then draw them."
    return Splits((), {seed: {} for seed in seeds}, {seed: {} for seed in seeds}, max_shots, (note,), together)


def base_and_novel(
    class_keys: Iterable[str], policy: Literal["first_half", "seeded_random"], seed: int
) -> tuple[list[str], list[str]]:
    """Base and novel classes, each sorted by key; base has ceil(C / 2).

    `first_half`: the first half by key, the literature's habit, whatever the seed. `seeded_random`: a draw by
    hash of (seed, key), so that it does not depend on the order of the classes.

    Raises:
        DataError: fewer than two classes, a class twice, or an unknown policy.
    """
    keys = sorted(class_keys)
    if len(keys) < 2 or len(set(keys)) < len(keys):
        raise DataError("base and novel need two or more different classes", "Label more classes.", value=keys)
    half = (len(keys) + 1) // 2
    if policy == "first_half":
        return keys[:half], keys[half:]
    if policy == "seeded_random":
        drawn = sorted(keys, key=lambda key: draw_rank("base", seed, key))
        return sorted(drawn[:half]), sorted(drawn[half:])
    raise DataError("there is no such policy for novel classes", "Choose first_half or seeded_random.", value=policy)


def draw_rank(*parts: str | int) -> str:
    """What units, classes and images are ordered by: a hash that depends on nothing else."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _flat(part: ClassImages) -> Iterable[str]:
    return (image for images in part.values() for image in images)


def _under_labels(
    part: ClassImages, labels: Mapping[str, str], keys: Sequence[str], later: Sequence[str] = ()
) -> ClassImages:
    """Images by their present class: the drawn ones by rank, so that merged classes take turns, then later ones."""
    ranked = sorted((rank, key, image) for key, images in part.items() for rank, image in enumerate(images))
    by_class: dict[str, list[str]] = {key: [] for key in keys}
    for image in [*(image for _, _, image in ranked), *later]:
        if key := labels.get(image):
            by_class[key].append(image)
    return {key: tuple(images) for key, images in by_class.items()}


def notes_on_few(validation: dict[int, ClassImages], train: dict[int, ClassImages], max_shots: int) -> tuple[str, ...]:
    """A sentence for each class that has fewer images than were wanted."""
    notes = []
    for key in next(iter(train.values())):
        shots, held_out = (min(len(of_seed[key]) for of_seed in part.values()) for part in (train, validation))
        if shots < max_shots or held_out < VALIDATION_IMAGES:
            notes.append(
                f"{key} has {shots} training images ({max_shots} wanted) and {held_out} validation images "
                f"({VALIDATION_IMAGES} wanted); runs with more shots use all that there are."
            )
    return tuple(notes)
