"""Confusion to text: which images are taken for another class, which texts do it, and what other texts would change.

Everything here is on the run's (or the project's) training shots and validation images; the test set stays sealed.
What changes at once is the teacher's text prototypes. A trained student reads class names, not descriptions: it learns
of new texts at its next training. Where its run has a map from the teacher's space, its images can be held against the
mapped prototypes meanwhile, which tells what the new texts would be worth to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from avion_core.backbones.projection import Projection
from avion_core.config import RunConfig
from avion_core.data.sources import Images
from avion_core.descriptions.importing import MOST_CHARACTERS
from avion_core.descriptions.schema import description_id, folded
from avion_core.distill.student_towers import StudentTowers
from avion_core.distill.teacher_side import TeacherSide
from avion_core.errors import DataError, DescriptionError
from avion_core.features.store import image_features, text_features
from avion_core.metrics import accuracy
from avion_core.progress import Progress
from avion_core.protocols.predict import load_student
from avion_core.reading import Subject, refuse_mark
from avion_core.store import generations, journal
from avion_core.store.database import reading, writing
from avion_core.store.generations import CONTRASTIVE
from avion_core.store.home import Home
from avion_core.store.projects import add_descriptions, find_project, prompt_names
from avion_core.store.sources import image_source
from avion_core.usecases.curation import Curation, as_judged, curation_table, refresh
from avion_core.usecases.curation.blind import my_sight
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import get_project, read_splits
from avion_core.usecases.projects.without_pictures import refuse_new_texts
from avion_core.usecases.runs.trained import run_device, student_run
from avion_core.wording import counted

Judge = Literal["teacher", "student"]


@dataclass(frozen=True)
class StudentSide:
    """What a run's student sees of the validation images."""

    features: Tensor
    """(N, D_S)."""
    classes: Tensor
    """(C, D_S) its class texts."""
    projection: Projection | None
    """(D_S, D_T), from the teacher's space to its own; None where the run has none."""


@dataclass(frozen=True)
class Confusions:
    """The validation images and who takes them for what. N images, C classes."""

    curation: Curation
    images: pd.DataFrame
    """One row each: image_id, path, class_key, in the order of `curation.images["validation"]`."""
    student: StudentSide | None
    """None where no run was chosen."""
    blind: bool = False
    """Only what the reviewer decided counts (see `refreshed`)."""

    def said(self, judge: Judge) -> Tensor:
        """(N,) the class that the teacher's text prototypes, or the trained student, give each image."""
        if judge == "teacher":
            return _said(self.curation.images["validation"][0], self.curation.vectors)
        if self.student is None:
            raise DataError("no student was chosen", "Choose a finished run.", value=judge)
        return _said(self.student.features, self.student.classes)

    def matrix(self, judge: Judge) -> list[list[int]]:
        """(C, C) counts: row = true class, column = what was said."""
        labels = self.curation.images["validation"][1]
        return accuracy.confusion(self.said(judge), labels, len(self.curation.class_keys)).tolist()

    def pictures(self, judge: Judge, true: str, said: str) -> list[Path]:
        """The images of one class that were taken for another."""
        keys = self.curation.class_keys
        taken = (self.said(judge) == keys.index(said)).numpy() & (self.images["class_key"] == true).to_numpy()
        return [Path(path) for path in self.images.loc[taken, "path"]]


RESCORED = ("judge", "part", "images", "before", "after", "low", "high")
"""Columns of `Rescore.figures`."""


@dataclass(frozen=True)
class Rescore:
    """What contrastive texts change, in percent of the validation images: without them, and with them."""

    figures: pd.DataFrame
    """Columns judge ("teacher", and "student" where its images can be held against the mapped prototypes), part ("all"
    or a class key), images, before, after, and low and high of the change in points (see
    `metrics.accuracy.paired_change`)."""
    texts: pd.DataFrame
    """Columns description_id, class_key, text, verdict, kept, why, weight, own, other and margin of them (see
    `pulling_texts`)."""


@use_case
def confusions(home: Home, project: str, run: str | None = None, *, progress: Progress | None = None) -> Confusions:
    """Hold the validation images against the project's texts as they stand now.

    Args:
        run: a trained run, whose student, shots and seed are taken; None takes the project's own settings.

    Raises:
        NotFoundError, TrainingError: no such project or run, or it has not been trained yet.
        DataError: there is no validation image.
    """
    summary = get_project(home, project)
    config = run_config(home, summary.id)
    if run is not None:
        trained = student_run(home, run).config
        config = config.model_copy(update={name: getattr(trained, name) for name in _OF_THE_RUN})
    curation = curation_table(home, summary.id, config, progress=progress)
    by_class = read_splits(home, summary.id).validation_images(config.data.seed, config.data.shots)
    listed = [(image, key) for key in curation.class_keys for image in by_class.get(key, [])]
    if not listed:
        raise DataError("there is no validation image", "Label more images of each class.", value=summary.name)
    images = pd.DataFrame(listed, columns=["image_id", "class_key"])
    source = image_source(home, summary.id)
    images["path"] = [str(file) for file in Images(images["image_id"].tolist(), source).files]
    student = None if run is None else _student_side(home, run, curation, images, config, progress)
    return Confusions(curation, images, student)


@use_case
def refreshed(home: Home, found: Confusions) -> Confusions:
    """The same with every verdict given since.

    In a blind project what the home's actor has not decided counts as undecided by everybody, so that no text and no
    figure tells what others decided.
    """
    curation, sight = refresh(home, found.curation), my_sight(home, found.curation.project_id)
    if sight.blind:
        curation = as_judged(curation, sight.verdicts(curation.table))
    return replace(found, curation=curation, blind=sight.blind)


def pulling_texts(found: Confusions, true: str, said: str, judge: Judge = "teacher") -> pd.DataFrame:
    """The kept texts of two classes, those that pull the classes together first.

    With v the visual prototypes of the training shots, a text g of class c has the margin g . v_c - g . v_other: small
    or negative, it describes the other class (nearly) as well as its own.

    Returns:
        description_id, class_key, text, weight, own (g . v_c), other (g . v_other), margin, and confused: the mean
        similarity to the validation images of `true` taken for `said` (NaN where there are none).
    """
    curation = found.curation
    table, keys = curation.table, curation.class_keys
    kept = (table["kept"] & table["class_key"].isin([true, said])).to_numpy(copy=True)
    chosen = table.loc[kept, ["description_id", "class_key", "text", "weight"]].reset_index(drop=True)
    g = curation.embeddings[torch.from_numpy(kept)]
    margins = _margins(g, chosen["class_key"], (true, said), curation)
    taken = (found.said(judge) == keys.index(said)) & (curation.images["validation"][1] == keys.index(true))
    confused = curation.images["validation"][0][taken]
    similarity = (g @ confused.T).mean(1).tolist() if len(confused) else [float("nan")] * len(g)
    return chosen.join(margins).assign(confused=similarity).sort_values("margin", ignore_index=True)


@use_case
def try_texts(home: Home, found: Confusions, texts: Mapping[str, Sequence[str]], pair: tuple[str, str]) -> Rescore:
    """What new texts would change, without adding them: prototypes and validation are scored again, nothing is trained.

    They count as nobody's accepted texts: RS-Flag and robust z decide on them as on any other.

    Args:
        texts: class key -> texts. pair: the two classes whose figures are wanted beside the whole.

    Raises:
        DescriptionError: no text, one that cannot be used or that the project holds already, or a class that it lacks.
    """
    curation = found.curation
    fresh = _fresh(texts, curation.class_keys)
    known = set(curation.table["description_id"])
    for row in fresh:
        if row["description_id"] in known:
            raise DescriptionError("the project holds this text already", "Write another one.", value=row["text"])
    new = pd.DataFrame(fresh)[_CANDIDATE[:3]].assign(verdict="undecided")
    towers = open_towers(home, curation.config.teacher)
    g = text_features(towers, list(new["text"]), home.features).cpu()
    everything = pd.concat([curation.table[_CANDIDATE], new], ignore_index=True)
    table, vectors = _decided(curation, everything, torch.cat([curation.embeddings, g]), sorted(texts))
    judged = curation.explained(table.tail(len(new)).reset_index(drop=True))[_JUDGED]
    return Rescore(
        rescored(found, curation.vectors, vectors, pair), judged.join(_margins(g, new["class_key"], pair, curation))
    )


@use_case
def contrasts(home: Home, found: Confusions, pair: tuple[str, str]) -> Rescore:
    """The project's descriptions that were written, or asked for, to tell two classes apart, and what they change.

    Their verdicts count as they stand; "before" is what the prototypes would be if these texts were not there. Texts
    that a person wrote for one of the classes count whichever class they were to tell it from.
    """
    curation = found.curation
    with reading(home.engine) as session:
        ids = generations.contrasts_of(session, curation.project_id, pair, by_hand=CONTRASTIVE)
    chosen = curation.table["description_id"].isin(ids).to_numpy(copy=True)
    texts = curation.explained(curation.table[chosen].reset_index(drop=True))[_JUDGED]
    others = torch.from_numpy(~chosen)
    _, without = _decided(curation, curation.table.loc[~chosen, _CANDIDATE], curation.embeddings[others], pair)
    margins = _margins(curation.embeddings[~others], texts["class_key"], pair, curation)
    return Rescore(rescored(found, without, curation.vectors, pair), texts.join(margins))


def rescored(found: Confusions, before: Tensor, after: Tensor, pair: tuple[str, str]) -> pd.DataFrame:
    """Accuracy on the validation images under two sets of text prototypes (C, D_T): see `Rescore.figures`."""
    features, labels = found.curation.images["validation"]
    judges = [("teacher", features, before, after)]
    if found.student is not None and found.student.projection is not None:
        mapped = [found.student.projection(vectors) for vectors in (before, after)]
        judges.append(("student", found.student.features, mapped[0], mapped[1]))
    table = []
    for judge, images, *both in judges:
        right = [_said(images, vectors) == labels for vectors in both]
        for part in ("all", *pair):
            chosen = labels >= 0 if part == "all" else labels == found.curation.class_keys.index(part)
            was, is_now = (100 * hits[chosen].double().mean().item() for hits in right)
            _, low, high = accuracy.paired_change(right[0][chosen], right[1][chosen])
            row = {"judge": judge, "part": part, "images": int(chosen.sum()), "before": was, "after": is_now}
            table.append(row | {"low": low, "high": high})
    return pd.DataFrame(table, columns=list(RESCORED))


@use_case
def add_contrastive(home: Home, project: str, texts: Mapping[str, Sequence[str]]) -> list[str]:
    """Make a person's texts descriptions of the project, for review; returns their ids.

    Raises:
        NotFoundError: no such project.
        DescriptionError: no text, one that cannot be used, or a class that the project lacks.
    """
    who = home.actor.name
    with writing(home.engine) as session:
        row = find_project(session, project)
        refuse_new_texts(row)
        project_id = row.id
        names = prompt_names(session, project_id)
        fresh = _fresh(texts, names)
        added = add_descriptions(
            session, project_id, [{**row, "writer": who, "prompt_version": CONTRASTIVE} for row in fresh]
        )
        classes = " and ".join(names[key] for key in texts if texts[key])
        if added:
            sentence = f"{counted(added, 'contrastive description')} written for {classes}"
            journal.note(session, project_id, "descriptions", sentence, who)
    return [row["description_id"] for row in fresh]


_CANDIDATE = ["description_id", "class_key", "text", "verdict"]
_JUDGED = [*_CANDIDATE, "kept", "why", "weight"]
_OF_THE_RUN = ("data", "teacher", "student", "model", "device")


def _student_side(
    home: Home, run: str, curation: Curation, images: pd.DataFrame, config: RunConfig, progress: Progress | None
) -> StudentSide:
    view = student_run(home, run)
    summary = get_project(home, view.project_id)
    trained = load_student(config, view.folder, home.weights, device=run_device(view))
    shown = Images(images["image_id"].tolist(), image_source(home, summary.id))
    towers = StudentTowers(trained.student)
    features = image_features(towers, shown, home.features, recipe=summary.recipe, progress=progress)
    names = {entry.key: entry.prompt_name for entry in summary.classes}
    classes = trained.embed_classes({key: names[key] for key in curation.class_keys}).cpu()
    return StudentSide(features.cpu(), classes, TeacherSide.load(view.folder).projection)


def _said(features: Tensor, vectors: Tensor) -> Tensor:
    """(N,) the nearest of the C vectors; one of zeros (a class without a text) is never said."""
    return (features @ vectors.T).masked_fill(vectors.norm(dim=1) == 0, float("-inf")).argmax(1)


def _decided(
    curation: Curation, candidates: pd.DataFrame, embeddings: Tensor, keys: Sequence[str]
) -> tuple[pd.DataFrame, Tensor]:
    """Some classes decided anew from other candidates: their table, and the (C, D_T) prototypes of all classes."""
    of_classes = candidates["class_key"].isin(keys).to_numpy(copy=True)
    chosen = candidates[of_classes].reset_index(drop=True), embeddings[torch.from_numpy(of_classes)]
    rules = curation.config
    decided = curation.grounds(keys, *chosen).judged(rules.prototypes, rules.descriptions, allow_blocked=True)
    vectors = curation.vectors.clone()
    vectors[[curation.class_keys.index(key) for key in keys]] = decided.vectors
    return decided.table, vectors


def _margins(g: Tensor, class_keys: pd.Series, pair: tuple[str, str], curation: Curation) -> pd.DataFrame:
    """own, other and margin of texts (M, D_T) of the pair's classes."""
    other = {pair[0]: pair[1], pair[1]: pair[0]}
    place = {key: index for index, key in enumerate(curation.class_keys)}
    similarity = g @ curation.visual.T
    own = [similarity[row, place[key]].item() for row, key in enumerate(class_keys)]
    others = [similarity[row, place[other[key]]].item() for row, key in enumerate(class_keys)]
    return pd.DataFrame({"own": own, "other": others}).assign(margin=lambda table: table["own"] - table["other"])


def _fresh(texts: Mapping[str, Sequence[str]], class_keys: Collection[str]) -> list[dict[str, str]]:
    """description_id, class_key and text of each text once; refuses what is none."""
    if unknown := [key for key in texts if key not in class_keys]:
        raise DescriptionError("the project has no such class", "Choose one that it has.", value=unknown[0])
    fresh: dict[str, dict[str, str]] = {}
    for key, written in texts.items():
        for text in (" ".join(line.split()) for line in written):
            if not folded(text) or len(text) > MOST_CHARACTERS:
                hint = f"Write a text of at most {MOST_CHARACTERS:,} characters."
                raise DescriptionError("the text is empty or too long", hint, value=text[:80])
            refuse_mark(text, Subject("the text", DescriptionError, "Leave it out."), shown=80)
            row = {"description_id": description_id(key, text), "class_key": key, "text": text}
            fresh.setdefault(row["description_id"], row)
    if not fresh:
        raise DescriptionError("there is no text", "Write at least one description.")
    return list(fresh.values())
