"""What the demo comes with: made from what is in the package now, whole, without a sealed image, and alive at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from avion_core.actor import ALONE
from avion_core.backbones.towers import Towers
from avion_core.bundled import demo_folder
from avion_core.config import RunConfig
from avion_core.data.sources import Images
from avion_core.errors import AccountError
from avion_core.features.shards import FeatureStore
from avion_core.features.store import image_features, text_features
from avion_core.reading import Subject, read_json
from avion_core.store.sources import image_source
from avion_core.usecases.curation import curation_table
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.insight.alignment import list_maps, read_map
from avion_core.usecases.insight.classifiers import teacher_classifier
from avion_core.usecases.insight.evaluation import kept_report
from avion_core.usecases.insight.image_search import search
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.installation.home import Home
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.people.accounts import add_account
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.projects.demo_results import FOLDER, WHO, install_demo_results, made_from, shown_items
from avion_core.usecases.projects.summaries import ProjectSummary, read_splits
from avion_core.usecases.runs.views import get_run, list_runs

DEMO = demo_folder() / "ucmerced"
MEGABYTE = 10**6


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AVION_DATABASE_URL", raising=False)
        home = Home(tmp_path_factory.mktemp("demo") / "home", ALONE)
        open_demo(home)
    return home


@pytest.fixture(scope="module")
def project(home: Home) -> ProjectSummary:
    return open_demo(home)


def test_it_is_made_from_the_weights_images_texts_and_settings_of_now(home: Home, project: ProjectSummary) -> None:
    about = read_json(DEMO / FOLDER / "about.json", Subject("about.json"))
    config = run_config(home, project.id)
    stale = "run tools/ship_demo_results.py"
    assert about["made_from"] == made_from(home, project.id, DEMO, config), stale
    # Read as a run is: a setting that came after it has its default.
    assert RunConfig.model_validate(about["run"]["config"]) == config, stale


def test_a_later_setting_leaves_it_as_it_is_and_a_changed_one_does_not(home: Home, project: ProjectSummary) -> None:
    """What a setting at its default says is not part of what it is made from."""
    config, before = run_config(home, project.id), made_from(home, project.id, DEMO, run_config(home, project.id))
    assert "least_steps" not in config.model_dump(mode="json", exclude_defaults=True)["distillation"]
    changed = config.model_copy(update={"distillation": config.distillation.model_copy(update={"least_steps": 7})})
    after = made_from(home, project.id, DEMO, changed)
    assert {name for name in before if before[name] != after[name]} == {"settings"}


def test_no_person_can_be_called_as_whose_its_run_is(home: Home) -> None:
    with pytest.raises(AccountError):
        add_account(home, WHO, "a long enough password", "admin")


def test_a_finished_run_its_evaluation_and_a_map_are_there_at_once(home: Home, project: ProjectSummary) -> None:
    (run,) = list_runs(home, project.id)
    assert (run.state, run.who, run.looks) == ("finished", WHO, 0)
    assert run.step == run.steps > 0
    assert run.seconds_per_step is None  # another machine's pace would mislead the estimates of this one
    report = kept_report(home, run.id, "validation")
    assert report is not None
    assert report.value("all", "accuracy") == pytest.approx(run.accuracy)
    (found,) = list_maps(home, run.id)
    assert found.state == "finished"
    points = read_map(home, run.id, found.key).points
    assert {"x_teacher", "x_before", "x_after", "rank_after"} <= set(points)
    told = " ".join(entry.sentence for entry in journal_entries(home, project.id))
    assert "The demo came with the finished run" in told
    open_demo(home)  # opened again: nothing comes twice
    assert len(list_runs(home, project.id)) == 1


def test_nothing_of_the_sealed_test_set_is_in_it(home: Home, project: ProjectSummary) -> None:
    sealed = set(read_splits(home, project.id).test)
    for space in FeatureStore(DEMO / FOLDER / "features").spaces():
        assert set(space.missing(sealed)) == sealed
    run = list_runs(home, project.id)[0]
    assert not sealed & set(read_map(home, run.id, list_maps(home, run.id)[0].key).points["id"])
    assert not list((DEMO / FOLDER / "run").glob("report-test*"))


@pytest.mark.usefixtures("float32_on_any_processor")  # others embed the pictures anew, which takes them seconds
def test_review_search_and_predictions_compute_no_embedding(
    home: Home, project: ProjectSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = open_towers(home, project.teacher)

    def refuse(*_: object, **__: object) -> torch.Tensor:
        raise AssertionError("an embedding was computed")

    monkeypatch.setattr(type(teacher), "encode_image", refuse)
    assert len(curation_table(home, project.id).table) == project.descriptions
    with monkeypatch.context() as patch:
        patch.setattr(type(teacher), "encode_text", refuse)
        assert len(teacher_classifier(home, project.id).class_names) == 21
    assert search(home, project.id, "planes parked near a terminal").searched == 520


def test_half_precision_changes_no_cosine_by_more_than_rounding(home: Home, project: ProjectSummary) -> None:
    """Against embeddings computed anew from files and texts, in full precision."""
    images, texts = (items[::40] for items in shown_items(home, project.id))
    teacher: Towers = open_towers(home, project.teacher)
    source = Images(images, image_source(home, project.id))
    fresh = FeatureStore(home.path / "fresh")
    recipe = project.recipe
    f_new, f_kept = (
        image_features(teacher, source, store, recipe=recipe, precision="float32") for store in (fresh, home.features)
    )
    g_new, g_kept = (text_features(teacher, texts, store) for store in (fresh, home.features))
    assert not torch.equal(f_new, f_kept)  # what is compared came with the demo
    assert float((f_new @ g_new.T - f_kept @ g_kept.T).abs().max()) < 1e-4  # 384 roundings of 1 in 2,000
    assert ((f_kept.norm(dim=1) - 1).abs() < 1e-6).all()


def test_results_of_other_inputs_are_left_out_and_that_is_said(
    home: Home, project: ProjectSummary, tmp_path: Path
) -> None:
    folder = shutil.copytree(DEMO, tmp_path / "demo", ignore=shutil.ignore_patterns("images", "*.safetensors"))
    texts = folder / "descriptions.jsonl"
    texts.write_text(texts.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    before = len(list_runs(home, project.id))
    assert install_demo_results(home, project.id, folder) is None
    assert len(list_runs(home, project.id)) == before
    newest = journal_entries(home, project.id)[0]
    assert newest.sentence == "The demo's own run was left out: it was made from other descriptions."
    shutil.rmtree(folder / FOLDER)
    assert install_demo_results(home, project.id, folder) is None  # none to install


def test_a_run_that_came_is_a_run_like_any_other(home: Home, project: ProjectSummary) -> None:
    run = get_run(home, list_runs(home, project.id)[0].id)
    inputs = pd.read_parquet(run.folder / "inputs" / "descriptions.parquet")
    assert set(inputs["verdict"]) == {"undecided"}  # the demo's texts are yours to judge
    curves = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(curves[-1])["step"] == run.steps


def test_the_demo_stays_below_its_size() -> None:
    files = [path for path in demo_folder().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 120 * MEGABYTE
    computed = [path for path in files if FOLDER in path.parts]
    assert 0 < sum(path.stat().st_size for path in computed) < 6 * MEGABYTE
