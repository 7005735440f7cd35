"""Placebo: do the words of descriptions do anything for this teacher, and for a student trained with them?

Everything is as in a run (shots, rules, weights); only the texts are others (`descriptions.placebo`). Each control is
held against the class's own descriptions on the same images, and the words alone against random ones: descriptions
without the class's name, and random words, which hold no name either.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from avion_core.config import RunConfig
from avion_core.data.project import LabelledImages, ProjectData, held_out_images, training_images
from avion_core.descriptions.placebo import CONTROLS, NAMED, NAMELESS, OWN, RANDOM, SHUFFLED, TEMPLATE, placebo_texts
from avion_core.errors import DataError, NotFoundError
from avion_core.methods.bench import Bench
from avion_core.metrics.accuracy import paired_change, wilson_interval
from avion_core.prototypes.judged import grounds_of, judged_classes
from avion_core.prototypes.ranking import rank

ALL = "all"
ANSWERS = ("judge", "control", "draw", "image_id", "class_key", "right")
FIGURES = (
    "judge", "control", "part", "n", "draws", "value", "low", "high", "gain", "gain_low", "gain_high",
)  # fmt: skip


def described_classes(project: ProjectData, config: RunConfig) -> list[str]:
    """The classes that a placebo is about: those with a training shot and a description.

    Raises:
        DataError: fewer than two of them.
    """
    written = set(project.descriptions["class_key"])
    shots = project.splits.shots(config.data.seed, config.data.shots)
    found = [key for key in judged_classes(project.class_names, shots) if key in written]
    if len(found) < 2:
        hint = "Label images of two classes or more, and give them descriptions."
        raise DataError("a placebo test needs two classes with images and descriptions", hint, value=len(found))
    return found


def outside_images(project: ProjectData, config: RunConfig, classes: Sequence[str], split: str) -> LabelledImages:
    """What a placebo is measured on: of "validation", every labelled image outside the shots and the sealed test set
    that shares no group with a shot; of "test", the sealed set.

    It is evidence about texts and chooses nothing, so it need not keep to min(K, 4) validation images.
    """
    if split == "test":
        return held_out_images(project, config, list(classes), "test")
    shots = set(training_images(project, config, list(classes)).image_ids)
    table = project.manifest
    groups = table["group"] if "group" in table else pd.Series("", index=table.index)
    taught = set(groups[table["image_id"].isin(shots)]) - {""}
    near = table["image_id"].isin(shots | set(project.splits.test)) | groups.isin(taught)
    left = table[~near & table["label"].isin(classes)]
    by_class = {str(key): sorted(part["image_id"]) for key, part in left.groupby("label")}
    return LabelledImages.of(by_class, list(classes))


def controlled(
    project: ProjectData, config: RunConfig, classes: Sequence[str], control: str, seed: int = 0, draw: int = 0
) -> tuple[ProjectData, RunConfig]:
    """The project and the settings of one control; what is not about texts stays as it is.

    Random words never pass RS-Flag. Where the rules drop what does not, they would leave nothing to measure, so for
    them the flag only weighs. A class without a text falls back to its template, but for descriptions without its
    name: the template has the name.
    """
    of_classes = project.descriptions["class_key"].isin(classes)
    names = {key: project.class_names[key] for key in classes}
    source = "template" if control == TEMPLATE else "descriptions"
    rules = {"source": source, "template_fallback": control != NAMELESS}
    if control in (RANDOM, NAMED):
        rules["flag_mode"] = "soft"
    texts = project.descriptions[of_classes].reset_index(drop=True)
    if control != TEMPLATE:
        texts = placebo_texts(control, texts, names, seed, draw)
    prototypes = config.prototypes.model_copy(update=rules)
    return replace(project, descriptions=texts, class_names=names), config.model_copy(update={"prototypes": prototypes})


def prototype_answers(
    project: ProjectData,
    config: RunConfig,
    images: LabelledImages,
    bench: Bench,
    *,
    draws: int,
    told: Callable[[str], None] = lambda _: None,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """What the teacher's text prototypes say under every control: ANSWERS, a row per control, draw and image.

    Controls whose texts cannot be read, for want of a model, are left out: the second value says which, and why.

    Args:
        project: with the classes of the test alone (`controlled` of OWN). images: as `outside_images` has them.
        told: called with each control's title before its work.
    """
    classes, teacher = list(project.class_names), bench.towers("teacher")
    shots = training_images(project, config, classes)
    f_shots, labels = bench.see(teacher, project, shots.image_ids), torch.tensor(shots.labels)
    features, truth = bench.see(teacher, project, images.image_ids).cpu(), torch.tensor(images.labels)
    rows: list[pd.DataFrame] = []
    left_out: dict[str, str] = {}
    for name, control in CONTROLS.items():
        told(control.title)
        for draw in range(draws if control.random else 1):
            other, rules = controlled(project, config, classes, name, config.data.seed, draw)
            try:
                grounds = grounds_of(other, rules, classes, f_shots, labels, teacher, bench.features, bench.progress)
                if name == TEMPLATE and grounds.template is None:
                    raise NotFoundError("the file has no features of the class names", "Add class_features to it.")
            except NotFoundError as error:
                left_out[control.title] = str(error)
                break
            if grounds.template is None:
                rules = _without_fallback(rules)
            judged = grounds.judged(rules.prototypes, rules.descriptions, allow_blocked=True)
            right = rank(features, judged.vectors).best == truth
            of_control = answer_rows("teacher", name, draw, images, classes, right)
            # Where nothing is left of a class's texts, its images say nothing of them.
            rows.append(of_control[~of_control["class_key"].isin(judged.blocked)])
    return pd.concat(rows, ignore_index=True), left_out


def _without_fallback(config: RunConfig) -> RunConfig:
    return config.model_copy(update={"prototypes": config.prototypes.model_copy(update={"template_fallback": False})})


def answer_rows(
    judge: str, control: str, draw: int, images: LabelledImages, classes: Sequence[str], right: torch.Tensor
) -> pd.DataFrame:
    """ANSWERS of one control and draw; right: (N,) bool."""
    keys = [classes[label] for label in images.labels]
    shared = {"judge": judge, "control": control, "draw": draw}
    return pd.DataFrame({**shared, "image_id": images.image_ids, "class_key": keys, "right": right.tolist()})


_NOT_MEASURED = (float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Placebo:
    """What was measured. `answers`: columns ANSWERS; `class_names`: of the classes in it, key -> prompt name."""

    answers: pd.DataFrame
    class_names: Mapping[str, str]

    @property
    def judges(self) -> list[str]:
        """ "teacher", and "student" where students were trained."""
        return list(dict.fromkeys(self.answers["judge"]))

    def right(self, judge: str, control: str, part: str = ALL) -> np.ndarray:
        """(R, N) whether each image of a part (ALL or a class key) was right in each draw, NaN where that was not
        measured. Where answers of several seeds are together, an image's share of them."""
        wide = self._wide.get((judge, control), np.full((1, len(self._images)), np.nan))
        return wide if part == ALL else wide[:, self._images.to_numpy() == part]

    def gain(self, judge: str, part: str, control: str, over: str) -> tuple[float, float, float]:
        """Points by which a control is better than another on the same images, and its 95 % interval."""
        before, after = self.right(judge, over, part), self.right(judge, control, part)
        shared = ~(np.isnan(before[0]) | np.isnan(after[0]))
        if not shared.any():
            return _NOT_MEASURED
        return paired_change(*(torch.from_numpy(one[:, shared]) for one in (before, after)))

    @cached_property
    def _images(self) -> pd.Series:
        """Image id -> class key, in the order of all columns."""
        return self.answers.drop_duplicates("image_id").set_index("image_id")["class_key"]

    @cached_property
    def _wide(self) -> dict[tuple[str, str], np.ndarray]:
        """(judge, control) -> `right` of all images."""
        found: dict[tuple[str, str], np.ndarray] = {}
        for (judge, control), of in self.answers.astype({"right": float}).groupby(["judge", "control"], sort=False):
            wide = of.pivot_table(index="draw", columns="image_id", values="right")
            found[str(judge), str(control)] = wide.reindex(columns=self._images.index).to_numpy()
        return found

    def figures(self) -> pd.DataFrame:
        """FIGURES: accuracy of each control with Wilson's interval, and by how many points the class's own
        descriptions are better (gain, gain_low, gain_high; paired). part: ALL, or a class key."""
        rows = []
        for judge in self.judges:
            for control in CONTROLS:
                for part in (ALL, *self.class_names):
                    right = self.right(judge, control, part)
                    count, share = _counted(right)
                    if not count:
                        continue
                    value, (low, high) = 100 * share, wilson_interval(count * share, count)
                    gain = _NOT_MEASURED if control == OWN else self.gain(judge, part, OWN, control)
                    rows.append((judge, control, part, count, len(right), value, low, high, *gain))
        return pd.DataFrame(rows, columns=list(FIGURES))

    def verdict(self, judge: str, part: str = ALL) -> Verdict:
        """What the figures of a class, or of all, say."""
        beyond = self.gain(judge, part, OWN, TEMPLATE)
        read = (judge, RANDOM) in self._wide  # else no model could read other texts than the project's own
        words = self.gain(judge, part, *((NAMELESS, RANDOM) if read else (OWN, SHUFFLED)))
        name = "All classes together" if part == ALL else self.class_names[part]
        counted = {control: _counted(self.right(judge, control, part)) for control in CONTROLS}
        values = {control: 100 * share for control, (count, share) in counted.items() if count}
        return Verdict(part, name, judge, counted[OWN][0], values, words, beyond)

    def verdicts(self, judge: str) -> list[Verdict]:
        """One for each class, those first whose words can be shown to carry meaning, then by that figure."""
        found = [self.verdict(judge, key) for key in self.class_names]
        order = {"yes": 0, "unclear": 1, "misleads": 2, "none": 3}
        return sorted(found, key=lambda one: (order[one.meaning], -one.words[0]))


@dataclass(frozen=True)
class Verdict:
    """Whether a class's words carry meaning to a judge."""

    part: str
    name: str
    judge: str
    images: int
    values: dict[str, float]
    """Control -> accuracy in percent."""
    words: tuple[float, float, float]
    """Points by which descriptions without the name beat random words, or, where no model can read these, by which the
    descriptions beat those of other classes; with their 95 % interval."""
    beyond: tuple[float, float, float]
    """Points by which the descriptions beat the template, with their 95 % interval."""

    @property
    def meaning(self) -> str:
        """yes, unclear, misleads (random words do better), or none (nothing was measured)."""
        return _said(self.words) if self.images else "none"

    @property
    def sentence(self) -> str:
        """This in one sentence."""
        reads = RANDOM in self.values
        if not self.images or (reads and NAMELESS not in self.values):
            left = "no image is held out" if not self.images else "without its name nothing is left of its descriptions"
            return f"{self.name}: nothing can be said, for {left}."
        whose, names = ("their", "the names of the classes") if self.part == ALL else ("its", "the name of the class")
        images = "the one held-out image" if self.images == 1 else f"{self.images:,} held-out images"
        said = {
            "yes": f"{whose} words carry meaning to this {self.judge}",
            "unclear": f"it cannot be shown that {whose} words carry meaning to this {self.judge}",
            "misleads": f"{whose} words mislead this {self.judge}",
        }[self.meaning]
        values = {control: f"{value:.0f} %" for control, value in self.values.items()}
        if reads:
            how = f"Without {names} they find {values[NAMELESS]} of {images}, random words {values[RANDOM]}"
            how += f"; with {'them' if self.part == ALL else 'it'} {values[OWN]}"
        else:
            how = f"They find {values[OWN]} of {images}, those of other classes {values[SHUFFLED]}"
        if TEMPLATE in values:
            to = {"yes": "more than", "unclear": "no clear difference from", "misleads": "less than"}
            how += f", {to[_said(self.beyond)]} the template ({values[TEMPLATE]})"
        return f"{self.name}: {said}. {how}."


def _counted(right: np.ndarray) -> tuple[int, float]:
    """How many images were measured, and the share that is right."""
    measured = right[:, ~np.isnan(right[0])]
    return measured.shape[1], float(measured.mean()) if measured.size else 0.0


def _said(gain: tuple[float, float, float]) -> str:
    _, low, high = gain
    return "yes" if low > 0 else "misleads" if high < 0 else "unclear"
