"""The models page: what is installed, on its way, refused and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.kit.guard import plain
from avion_core.backbones.entries import ENTRIES
from avion_core.backbones.load import WeightStore
from avion_core.errors import CheckpointError
from avion_core.store.database import writing
from avion_core.store.tables import Job, now
from avion_core.usecases.installation.home import Home
from avion_core.usecases.jobs import get_job
from avion_core.usecases.models.installing import installing_jobs
from tests.jobs_here import do_jobs_here
from tests.pages.conftest import Open, all_text, click, settle

MODEL = "remoteclip-vit-b-32"


def test_models_show_licence_hash_and_what_is_here(empty_home: Home, open_page: Open) -> None:
    kept = empty_home.path / "weights" / MODEL
    kept.mkdir(parents=True)
    (kept / "aa.pt").write_bytes(bytes(100))
    record = (
        f'{{"name": "{MODEL}", "file": "aa.pt", "size_bytes": 100, "sha256": "{"a" * 64}", "source": "local: mine.pt", '
        '"licence": ""}'
    )
    (kept / "weights.json").write_text(record)
    broken = empty_home.path / "weights" / "openai-vit-b-32"
    broken.mkdir()
    (broken / "weights.json").write_text(record.replace(MODEL, "openai-vit-b-32"))
    part = empty_home.path / "weights" / ".part-georsclip-vit-h-14"
    part.mkdir()
    (part / "x.incomplete").write_bytes(bytes(2_000_000))
    said = all_text(open_page("models"))
    for words in (
        "a" * 64,
        plain("local: mine.pt"),
        "QuickGELU",
        "2 MB of 3.9 GB downloaded",
        "none stated on the hub",
    ):
        assert words in said
    assert "The installed weights have 0 bytes, not the 100" in said
    assert f"of {len(ENTRIES)}** models installed" in said


def test_weights_on_their_way_show_the_live_panel(empty_home: Home, open_page: Open) -> None:
    with writing(empty_home.engine) as session:
        counted = {"what": "bytes", "done": 100_000_000, "total": 605_000_000, "stage": "downloading"}
        request = {"model": MODEL, "file": ""}
        job = Job(kind="installing", lane="network", request=request, state="running", heartbeat_at=now(), **counted)
        session.add(job)
    app = open_page("models", at_rest=False)
    assert "Downloading · 100 MB of 605 MB" in app.get("progress")[0].proto.text
    app.button(f"stop_{job.id}").click()
    app.run()
    assert get_job(empty_home, job.id).stopping


def test_weights_that_could_not_be_downloaded_say_why_until_cleared(
    empty_home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_self: WeightStore, name: str, *_: object) -> Path:
        raise CheckpointError("the hub is down", "Try.", value=name)

    do_jobs_here(monkeypatch)
    monkeypatch.setattr(WeightStore, "download", refused)
    app = open_page("models")
    app.button(f"download_{MODEL}").click()
    app.run()
    assert "hub is down" in str(app.error[0].proto)
    click(app, "Clear the message")
    assert not app.error
    assert installing_jobs(empty_home) == {}


def test_a_file_that_is_not_the_weights_is_refused_by_name(
    empty_home: Home, open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_jobs_here(monkeypatch)
    file = tmp_path / "notes.safetensors"
    file.write_bytes(b"no weights")
    app = open_page("models")
    app.text_input(f"path_{MODEL}").input(str(file))
    next(button for button in app.button if button.key.endswith(f"add_{MODEL}-Check and install")).click()
    app.run()
    assert "notes.safetensors" in str(app.error[0].proto)
    assert list((empty_home.path / "weights").glob("*/*")) == []


def test_weights_are_removed(empty_home: Home, open_page: Open) -> None:
    part = empty_home.path / "weights" / f".part-{MODEL}"
    part.mkdir(parents=True)
    (part / "x.incomplete").write_bytes(bytes(2_000_000))
    app = open_page("models")
    app.button(f"remove_{MODEL}").click()
    settle(app.run())
    assert not part.exists()


def test_another_model_is_entered_and_forgotten(empty_home: Home, open_page: Open) -> None:
    app = open_page("models")
    app.text_input("enter_source").input("ViT-S-32")
    app.text_input("enter_name").input("mine")
    app.text_input("enter_licence").input("CC-BY-4.0")
    next(button for button in app.button if button.key.endswith("enter_model-Enter")).click()
    settle(app.run())
    assert empty_home.models.find("mine").licence == "CC-BY-4.0"
    assert "Licence: CC-BY-4.0" in all_text(app)
    app.button("leave_mine").click()
    settle(app.run())
    assert empty_home.models.known("mine") is None
