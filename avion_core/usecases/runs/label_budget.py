"""How many labels stand behind the descriptions and verdicts that a run uses (docs/method.md section 7).

A 1-shot run whose texts were judged by the pictures of 16 shots rests on 16 labels a class. Labels stand behind a text
when pictures were sent to its writer, when it was asked to differ from classes that the shots are taken for, and when a
person judged, edited or wrote it beside the evidence. They are all training shots, but those of one seed are another's
validation images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from pydantic import BaseModel, ConfigDict

from avion_core.config import RunConfig
from avion_core.data.splits import Splits
from avion_core.methods import find_method
from avion_core.protocols import find_protocol
from avion_core.store import generations
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.policies import use_case
from avion_core.wording import counted


class LabelBudget(BaseModel):
    """What a run rests on."""

    model_config = ConfigDict(frozen=True)

    shots: int
    """Most labels of a class that the run trains on."""
    labels: int
    """Most labels of a class behind anything that it uses."""
    texts: int = 0
    """Descriptions that were written with other labels in view than the run trains on."""
    verdicts: int = 0
    """Verdicts and edits that were made so."""
    validation: int = 0
    """Validation images of the run that were in view."""
    novel: int = 0
    """Descriptions that were asked to differ from a class which the run must not know."""
    left_out: bool = False
    """Whether the texts and verdicts counted here were left out."""

    @property
    def crossed(self) -> bool:
        """Whether more stands behind its texts and verdicts than it trains on."""
        return bool(self.texts or self.verdicts or self.novel)

    @property
    def sentence(self) -> str:
        own = f"It trains on up to {counted(self.shots, 'label')} a class"
        these = " and ".join(
            counted(number, one) for number, one in ((self.texts, "description"), (self.verdicts, "verdict")) if number
        )
        has, are = ("has", "is") if self.texts + self.verdicts == 1 else ("have", "are")
        said = []
        if not these:
            said.append(f"{own}; its descriptions and verdicts have seen no others.")
        elif self.left_out:
            said.append(f"{own}; {these} that {has} seen others {are} left out.")
        else:
            said.append(f"{own}; {these} {has} seen others, so it rests on up to {self.labels:,} a class.")
        if self.validation:
            said.append(f"Among these are {self.validation:,} of its validation images.")
        if self.novel:
            done = "left out" if self.left_out else "used"
            said.append(f"{counted(self.novel, 'description')} written to differ from novel classes: {done}.")
        return " ".join(said)


@dataclass(frozen=True)
class _Seen:
    """Labelled images behind a description, by its id; what has seen none is left out."""

    texts: dict[str, frozenset[str]]
    """When it was written."""
    verdicts: dict[str, frozenset[str]]
    """When it was judged or edited."""
    against: dict[str, frozenset[str]]
    """Names of the classes that it was asked to differ from."""


@use_case
def within_budget(
    home: Home, project: str, config: RunConfig, table: pd.DataFrame, splits: Splits, class_names: Mapping[str, str]
) -> tuple[pd.DataFrame, LabelBudget | None]:
    """The descriptions and verdicts that a run uses, and the labels behind them; None where captions are trained on.

    Under `data.label_budget = kept`, descriptions that have seen other labels than the run trains on are left out, and
    such verdicts and edits do not count. In a protocol with novel classes, so are texts written to differ from these.

    Args:
        table: the project's, as `current_descriptions` gives them. class_names: class key -> prompt name.

    Raises:
        NotFoundError: no such project.
        ConfigError: the protocol cannot be run with these classes, or there is no such seed.
    """
    protocol = find_protocol(config.protocol.name)
    if protocol.by_captions:
        return table, None
    shots = splits.shots(config.data.seed, config.data.shots)
    trained = protocol.trained_classes(class_names, config)
    own = {key: frozenset(shots.get(key, ())) for key in trained}
    most = max(map(len, own.values()), default=0)
    if not find_method(config.method).needs.texts or config.prototypes.source == "template":
        return table, LabelBudget(shots=most, labels=most)
    seen = _seen(home, project, table, splits)
    class_of = dict(zip(table["description_id"], table["class_key"], strict=True))
    novel_names = {name for key, name in class_names.items() if key not in own}
    behind = {key: set(images) for key, images in own.items()}
    beyond: list[set[str]] = [set(), set()]
    for part, found in zip(beyond, (seen.texts, seen.verdicts), strict=True):
        for one, images in found.items():
            if (key := class_of[one]) in own:
                behind[key] |= images
                if not images <= own[key]:
                    part.add(one)
    texts, verdicts = beyond
    novel = {one for one, names in seen.against.items() if class_of[one] in own and names & novel_names}
    kept = config.data.label_budget == "kept"
    held_out = splits.validation_images(config.data.seed, config.data.shots)
    budget = LabelBudget(
        shots=most,
        labels=most if kept else max(map(len, behind.values()), default=0),
        texts=len(texts),
        verdicts=len(verdicts),
        validation=0 if kept else sum(len(images & {*held_out.get(key, ())}) for key, images in behind.items()),
        novel=len(novel),
        left_out=kept and bool(texts or verdicts or novel),
    )
    if not budget.left_out:
        return table, budget
    undone = table["description_id"].isin(verdicts)
    table = table.assign(
        text=table["text"].mask(undone, table["original"]), verdict=table["verdict"].mask(undone, "undecided")
    )
    return table[~table["description_id"].isin(texts | novel)].reset_index(drop=True), budget


def _seen(home: Home, project: str, table: pd.DataFrame, splits: Splits) -> _Seen:
    """By the project's own settings: pages show the evidence of these shots and this seed."""
    shown = run_config(home, project).data
    evidence = splits.shots(shown.seed, shown.shots)
    with reading(home.engine) as session:
        origins = generations.origins_of(session, find_project(session, project).id)
    numbers = {origin.pictures for origin in origins.values()}
    sent = {number: splits.pictures(shown.seed, number) for number in numbers}
    texts, against = dict[str, frozenset[str]](), dict[str, frozenset[str]]()
    for one, key in zip(table["description_id"], table["class_key"], strict=True):
        if (origin := origins.get(one)) is None:
            continue
        beside = evidence.get(key, []) if origin.against or origin.by_hand else []
        texts[one] = frozenset([*sent[origin.pictures].get(key, []), *beside])
        against[one] = frozenset(origin.against)
    judged = table[(table["verdict"] != "undecided") | table["edited"]]
    of_class = zip(judged["description_id"], judged["class_key"], strict=True)
    verdicts = {one: frozenset(evidence.get(key, [])) for one, key in of_class}
    return _Seen(texts, verdicts, against)
