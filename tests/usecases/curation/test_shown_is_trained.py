"""What the decisions page shows is what a run trains on: one table, in both protocols, a class without shots or not."""

from __future__ import annotations

import threading

import pandas as pd
import pytest
import torch

from avion_core.data.project import training_images
from avion_core.distill.teacher_side import TeacherSide
from avion_core.errors import PrototypeError, TrainingError
from avion_core.experiment import run_experiment
from avion_core.prototypes.judged import judged_classes
from avion_core.usecases.curation import Curation, curation_table, decision_preview, record_verdict, refresh
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import get_run

pytestmark = pytest.mark.usefixtures("tiny_towers")

SHOWN = ["description_id", "class_key", "text", "flag", "similarity", "z", "kept", "weight", "verdict"]


@pytest.fixture
def decided(home, described) -> str:
    """A project with an accepted, a rejected and an edited description in each class."""
    for _, ids in current_descriptions(home, described.id).groupby("class_key")["description_id"]:
        accepted, rejected, edited, _ = ids
        record_verdict(home, described.id, accepted, "accept")
        record_verdict(home, described.id, rejected, "reject")
        record_verdict(home, described.id, edited, "edit", text=f"An aerial image of a place called {edited[:4]}.")
    return described.id


def train(home, project: str, protocol: str) -> tuple[pd.DataFrame, torch.Tensor]:
    run = create_run(home, project, overrides={"protocol.name": protocol})
    run_here(home, run, threading.Event())
    folder = get_run(home, run).folder
    return pd.read_parquet(folder / "prototypes.parquet"), TeacherSide.load(folder).prototypes


def add_marsh(home, project: str, folder) -> str:
    """A class with a description and without a single image."""
    key = add_class(home, project, "marsh")
    file = folder / "marsh.csv"
    file.write_text(f"class,text\n{key},Aerial view of a marsh seen from above.\n", encoding="utf-8")
    import_descriptions(home, project, file)
    assert key in set(current_descriptions(home, project)["class_key"])
    return key


def assert_shown(page: Curation, table: pd.DataFrame, vectors: torch.Tensor, classes: list[str]) -> None:
    """The page's rows and vectors of these classes are the run's, to the last bit."""
    shown = page.table[page.table["class_key"].isin(classes)][SHOWN].reset_index(drop=True)
    pd.testing.assert_frame_equal(table[SHOWN], shown, check_exact=True, check_dtype=False)
    assert set(shown["verdict"]) == {"accepted", "rejected", "undecided"}
    assert shown["kept"].nunique() == 2
    assert torch.equal(vectors, page.vectors[[page.class_keys.index(key) for key in classes]])


def test_a_run_over_all_classes_trains_on_what_the_page_showed(home, decided, tmp_path) -> None:
    page = curation_table(home, decided)
    table, vectors = train(home, decided, "few-shot")
    assert_shown(page, table, vectors, ["beach", "forest", "golfcourse"])
    # A class without a shot changes nothing about the others, is not judged, and is never dropped in silence.
    marsh = add_marsh(home, decided, tmp_path)
    page = curation_table(home, decided)
    assert page.unjudged == {marsh: 1}
    assert_shown(page, table, vectors, ["beach", "forest", "golfcourse"])
    with pytest.raises(TrainingError, match=f"No labelled training image: {marsh}"):
        create_run(home, decided)
    with pytest.raises(PrototypeError, match=f"no labelled training image: {marsh}"):
        list(
            run_experiment(
                freeze(home, decided),
                run_config(home, decided),
                tmp_path / "run",
                features=home.features,
                weights=home.weights,
            )
        )


def test_base_to_novel_trains_on_the_page_s_rows_of_base_classes(home, decided, tmp_path) -> None:
    marsh = add_marsh(home, decided, tmp_path)
    page = curation_table(home, decided)
    table, vectors = train(home, decided, "base-to-novel")  # beach and forest; golfcourse and marsh are novel
    assert page.class_keys == ("beach", "forest", "golfcourse")
    assert page.unjudged == {marsh: 1}
    assert_shown(page, table, vectors, ["beach", "forest"])


def test_a_refreshed_and_a_previewed_page_show_what_a_run_trains_on_too(home, decided) -> None:
    page = curation_table(home, decided)
    undecided = page.table.loc[page.table["verdict"] == "undecided", "description_id"].iloc[0]
    record_verdict(home, decided, undecided, "accept")
    page = refresh(home, page)
    table, vectors = train(home, decided, "few-shot")
    assert_shown(page, table, vectors, ["beach", "forest", "golfcourse"])
    preview = decision_preview(page, page.config.prototypes, page.config.descriptions)
    pd.testing.assert_frame_equal(preview.table[SHOWN], table[SHOWN], check_exact=True, check_dtype=False)


def test_classes_are_judged_by_their_shots_in_the_project_s_order(home, decided) -> None:
    shots = {"b": ["1"], "a": ["2", "3"], "c": []}
    assert judged_classes(["a", "b", "c", "d"], shots) == ["a", "b"]
    data, config = freeze(home, decided), run_config(home, decided)
    of_page = judged_classes(data.class_names, data.splits.shots(config.data.seed, config.data.shots))
    assert list(curation_table(home, decided).class_keys) == of_page
    assert len(training_images(data, config, of_page).image_ids) == 2 * len(of_page)
