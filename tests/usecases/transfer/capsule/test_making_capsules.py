"""A capsule holds what it says, of the runs it was asked for, and nobody's name or image."""

from __future__ import annotations

import io
import json
import statistics

import pandas as pd
import pytest

from avion_core.actor import Actor
from avion_core.data.split_files import read_coop
from avion_core.errors import DataError, RightsError
from avion_core.usecases.insight.evaluation import evaluate_run, kept_report
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from avion_core.usecases.runs.sweeps import read_sweep
from avion_core.usecases.transfer.capsule.making import make_capsule, make_sweep_capsule
from tests.usecases.transfer.capsule.conftest import VERA, members_of

pytestmark = pytest.mark.usefixtures("weights")

WHOLE = "projects/{}/verdicts.jsonl"


@pytest.fixture
def members(published, tmp_path) -> dict[str, bytes]:
    """Of a capsule with all three runs."""
    made = make_capsule(published.home, tmp_path / "all.capsule", list(published.runs.values()))
    assert "3 runs, 12 descriptions, 3 decisions and the hashes of 24 images." in made.sentence
    return members_of(made.path)


def listing(members: dict[str, bytes]) -> dict:
    return json.loads(members["capsule.json"])


def test_the_tables_are_mean_and_deviation_of_what_was_measured(published, members) -> None:
    table = pd.read_csv(io.BytesIO(members["tables/validation.csv"]))
    reports = [kept_report(published.home, published.runs[what], "validation") for what in ("one", "two")]
    values = [report.value("all", "accuracy") or 0.0 for report in reports if report is not None]
    avion, mean = table.to_dict("records")
    assert (avion["row"], avion["seeds"], mean["row"], mean["seeds"]) == ("AVION", 2, "class mean", 1)
    assert avion["mean"] == pytest.approx(statistics.mean(values))
    assert avion["deviation"] == pytest.approx(statistics.stdev(values))
    assert avion["images"] == 3
    assert avion["parameters"] == 513
    assert "± " in members["tables/validation.md"].decode()
    assert r"\toprule" in members["tables/validation.tex"].decode()
    figures = pd.read_csv(io.BytesIO(members["figures.csv"]))
    assert set(figures["seed"]) == {1, 2}
    own = figures[figures["own"] & (figures["metric"] == "accuracy")]
    assert len(own) == 3
    assert own[["low", "high", "n"]].notna().all(axis=None)


def test_splits_are_hashes_and_coops_json(published, members) -> None:
    project = get_project(published.home, "scenes").id
    splits, manifest = read_splits(published.home, project), read_manifest(published.home, project)
    written = json.loads(members["splits/1/seed-2-shots-2.json"])
    assert written["train"] == splits.shots(2, 2)
    assert written["validation"] == splits.validation_images(2, 2)
    assert sorted(image for images in written["test"].values() for image in images) == sorted(splits.test)
    coop = read_coop(json.loads(members["splits/1/seed-2-shots-2.coop.json"]), published.folder)
    path_of = dict(zip(manifest["image_id"], manifest["path"], strict=True))
    taught = [path_of[image] for images in splits.shots(2, 2).values() for image in images]
    assert coop.loc[coop["split"] == "train", "path"].tolist() == taught
    assert {"splits/1/seed-1-shots-2.json", "splits/1/seed-1-shots-2.coop.json"} <= members.keys()


def test_equal_inputs_are_kept_once_and_no_image_and_no_weights(published, members, images) -> None:
    assert [name for name in members if name.endswith("manifest.parquet")] == ["inputs/1/manifest.parquet"]
    whole = b"".join(members.values())
    for file in (next(images.glob("*/*.png")), *(published.folder / "weights").iterdir()):
        assert file.read_bytes() not in whole
    assert str(published.folder).encode() not in whole


def test_people_are_numbers_unless_named(published, members, tmp_path) -> None:
    project = listing(members)["runs"][0]["history"]
    rows = [json.loads(line) for line in members[WHOLE.format(project)].splitlines()]
    assert [(row["reviewer"], row["verdict"], row["reason"]) for row in rows] == [
        ("reviewer 1", "accept", "text 0"),
        ("reviewer 1", "reject", "text 1"),
        ("reviewer 2", "accept", "text 0"),
    ]
    assert VERA.name not in b"".join(members.values()).decode(errors="replace")
    named = make_capsule(published.home, tmp_path / "named.capsule", [published.runs["one"]], names=True)
    assert VERA.name in members_of(named.path)[WHOLE.format(project)].decode("unicode_escape")
    rules = json.loads(members[f"projects/{project}/rules.json"])
    assert [(one["number"], one["prototypes"]["zeta"]) for one in rules] == [(0, 3.0)]


def test_words_come_from_the_settings(members) -> None:
    methods = members["methods.md"].decode()
    for said in (
        "24 images of 3 classes", "K = 2, seeds 1, 2", "GeoRSCLIP ViT-H/14", "rule set `extended`", "ζ = 3; similarity",
        "β = 10, overhead bonus γ = 2", "visual alignment 0.5, textual alignment 0.5 and similarity alignment 1",
        "for 3 epochs in batches of 3", "learning rate 0.0005", "The sealed test set was looked at",
        "CVPR 2026, arXiv 2603.12659",
    ):  # fmt: skip
        assert said in methods, said
    licences = members["licences.md"].decode()
    assert "- scenes: unknown" in licences
    shown = listing(members)["weights"]
    assert len(shown) == 2
    for one in shown:
        assert one["sha256"] in licences
        assert one["licence"] in licences
    assert "beach, forest, golf course" in members["model-card.md"].decode()


def test_rows_are_told_apart_by_the_settings_that_differ(published, tmp_path) -> None:
    import threading

    from avion_core.usecases.runs.launching import create_run
    from avion_core.usecases.runs.training import run_here

    other = {"method": "class_mean", "options.model": "teacher"}
    run = create_run(published.home, "scenes", overrides=other, here=True)
    run_here(published.home, run, threading.Event())
    made = make_capsule(published.home, tmp_path / "two.capsule", [published.runs["mean"], run])
    titles = [one["title"] for one in listing(members_of(made.path))["runs"]]
    assert titles == ["class mean (options.model = default)", "class mean (options.model = teacher)"]


def test_a_sweep_gives_its_rows_and_its_comparison(published, tmp_path) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "projects: [scenes]\nshots: [2]\nseeds: [1, 2]\nagainst: floor\nrows: {ours: {}, floor: {method: class_mean}}\n"
    )
    made = make_sweep_capsule(published.home, tmp_path / "sweep.capsule", read_sweep(published.home, grid))
    table = pd.read_csv(io.BytesIO(members_of(made.path)["tables/validation.csv"]))
    assert table["row"].tolist() == ["ours", "floor"]
    reports = [kept_report(published.home, published.runs[what], "validation") for what in ("one", "mean")]
    right = [report.said("all")["correct"].mean() for report in reports if report is not None]
    assert table["gain"].iloc[0] == pytest.approx(100 * (right[0] - right[1]))
    assert "points over floor" in members_of(made.path)["methods.md"].decode()


def test_the_test_set_is_opened_by_right_and_every_look_is_in_it(published, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AVION_FOLDERS", str(tmp_path))
    home, run = published.home, published.runs["two"]
    out = tmp_path / "test.capsule"
    with pytest.raises(RightsError, match="open the sealed test set"):
        make_capsule(home.acting_as(Actor("Adam", "adjudicator")), out, [run], test=True)
    with pytest.raises(DataError, match="never measured on the sealed test set"):
        make_capsule(home, out, [run], test=True)
    evaluate_run(home, run, "test")
    members = members_of(make_capsule(home, out, [run], test=True).path)
    assert {"tables/test.md", f"runs/{run}/predictions-test.parquet"} <= members.keys()
    seen = listing(members)["runs"][0]["looks"]
    assert [one["who"] for one in seen] == ["reviewer 2"]
    assert "looked at 1 time with" in members["methods.md"].decode()
    without = members_of(make_capsule(home, tmp_path / "without.capsule", [run]).path)
    assert not any("test" in name for name in without)
    assert len(listing(without)["runs"][0]["looks"]) == 1


def test_bad_requests_are_refused(published, tmp_path) -> None:
    with pytest.raises(DataError, match="one run or more"):
        make_capsule(published.home, tmp_path / "none.capsule", [])
    (tmp_path / "there.capsule").write_text("something")
    with pytest.raises(DataError, match="already exists"):
        make_capsule(published.home, tmp_path / "there.capsule", [published.runs["one"]])
    with pytest.raises(RightsError):
        make_capsule(published.home.acting_as(VERA), tmp_path / "x.capsule", [published.runs["one"]])
