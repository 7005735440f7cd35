"""How few-shot splits are drawn (docs/method.md section 7): once, whatever the order of the files.

Images of one group (a mosaic, flight, date) are one unit, an image without a group is its own. Units are ranked by a
hash of (data set, purpose, seed, unit): nothing depends on file order, file names or class names. First the test set is
drawn, once for all shots and seeds; then, for each seed, validation and an ordered list of training images per class,
of which the K-shot set is the first K.

Classes with few labels. A class needs two labelled images of different groups. Outside the test set a
class gives a fifth of its images to validation, at most 4 and at least 1 where it has two, and the rest,
at most `max_shots`, to training; a K-shot run takes what there is, and `Splits.notes` says so. Where no draw can be
made yet, `splits.undrawn` stands for it: no test and no validation images, and every label teaches.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import fsum

import pandas as pd

from avion_core.data.splits import VALIDATION_IMAGES, ClassImages, KeepTogether, Splits, draw_rank, notes_on_few
from avion_core.errors import DataError


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
    return draw_rank(*sorted(manifest["image_id"])) if len(manifest) else ""


def make_splits(
    manifest: pd.DataFrame,
    *,
    dataset: str,
    seeds: Sequence[int] = (1, 2, 3),
    test_share: float = 0.5,
    max_shots: int = 16,
    together: KeepTogether | None = None,
) -> Splits:
    """Draw the splits of a manifest's labelled images; rows in any order give the same splits.

    A filled `split` column is kept: marked test images are the test set, marked validation images the
    validation set of every seed, and an unmarked image goes where its group is marked.

    Args:
        manifest: columns image_id, label, group, split (see scan.py); rows without a label are left out.
        dataset: the data set's key (see `data_set_key`), part of every draw.
        test_share: share of each class's images in the test set, as near as its groups allow.
        together: what told the manifest's groups, to be kept with the splits.

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
    return Splits(test_ids, validation, train, max_shots, notes_on_few(validation, train, max_shots), together)


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
    candidates = sorted((unit for unit in units if not unit.split), key=lambda u: draw_rank(dataset, "test", u.name))
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
    order = sorted(pool, key=lambda unit: (_size(unit), draw_rank(dataset, "validation", seed, unit.name)))
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
        key: tuple(sorted(ids, key=lambda image: draw_rank(dataset, "order", seed, image))[:most])
        for key, ids in images.items()
    }
