"""What a training will take: from earlier runs of this machine where there are any, and it says from what."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from avion_core.jobs.process import this_process
from avion_core.store.database import writing
from avion_core.store.runs import find_run
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.runs import estimate as module
from avion_core.usecases.runs.estimate import estimate
from avion_core.usecases.runs.launching import create_run


@pytest.fixture
def config(home, described):
    return lambda **overrides: run_config(home, described.id, overrides=overrides)


@pytest.fixture
def measured(home, described, tiny_towers):
    """An earlier run on this machine: 0.5 s a step, 2 GB, 30 s before the first step."""

    def put(**row):
        run = create_run(home, described.id)
        values = {"seconds_per_step": 0.5, "peak_bytes": 2_000_000_000, "preparation_seconds": 30.0}
        here = {"host": this_process().host, "state": "finished"}
        with writing(home.engine) as session:
            found = find_run(session, run)
            for name, value in (values | here | row).items():
                setattr(found.job if hasattr(found.job, name) else found, name, value)

    return put


@pytest.fixture(autouse=True)
def known_speed(monkeypatch):
    monkeypatch.setattr(module, "_speed", lambda *_: 1e10)
    monkeypatch.setattr(module, "waiting_for_processors", lambda: 0.0)  # whatever else this machine does now


def test_without_earlier_runs_it_is_reckoned_and_says_so(home, described, config):
    found = estimate(home, described.id, config())
    assert found is not None
    assert found.steps == 6  # 3 epochs of 6 images, 3 at a time
    assert found.preparation_seconds is None
    assert "No training with this student has run on this machine yet" in found.basis
    assert "10 GFLOP/s" in found.basis
    # ViT-B/32 at 224 px with 2 prompts: 12 blocks of 768 on 52 tokens, B 3; text 12 of 512 on 10 tokens, C 3.
    work = 48 * (12 * 768**2 * 52 * 3 + 12 * 512**2 * 10 * 3)
    assert found.seconds == pytest.approx(6 * work / (0.35 * 1e10))
    # Both models in float32 are the most of it.
    assert found.peak_bytes > 4 * (151_277_313 + 986_109_441)


def test_more_work_takes_longer(home, described, config):
    def seconds(**overrides):
        return estimate(home, described.id, config(**overrides)).seconds

    assert seconds(**{"distillation.epochs": 30}) == pytest.approx(10 * seconds())
    # The same images in fewer steps, so the texts are run less often.
    assert seconds(**{"distillation.batch_size": 6}) < seconds()


def test_half_of_the_classes_take_less(home, four):
    few, halves = (
        estimate(home, four.id, run_config(home, four.id, overrides={"protocol.name": name}))
        for name in ("few-shot", "base-to-novel")
    )
    assert few is not None
    assert halves is not None
    assert halves.steps < few.steps
    assert halves.seconds < few.seconds


def test_what_is_solved_in_closed_form_takes_seconds(home, described, config):
    found = estimate(home, described.id, config(method="class_mean"))
    assert found is not None
    assert (found.steps, found.seconds < 10) == (1, True)
    assert "Nothing is trained step by step" in found.basis


def test_earlier_runs_with_such_steps_are_taken_as_they_are(home, described, config, measured):
    measured()
    measured(seconds_per_step=0.7, preparation_seconds=10.0)
    measured(seconds_per_step=0.6, preparation_seconds=20.0)
    found = estimate(home, described.id, config())
    assert (found.seconds, found.preparation_seconds) == (pytest.approx(6 * 0.6), 20.0)
    assert found.peak_bytes == 2_000_000_000
    assert found.basis == "Measured on 3 earlier runs on this machine with steps of the same size."


def test_other_steps_are_taken_in_proportion(home, described, config, measured):
    measured()
    found = estimate(home, described.id, config(**{"distillation.batch_size": 6}))
    assert found.steps == 3
    assert 0.5 < found.seconds / found.steps < 1.0
    assert "scaled by the work of a step: a rough figure" in found.basis


@pytest.mark.parametrize("elsewhere", [{"host": "far-away"}, {"device": "GPU 1"}, {"seconds_per_step": None}])
def test_runs_of_other_machines_and_devices_do_not_count(home, described, config, measured, elsewhere):
    measured(**elsewhere)
    assert "No training with this student has run" in estimate(home, described.id, config()).basis


def test_what_cannot_be_trained_has_no_estimate(home, described, config):
    assert estimate(home, described.id, config(student="demo-teacher")) is None
    assert estimate(home, described.id, config(student="nosuch")) is None


def test_the_speed_is_measured(monkeypatch):
    monkeypatch.undo()
    assert 1e8 < module._speed(False, 64) < 1e14


def test_on_a_busy_machine_it_is_longer_and_says_so(home, described, config, measured, monkeypatch):
    measured()
    quiet = estimate(home, described.id, config())
    assert "busy" not in quiet.basis
    monkeypatch.setattr(module, "processors", lambda: 2)
    monkeypatch.setattr(module, "waiting_for_processors", lambda: 6.0)
    busy = estimate(home, described.id, config())
    # Two threads of the run beside six others on two processors: a quarter of the speed.
    assert busy.seconds == pytest.approx(4 * quiet.seconds)
    assert busy.preparation_seconds == pytest.approx(4 * quiet.preparation_seconds)
    assert "6 threads of other programs want its 2 processors, so this is 4.0 times" in busy.basis
    assert "off by more than a factor of two" in busy.basis
    monkeypatch.setattr(module, "waiting_for_processors", lambda: 0.4)
    assert estimate(home, described.id, config()) == quiet


def test_a_training_of_ours_is_no_other_program(home, described, config, measured, monkeypatch):
    """The run waits until it has ended."""
    measured()
    quiet = estimate(home, described.id, config())
    monkeypatch.setattr(module, "processors", lambda: 2)
    monkeypatch.setattr(module, "waiting_for_processors", lambda: 2.0)
    assert estimate(home, described.id, config()).seconds == pytest.approx(2 * quiet.seconds)
    monkeypatch.setattr(module, "active_jobs", lambda _: [SimpleNamespace(state="running")])
    assert estimate(home, described.id, config()) == quiet


@pytest.mark.parametrize(("others", "share"), [(None, 1.0), (0.3, 0.7), (0.9, 0.5)])
def test_steps_of_an_earlier_run_count_without_what_others_took(home, described, config, measured, others, share):
    measured(summary={"others_at_work": others})
    assert estimate(home, described.id, config()).seconds == pytest.approx(6 * 0.5 * share)
