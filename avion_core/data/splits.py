"""Few-shot splits (docs/method.md section 7): made once, independent of order, frozen as image ids.

How a draw is made. Images of one group (a mosaic, flight, date) are one unit, an image without a group is
its own. Units are ranked by a hash of (data set, purpose, seed, unit): nothing depends on file order, file
names or class names. First the test set is drawn, once for all shots and seeds; then, for each seed,
validation and an ordered list of training images per class, of which the K-shot set is the first K.

Classes with few labels. A class needs two labelled images of different groups. Outside the test set a
class gives a fifth of its images to validation, at most 4 and at least 1 where it has two, and the rest,
at most `max_shots`, to training; a K-shot run takes what there is, and `Splits.notes` says so. Where no draw can be
made yet, `undrawn` stands for it: no test and no validation images, and every label teaches.

What people do afterwards. A drawn image never changes its part: relabelled, or its class merged or divided, it is
looked for under its new class in the part it was drawn into. Images labelled later join the end of the training list
in the order of labelling, unless their group is held out (`Splits.relabelled`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import fsum
from typing import Literal

import pandas as pd

from avion_core.errors import ConfigError, DataError

VALIDATION_IMAGES = 4
"""Most validation images per class: a K-shot run selects on min(K, 4), never on more labels than it trains on."""

ClassImages = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Splits:
    """A frozen split, in image ids.

    Attributes:
        test: the one sealed test set of all shots and seeds.
        validation: seed -> class key -> ordered ids, at most VALIDATION_IMAGES.
        train: seed -> class key -> ordered ids; the K-shot set is the first K. Merged and later labelled
            images can make a list longer than `max_shots`.
        max_shots: the most shots that a run may take.
        notes: one sentence for each class that has fewer images than were wanted.

    Raises:
        DataError: the parts are not disjoint.
    """

    test: tuple[str, ...]
    validation: dict[int, ClassImages]
    train: dict[int, ClassImages]
    max_shots: int = 16
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for seed in self.train:
            parts = Counter(self.test)
            for part in (self.validation, self.train):
                parts.update(image for images in part.get(seed, {}).values() for image in images)
            shared = [image for image, count in parts.items() if count > 1]
            if shared:
                raise DataError(
                    f"an image is in more than one part of the split of seed {seed}",
                    "Test, validation and training images must be different; make the split anew.",
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
        notes = _notes(validation, train, self.max_shots) if self.drawn and keys else self.notes
        return Splits(self.test, validation, train, self.max_shots, notes)

    def shots(self, seed: int, k: int) -> dict[str, list[str]]:
        """The K-shot training set: for each class its first k images (fewer where the class has fewer).

        Raises:
            ConfigError: a seed that was not drawn, or more shots than were.
        """
        if not 1 <= k <= self.max_shots:
            raise ConfigError("there is no such shot count", f"Choose 1 to {self.max_shots} shots per class.", value=k)
        return {key: list(images[:k]) for key, images in self._of(self.train, seed).items()}

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
        try:
            raw = json.loads(text)
            validation, train = (
                {
                    int(seed): {key: tuple(map(str, images)) for key, images in classes.items()}
                    for seed, classes in raw[part].items()
                }
                for part in ("validation", "train")
            )
            return cls(tuple(raw["test"]), validation, train, int(raw["max_shots"]), tuple(raw["notes"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                "the frozen split cannot be read", "Restore the file, or make the split anew.", value=text[:80]
            ) from error


@dataclass
class _Unit:
    """Images that stay together: those of a group, or a single one."""

    name: str
    images: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # class key -> image ids
    split: str = ""


def data_set_key(manifest: pd.DataFrame) -> str:
    """What a data set is in its draws: its images. Two projects over one folder thus seal the same test images.

    Args:
        manifest: column image_id, rows in any order. Empty, it has no key: "".
    """
    return _rank(*sorted(manifest["image_id"])) if len(manifest) else ""


def make_splits(
    manifest: pd.DataFrame,
    *,
    dataset: str,
    seeds: Sequence[int] = (1, 2, 3),
    test_share: float = 0.5,
    max_shots: int = 16,
) -> Splits:
    """Draw the splits of a manifest's labelled images; rows in any order give the same splits.

    A filled `split` column is kept: marked test images are the test set, marked validation images the
    validation set of every seed, and an unmarked image goes where its group is marked.

    Args:
        manifest: columns image_id, label, group, split (see scan.py); rows without a label are left out.
        dataset: the data set's key (see `data_set_key`), part of every draw.
        test_share: share of each class's images in the test set, as near as its groups allow.

    Raises:
        DataError: no labels, a class that cannot be divided, a group on both sides of a fixed split, or
            arguments out of range.
    """
    _check_arguments(seeds, test_share, max_shots)
    if manifest.empty:
        raise DataError(
            "there is no usable image",
            "See what the scan reports: damaged files, or rasters that need a rendering recipe.",
            value=dataset,
        )
    labelled = manifest.loc[manifest["label"] != ""]
    if labelled.empty:
        raise DataError(
            "no image has a label", "Put images into class folders, or give a file of labels.", value=dataset
        )
    units = _units(labelled)
    totals = Counter(labelled["label"])
    _check_classes(totals, units)

    test = [unit for unit in units if unit.split == "test"] or _draw_test(units, totals, dataset, test_share)
    tested = {unit.name for unit in test}
    pool = [unit for unit in units if unit.name not in tested]
    for part, name in ((test, "test"), (pool, "training")):
        if missing := totals.keys() - {key for unit in part for key in unit.images}:
            raise DataError(
                f"a class has no {name} image",
                "Mark some of its images, give finer groups, or leave the column split empty.",
                value=min(missing),
            )

    validation: dict[int, ClassImages] = {}
    train: dict[int, ClassImages] = {}
    for seed in sorted(seeds):
        held_out = [unit for unit in pool if unit.split == "validation"] or _draw_validation(pool, dataset, seed)
        names = {unit.name for unit in held_out}
        taught = [unit for unit in pool if unit.name not in names]
        validation[seed] = _ordered_images(held_out, totals, VALIDATION_IMAGES, dataset, seed)
        train[seed] = _ordered_images(taught, totals, max_shots, dataset, seed)
        if empty := [key for key, images in train[seed].items() if not images]:
            raise DataError(
                "a class has no training image",
                "Mark some of its images as train, or leave the column split empty.",
                value=empty[0],
            )
    test_ids = tuple(sorted(image for unit in test for images in unit.images.values() for image in images))
    return Splits(test_ids, validation, train, max_shots, _notes(validation, train, max_shots))


def undrawn(*, seeds: Sequence[int] = (1, 2, 3), max_shots: int = 16) -> Splits:
    """The splits of a project that has too few labels for a draw: nothing is held out."""
    note = "There are no validation and test images yet: label two or more images of each class, then draw them."
    return Splits((), {seed: {} for seed in seeds}, {seed: {} for seed in seeds}, max_shots, (note,))


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
        drawn = sorted(keys, key=lambda key: _rank("base", seed, key))
        return sorted(drawn[:half]), sorted(drawn[half:])
    raise DataError("there is no such policy for novel classes", "Choose first_half or seeded_random.", value=policy)


def _rank(*parts: str | int) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _units(labelled: pd.DataFrame) -> list[_Unit]:
    units: dict[str, _Unit] = {}
    columns = labelled[["image_id", "label", "group", "split"]].itertuples(index=False)
    for image_id, label, group, split in columns:
        name = f"group {group}" if group else image_id
        unit = units.setdefault(name, _Unit(name))
        unit.images[label].append(image_id)
        if split and unit.split not in ("", split):
            raise DataError(
                f"images of one group are marked both {unit.split} and {split}",
                "Neighbouring images leak: give the whole group one split, or correct its groups.",
                value=group,
            )
        unit.split = unit.split or split
    return list(units.values())


def _check_arguments(seeds: Sequence[int], test_share: float, max_shots: int) -> None:
    if not seeds or len(set(seeds)) < len(seeds):
        raise DataError("the seeds cannot be used", "Give one or more different whole numbers.", value=list(seeds))
    if not 0 < test_share < 1:
        raise DataError("the test share is out of range", "Give a number between 0 and 1.", value=test_share)
    if max_shots < 1:
        raise DataError("the shot count is out of range", "Give 1 or more.", value=max_shots)


def _check_classes(totals: Counter[str], units: list[_Unit]) -> None:
    repeated = [image for image, count in Counter(_image_ids(units)).items() if count > 1]
    if repeated:
        raise DataError("an image is in the manifest twice", "Keep one row for each content.", value=repeated[0])
    if few := sorted(key for key, count in totals.items() if count < 2):
        raise DataError(
            "a class has fewer than 2 labelled images",
            "Label more of its images (one is for training, one for the test), or leave the class out.",
            value=", ".join(few),
        )
    groups = Counter(key for unit in units for key in unit.images)
    if single := sorted(key for key, count in groups.items() if count < 2):
        raise DataError(
            "all labelled images of a class are in one group",
            "A group cannot be in training and test at once: give finer groups, or leave the group column empty.",
            value=", ".join(single),
        )


def _image_ids(units: Iterable[_Unit]) -> Iterable[str]:
    return (image for unit in units for images in unit.images.values() for image in images)


def _size(unit: _Unit) -> int:
    return sum(map(len, unit.images.values()))


def _draw_test(units: list[_Unit], totals: Counter[str], dataset: str, share: float) -> list[_Unit]:
    """Units in rank order, each taken if it brings its classes nearer to their share of test images.

    A class keeps at least one unit outside; while one has no test image yet, the smallest unit that helps is taken.
    """
    candidates = sorted((unit for unit in units if not unit.split), key=lambda u: _rank(dataset, "test", u.name))
    left = Counter(key for unit in units for key in unit.images)  # units outside the test set, per class
    have: Counter[str] = Counter()
    taken: dict[str, _Unit] = {}

    def take(unit: _Unit) -> None:
        taken[unit.name] = unit
        for key, images in unit.images.items():
            have[key] += len(images)
            left[key] -= 1

    def spare(unit: _Unit) -> bool:
        return unit.name not in taken and all(left[key] > 1 for key in unit.images)

    for unit in candidates:
        # What the squared distances to the shares would fall by; fsum, since its result knows no order of classes.
        gain = fsum(
            len(images) * (2 * (share * totals[key] - have[key]) - len(images)) for key, images in unit.images.items()
        )
        if gain > 0 and spare(unit):
            take(unit)
    while lacking := {key for key in totals if not have[key]}:
        suited = [unit for unit in candidates if lacking & unit.images.keys() and spare(unit)]
        if not suited:
            break
        take(min(suited, key=_size))
    return list(taken.values())


def _draw_validation(pool: list[_Unit], dataset: str, seed: int) -> list[_Unit]:
    """The smallest units first, so that training loses few images to large groups; then by rank."""
    totals: Counter[str] = Counter()
    left = Counter(key for unit in pool for key in unit.images)
    for unit in pool:
        totals.update({key: len(images) for key, images in unit.images.items()})
    missing = Counter({key: min(VALIDATION_IMAGES, max(n // 5, n >= 2)) for key, n in totals.items()})
    taken = []
    order = sorted(pool, key=lambda unit: (_size(unit), _rank(dataset, "validation", seed, unit.name)))
    for unit in order:
        if any(missing[key] > 0 for key in unit.images) and all(left[key] > 1 for key in unit.images):
            taken.append(unit)
            for key, images in unit.images.items():
                missing[key] -= len(images)
                left[key] -= 1
    return taken


def _ordered_images(units: list[_Unit], keys: Iterable[str], most: int, dataset: str, seed: int) -> ClassImages:
    images: dict[str, list[str]] = {key: [] for key in sorted(keys)}
    for unit in units:
        for key, ids in unit.images.items():
            images[key] += ids
    return {
        key: tuple(sorted(ids, key=lambda image: _rank(dataset, "order", seed, image))[:most])
        for key, ids in images.items()
    }


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


def _notes(validation: dict[int, ClassImages], train: dict[int, ClassImages], max_shots: int) -> tuple[str, ...]:
    notes = []
    for key in next(iter(train.values())):
        shots, held_out = (min(len(of_seed[key]) for of_seed in part.values()) for part in (train, validation))
        if shots < max_shots or held_out < VALIDATION_IMAGES:
            notes.append(
                f"{key} has {shots} training images ({max_shots} wanted) and {held_out} validation images "
                f"({VALIDATION_IMAGES} wanted); runs with more shots take what there is."
            )
    return tuple(notes)
