"""On the same machine nothing differs; what is altered, missing or another is named, before any work if possible."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from avion_core.actor import Actor
from avion_core.data.splits import Splits
from avion_core.errors import DataError, RightsError, TrainingError
from avion_core.protocols.report import load_report
from avion_core.usecases.insight.evaluation import evaluate_run
from avion_core.usecases.transfer.capsule import verifying
from avion_core.usecases.transfer.capsule.making import make_capsule
from avion_core.usecases.transfer.capsule.materials import Materials
from avion_core.usecases.transfer.capsule.verifying import verify_capsule
from tests import tiny_studio
from tests.usecases.transfer.capsule.conftest import altered


@pytest.fixture
def capsule(sound, tmp_path) -> Path:
    return Path(shutil.copy(sound, tmp_path))


@pytest.fixture
def no_training(monkeypatch) -> None:
    def trained(*_: object) -> None:
        raise AssertionError("it began to train")

    monkeypatch.setattr(verifying, "_rerun", trained)


def report_in(members: dict[str, bytes], folder: Path) -> str:
    """Unpack the trained run's report into a folder; returns the run's id."""
    run = next(one["id"] for one in json.loads(members["capsule.json"])["runs"] if one["title"] == "AVION")
    for name in ("report-validation.parquet", "predictions-validation.parquet"):
        (folder / name).write_bytes(members[f"runs/{run}/{name}"])
    return run


def test_nothing_differs_on_the_same_machine(elsewhere, capsule, images) -> None:
    told: list[str] = []
    found = verify_capsule(elsewhere, capsule, images=images, progress=lambda _done, _total, what: told.append(what))
    assert found.same
    assert (found.documents, found.unfounded.empty, found.notes) == ({}, True, ())
    assert len(found.runs) == 2
    for one in found.runs:
        assert one.same_way
        assert set(one.figures["said"]) == {"same"}
        assert not one.predictions[["changed", "missing"]].any(axis=None)
        assert one.predictions["images"].sum() > 20
    assert any("run 1 of 2, training steps" in line for line in told)
    assert [path.name for path in elsewhere.path.glob("*") if path.is_dir()] == []  # nothing was written into the home


def test_images_are_found_by_content_under_any_name(elsewhere, capsule, images, tmp_path, monkeypatch) -> None:
    heap = tmp_path / "heap"
    heap.mkdir()
    for number, file in enumerate(sorted(images.rglob("*.png"))):
        shutil.copy(file, heap / f"{99 - number}.png")
    seen: list[Materials] = []
    monkeypatch.setattr(verifying, "_rerun", lambda *inputs: seen.append(inputs[3]))
    monkeypatch.setattr(verifying, "_compare", lambda *_: [])
    verify_capsule(elsewhere, capsule, images=heap)
    assert {Path(path).parent for path in seen[0].files.values()} == {heap}


def test_images_are_found_in_a_project_of_the_home(published, weights, capsule, monkeypatch) -> None:
    seen: list[Materials] = []
    monkeypatch.setattr(verifying, "_rerun", lambda *inputs: seen.append(inputs[3]))
    monkeypatch.setattr(verifying, "_compare", lambda *_: [])
    verify_capsule(published.home, capsule)
    verify_capsule(published.home, capsule, project="scenes")
    assert seen[0].files == seen[-1].files
    assert len(seen[0].files) > 12


def test_a_missing_image_and_other_weights_are_named_before_any_work(
    elsewhere, capsule, images, weights, tmp_path, no_training
) -> None:
    some = Path(shutil.copytree(images, tmp_path / "some"))
    for file in (some / "forest").iterdir():
        file.unlink()
    (weights / tiny_studio.TINY["student"]).write_bytes(b"another model")
    (weights / tiny_studio.TINY["teacher"]).unlink()
    with pytest.raises(DataError) as raised:
        verify_capsule(elsewhere, capsule, images=some)
    said = str(raised.value)
    assert "images are not found by their content (forest/" in said
    assert "the weights of GeoRSCLIP ViT-B/32 are another file (SHA-256" in said
    assert "the weights of GeoRSCLIP ViT-H/14 are not installed" in said
    assert "Give a folder or a project that has the images." in said
    assert "avion models download georsclip-vit-h-14" in said


def test_without_images_or_a_project_that_has_them_it_says_so(elsewhere, capsule, no_training) -> None:
    with pytest.raises(DataError, match=r"images are not found by their content"):
        verify_capsule(elsewhere, capsule)


def test_a_changed_figure_is_named(elsewhere, capsule, tmp_path) -> None:
    def better(members: dict[str, bytes]) -> None:
        run = report_in(members, tmp_path)
        kept = pq.read_table(tmp_path / "report-validation.parquet")
        figures = kept.to_pandas()
        own = (figures["method"] == "avion") & (figures["metric"] == "accuracy")
        assert own.sum() == 1
        figures.loc[own, "value"] += 4.2
        stream = io.BytesIO()
        pq.write_table(
            kept.from_pandas(figures, preserve_index=False).replace_schema_metadata(kept.schema.metadata), stream
        )
        members[f"runs/{run}/report-validation.parquet"] = stream.getvalue()

    found = verify_capsule(elsewhere, altered(capsule, better), figures_only=True)
    assert not found.same
    row = found.unfounded.to_dict("records")[0]
    assert (row["method"], row["metric"]) == ("avion", "accuracy")
    assert row["value"] - row["recomputed"] == pytest.approx(4.2)
    assert {"figures.csv", "tables/validation.md", "tables/validation.csv"} <= found.documents.keys()


def test_a_table_that_says_more_than_its_reports_is_named(elsewhere, capsule, no_training) -> None:
    def better(members: dict[str, bytes]) -> None:
        members["tables/validation.md"] = members["tables/validation.md"].replace(b"100.0 (n = 1)", b"100.0 (n = 9)")

    found = verify_capsule(elsewhere, altered(capsule, better), figures_only=True)
    assert list(found.documents) == ["tables/validation.md"]
    assert "(n = 9)" in found.documents["tables/validation.md"]
    assert not found.same


def test_a_changed_split_is_named(elsewhere, capsule, images) -> None:
    """Two classes' shots and validation images change places, in all that the capsule says of them."""

    def swapped(members: dict[str, bytes]) -> None:
        kept = json.loads(members["inputs/1/splits.json"])
        of = kept["train"]["1"]["beach"], kept["validation"]["1"]["beach"]
        taught, watched = of
        of[0][0], of[1][0] = watched[0], taught[0]
        members["inputs/1/splits.json"] = json.dumps(kept).encode()
        assert Splits.from_json(members["inputs/1/splits.json"].decode()).drawn

    path = altered(capsule, swapped)
    found = verify_capsule(elsewhere, path, figures_only=True)
    assert set(found.documents) == {"splits/1/seed-1-shots-2.json", "splits/1/seed-1-shots-2.coop.json"}
    again = verify_capsule(elsewhere, path, images=images)
    assert not again.same
    for one in again.runs:
        assert one.predictions["missing"].sum() == 2 * len(one.predictions)  # the one image and the other, of each row


def test_a_figure_of_another_training_is_named(elsewhere, capsule, images) -> None:
    """The report is of settings that the capsule does not name: it does not come out again."""

    def other(members: dict[str, bytes]) -> None:
        about = json.loads(members["capsule.json"])
        for run in about["runs"]:
            if run["settings"]["method"] == "avion":
                run["settings"]["model"]["class_mean"] = "by_shots"
        members["capsule.json"] = json.dumps(about).encode()

    found = verify_capsule(elsewhere, altered(capsule, other), images=images)
    trained = next(one for one in found.runs if one.run.config.method == "avion")
    assert not found.same
    changed = trained.other
    assert (changed["method"] == "avion").all()
    assert len(changed)
    row = changed.iloc[0]
    assert row["difference"] == pytest.approx(row["now"] - row["then"])


def test_figures_need_no_images_and_no_weights(elsewhere, capsule, weights) -> None:
    shutil.rmtree(weights)
    found = verify_capsule(elsewhere, capsule, figures_only=True)
    assert found.same
    assert found.runs == []


def test_words_of_another_version_are_not_compared(elsewhere, capsule) -> None:
    def older(members: dict[str, bytes]) -> None:
        members["methods.md"] = b"as version 0.0.1 put it"

    found = verify_capsule(elsewhere, altered(capsule, older, made_with="0.0.1"), figures_only=True)
    assert found.same
    assert "methods.md" in found.notes[0]
    assert list(verify_capsule(elsewhere, altered(capsule, older), figures_only=True).documents) == ["methods.md"]


def test_a_stopped_verification_goes_on_in_its_work_folder(elsewhere, capsule, images, tmp_path) -> None:
    work, steps = tmp_path / "work", []

    def progress(_done: int, _total: int, what: str) -> None:
        steps.append(what)

    def soon() -> bool:
        return sum("training steps" in what for what in steps) >= 2

    with pytest.raises(TrainingError, match=r"verification was stopped\. Give --work .*work again"):
        verify_capsule(elsewhere, capsule, images=images, work=work, progress=progress, should_stop=soon)
    steps.clear()
    assert verify_capsule(elsewhere, capsule, images=images, work=work, progress=progress).same
    trained = [what for what in steps if "run 1 of 2, training steps" in what]
    assert 0 < len(trained) < 6  # three passes of two batches; those before the stop are kept
    steps.clear()
    assert verify_capsule(elsewhere, capsule, images=images, work=work, progress=progress).same
    assert not any("training steps" in what for what in steps)
    run = next((work / "runs").iterdir())
    assert load_report(run, "validation") is not None
    with pytest.raises(DataError, match="holds the work on another capsule"):
        verify_capsule(elsewhere, altered(capsule, lambda _: None), work=work)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="work folder holds other files"):
        verify_capsule(elsewhere, capsule, work=tmp_path / "mine")


def test_who_only_reviews_verifies_nothing(elsewhere, capsule) -> None:
    with pytest.raises(RightsError):
        verify_capsule(elsewhere.acting_as(Actor("Vera", "reviewer")), capsule)


def test_verdicts_that_do_not_give_the_descriptions_are_noted(elsewhere, capsule) -> None:
    def reversed_(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith("verdicts.jsonl"))
        members[name] = members[name].replace(b'"reject"', b'"accept"')

    found = verify_capsule(elsewhere, altered(capsule, reversed_), figures_only=True)
    assert found.same
    assert len(found.notes) == 2  # of each run
    assert "1 of 12 descriptions stood otherwise than the run took them" in found.notes[0]


def test_a_capsule_of_the_test_set_needs_the_right_to_open_it(elsewhere, published, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AVION_FOLDERS", str(tmp_path))
    evaluate_run(published.home, published.runs["mean"], "test")
    path = make_capsule(published.home, tmp_path / "test.capsule", [published.runs["mean"]], test=True).path
    assert verify_capsule(elsewhere, path, figures_only=True).same
    adam = elsewhere.acting_as(Actor("Adam", "adjudicator"))
    with pytest.raises(RightsError, match="open the sealed test set"):
        verify_capsule(adam, path, figures_only=True)


def test_on_another_machine_a_figure_may_lie_in_its_interval(elsewhere, capsule, images) -> None:
    def elsewhere_computed(members: dict[str, bytes]) -> None:
        about = json.loads(members["capsule.json"])
        for run in about["runs"]:
            for stretch in run["arithmetic"]:
                stretch["arithmetic"]["processor"] = "another processor"
        members["capsule.json"] = json.dumps(about).encode()

    path = altered(capsule, elsewhere_computed)
    found = verify_capsule(elsewhere, path, images=images)
    assert not any(one.same_way for one in found.runs)
    assert {str(way.processor) for one in found.runs for way in one.then} == {"another processor"}
    assert all(pd.Series(one.figures["said"]).isin(["same", "within"]).all() for one in found.runs)
