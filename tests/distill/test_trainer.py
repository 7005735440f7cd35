"""The loop: it learns, stops and resumes to the bit, and refuses what it cannot do."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from avion_core.backbones.projection import fit_procrustes
from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import DistillationConfig, StudentConfig
from avion_core.distill.adapter import load_adapter, load_state, save_adapter, save_state
from avion_core.distill.loop import TrainingState
from avion_core.distill.tensor_file import read_tensors, write_tensors
from avion_core.distill.trainer import Trainer, TrainingData, predict_logits
from avion_core.errors import CheckpointError, TrainingError
from tests.tiny_clip import make_tiny_clip

CLASSES = ["airport", "forest", "harbor"]


def unit(*shape: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def make_trainer(
    towers: OpenClipTowers, teacher_dim: int = 48, precision: str = "float32", unlabelled: int = 0, **settings
) -> Trainer:
    """Four images of each of three classes, and some without a label; each class has a colour, so that there is
    something to learn."""
    config = DistillationConfig.model_validate({"epochs": 5, "batch_size": 4, "learning_rate": 0.01} | settings)
    student = PromptedStudent(towers, StudentConfig(), precision=getattr(torch, precision))
    labels = torch.arange(12) % 3
    generator = torch.Generator().manual_seed(7)
    pixels = torch.randint(0, 60, (12, 3, 32, 32), generator=generator, dtype=torch.uint8)
    pixels[torch.arange(12), labels] += 150
    prototypes = unit(3, teacher_dim, seed=1)
    images = F.normalize(prototypes[labels] + 0.3 * unit(12, teacher_dim, seed=2), dim=-1)
    pixels, labels, images, prototypes = (t.to(towers.device) for t in (pixels, labels, images, prototypes))
    data = TrainingData(
        pixels=pixels,
        image_ids=[f"image{i:02d}" for i in range(12)],
        labels=labels,
        classes=student.tokenize([f"a satellite photo of {c}." for c in CLASSES]),
        teacher_images=images,
        teacher_prototypes=prototypes,
        teacher_scale=20.0,
        validation_pixels=pixels[:6],
        validation_labels=labels[:6],
        unlabelled_pixels=(255 - pixels.flip(0))[:unlabelled] if unlabelled else None,
        teacher_unlabelled=unit(12, teacher_dim, seed=5)[:unlabelled].to(towers.device) if unlabelled else None,
    )
    projection = None
    if config.projection == "procrustes":
        f_s, g_s = towers.encode_image(pixels), towers.encode_text(CLASSES)
        projection = fit_procrustes(images, f_s, data.image_ids, prototypes, g_s, CLASSES)
    return Trainer(student, data, config, projection=projection, seed=3)


@pytest.mark.parametrize("projection", ["procrustes", "linear", "gram"])
def test_training_lowers_the_loss_and_learns_the_classes(tiny_clip: OpenClipTowers, projection: str) -> None:
    trainer = make_trainer(tiny_clip, projection=projection, epochs=15)
    before = {name: p.clone() for name, p in tiny_clip.clip.state_dict().items()}
    reports = list(trainer.run())
    assert [r.step for r in reports] == list(range(1, 46))
    assert reports[-1].values["task"] < 0.5 * reports[0].values["task"]
    assert reports[-1].values["validation_accuracy"] == 100.0
    assert {"task", "image", "text", "logit", "loss", "warmup", "rate"} <= set(reports[0].values)
    assert all(torch.equal(before[name], p) for name, p in tiny_clip.clip.state_dict().items())
    trained = sum(p.numel() for group in trainer.optimizer.param_groups for p in group["params"])
    prompts = 2 * 8 * 64 + 2 * 4 * 64
    assert trained == prompts + 1 + (32 * 48 if projection == "linear" else 0)


def test_the_total_is_the_weighted_sum_of_the_parts(tiny_clip: OpenClipTowers) -> None:
    settings = {"image_weight": 0.7, "text_weight": 0.2, "logit_weight": 0.9, "warmup": 0.5, "epochs": 4}
    for report in make_trainer(tiny_clip, **settings).run():
        v = report.values
        assert v["warmup"] == pytest.approx(min(1.0, (report.step - 1) / 6))
        total = v["task"] + 0.7 * v["image"] + 0.2 * v["text"] + v["warmup"] * 0.9 * v["logit"]
        assert v["loss"] == pytest.approx(total, rel=1e-5)


def test_teacher_logits_from_texts_and_images_by_hand(tiny_clip: OpenClipTowers) -> None:
    trainer = make_trainer(tiny_clip, teacher_logits="texts_and_images")
    data, sums = trainer.data, []
    for place in range(3):
        shots = data.teacher_images[data.labels == place]
        visual = F.normalize(F.normalize(shots, dim=1).mean(0), dim=0)
        sums.append(F.normalize(data.teacher_prototypes[place] + visual, dim=0))
    assert torch.allclose(trainer.teacher_logits, 20.0 * data.teacher_images @ torch.stack(sums).T, atol=1e-5)
    # The textual alignment keeps the text prototypes.
    assert torch.equal(trainer.text_target, make_trainer(tiny_clip).text_target)


def test_images_without_a_label_count_in_the_alignments_alone(tiny_clip: OpenClipTowers) -> None:
    trainer, without = make_trainer(tiny_clip, unlabelled=10), make_trainer(tiny_clip)
    data, batch = trainer.data, torch.tensor([0, 4, 5, 11])
    assert data.unlabelled_pixels is not None
    assert data.teacher_unlabelled is not None
    found, plain = trainer.losses(batch, 0), without.losses(batch, 0)
    assert torch.allclose(found["task"], plain["task"])
    assert torch.allclose(found["text"], plain["text"])

    _, places = trainer._with_unlabelled(batch, 0)
    more = places[4:] - 12
    f = trainer.student.encode_image(torch.cat([data.pixels[batch], data.unlabelled_pixels[more]]))
    g = trainer.student.encode_text(data.classes)
    seen = torch.cat([data.teacher_images[batch], data.teacher_unlabelled[more]])
    assert trainer.projection is not None
    assert torch.allclose(found["image"], (1 - (f * trainer.projection(seen)).sum(1)).mean(), atol=1e-5)
    own = F.log_softmax(trainer.student.logit_scale.exp() * f @ g.T / 2, dim=1)
    teacher = F.log_softmax(20.0 * seen @ data.teacher_prototypes.T / 2, dim=1)
    divergence = (teacher.exp() * (teacher - own)).sum(1).mean()
    assert torch.allclose(found["logit"], 4 * divergence, atol=1e-5)


def test_each_image_without_a_label_is_seen_once_a_pass(tiny_clip: OpenClipTowers) -> None:
    trainer = make_trainer(tiny_clip, unlabelled=10)
    seen = [int(p) - 12 for step in range(10) for p in trainer._with_unlabelled(torch.arange(4), step)[1][4:]]
    passes = [seen[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(one) == list(range(10)) for one in passes)
    assert len({tuple(one) for one in passes}) > 1


@pytest.mark.parametrize("unlabelled", [1, 3, 11])
def test_few_or_many_images_without_a_label_fill_a_step(tiny_clip: OpenClipTowers, unlabelled: int) -> None:
    trainer = make_trainer(tiny_clip, unlabelled=unlabelled)
    for step in range(trainer.steps):
        pixels, places = trainer._with_unlabelled(torch.arange(4), step)
        assert len(pixels) == len(places) == 8
        assert set((places[4:] - 12).tolist()) <= set(range(unlabelled))


def test_a_training_with_images_without_a_label_resumes_to_the_bit(tiny_clip: OpenClipTowers) -> None:
    settings = {"unlabelled": 7, "epochs": 4, "augment": True}
    whole, first, second = (make_trainer(tiny_clip, **settings) for _ in range(3))
    list(whole.run())
    stops = iter([False, False, False, False, True])
    saved: list[TrainingState] = []
    list(first.run(lambda: next(stops), saved.append))
    second.restore(saved[-1])
    list(second.run())
    assert all(torch.equal(tensor, second.learned()[name]) for name, tensor in whole.learned().items())


@pytest.mark.parametrize(("least", "steps"), [(0, 15), (15, 15), (16, 16), (40, 40)])
def test_a_training_has_its_least_steps(tiny_clip: OpenClipTowers, least: int, steps: int) -> None:
    trainer = make_trainer(tiny_clip, least_steps=least)
    assert trainer.steps == steps
    assert [report.step for report in trainer.run()][-1] == steps


def test_a_student_that_is_held_stays_nearer_to_what_it_was(tiny_clip: OpenClipTowers) -> None:
    free, held = (make_trainer(tiny_clip, epochs=8, frozen_weight=weight) for weight in (0.0, 20.0))
    before_images = tiny_clip.encode_image(held.data.pixels)
    before_texts = tiny_clip.encode_text([f"a satellite photo of {c}." for c in CLASSES])
    assert held.frozen_images is not None
    assert held.frozen_texts is not None
    assert torch.allclose(held.frozen_images, before_images, atol=1e-5)
    assert torch.allclose(held.frozen_texts, before_texts, atol=1e-5)
    reports = {name: list(trainer.run()) for name, trainer in (("free", free), ("held", held))}
    assert "frozen" not in reports["free"][0].values
    for report in reports["held"]:
        v = report.values
        total = v["task"] + 0.5 * v["image"] + 0.5 * v["text"] + v["warmup"] * v["logit"] + 20 * v["frozen"]
        assert v["loss"] == pytest.approx(total, rel=1e-5)
    kept = [
        F.cosine_similarity(trainer.student.encode_image(trainer.data.pixels), before_images).mean().item()
        for trainer in (free, held)
    ]
    assert kept[1] > kept[0]


def finish(trainer: Trainer) -> TrainingState:
    list(trainer.run())
    return trainer.snapshot()


def same(a: TrainingState, b: TrainingState) -> bool:
    slots = a.optimizer["state"], b.optimizer["state"]
    return (
        a.step == b.step
        and all(torch.equal(a.learned[n], b.learned[n]) for n in a.learned)
        and all(torch.equal(slots[0][i][n], slots[1][i][n]) for i in slots[0] for n in slots[0][i])
        and torch.equal(a.random, b.random)
        and a.accuracy == b.accuracy
        and a.best_step == b.best_step
        and all(torch.equal(a.best[n], b.best[n]) for n in a.best)
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("settings", [{}, {"augment": True, "schedule": "cosine"}, {"projection": "linear"}])
def test_stop_and_resume_is_bit_identical(tmp_path: Path, precision: str, settings: dict) -> None:
    whole = finish(make_trainer(make_tiny_clip(), precision=precision, **settings))

    broken = make_trainer(make_tiny_clip(), precision=precision, **settings)
    saved: list[int] = []

    def save(state: TrainingState) -> None:
        save_state(tmp_path / "state.safetensors", state, {"run": "test"})
        saved.append(state.step)

    assert len(list(broken.run(lambda: broken.state.step >= 8, save))) == 8
    assert saved == [8]
    resumed = make_trainer(make_tiny_clip(), precision=precision, **settings)
    state, facts = load_state(tmp_path / "state.safetensors")
    assert facts["run"] == "test"
    resumed.restore(state)
    assert same(finish(resumed), whole)
    assert not same(broken.snapshot(), whole)


@pytest.mark.parametrize("settings", [{}, {"projection": "linear"}, {"augment": True}])
def test_a_snapshot_stays_as_it_was_taken(settings: dict) -> None:
    trainer = make_trainer(make_tiny_clip(), validate_every=1, **settings)
    list(trainer.run(lambda: trainer.state.step >= 8))
    taken, kept = trainer.snapshot(), copy.deepcopy(trainer.snapshot())
    whole = finish(trainer)
    assert (kept.step, whole.step) == (8, 15)
    assert same(taken, kept)
    for _ in range(2):  # it can be gone on from more than once
        resumed = make_trainer(make_tiny_clip(), validate_every=1, **settings)
        resumed.restore(taken)
        assert same(finish(resumed), whole)
        assert same(taken, kept)


def test_different_seeds_give_different_students(tiny_clip: OpenClipTowers) -> None:
    first, second = make_trainer(tiny_clip), make_trainer(tiny_clip)
    second.seed = 4
    assert not torch.equal(finish(first).learned["visual_prompts"], finish(second).learned["visual_prompts"])


def test_checkpoints_come_by_time_and_at_the_end(tiny_clip: OpenClipTowers) -> None:
    steps: list[int] = []
    list(make_trainer(tiny_clip, epochs=2, checkpoint_seconds=0).run(save=lambda s: steps.append(s.step)))
    assert steps == [1, 2, 3, 4, 5, 6]
    steps.clear()
    list(make_trainer(tiny_clip, epochs=2, checkpoint_seconds=1000).run(save=lambda s: steps.append(s.step)))
    assert steps == [6]


def test_a_loss_that_is_not_a_number_names_step_and_images_and_saves_nothing(tiny_clip: OpenClipTowers) -> None:
    trainer = make_trainer(tiny_clip, checkpoint_seconds=0)
    steps: list[int] = []

    def save(state: TrainingState) -> None:
        steps.append(state.step)
        if state.step == 2:
            trainer.teacher_logits[:] = float("nan")

    with pytest.raises(TrainingError, match=r"not a number at step 3, images image\d\d, image.*learning_rate"):
        list(trainer.run(save=save))
    assert steps == [1, 2]


def test_a_gradient_that_is_not_a_number_leaves_the_last_good_checkpoint(tiny_clip: OpenClipTowers) -> None:
    trainer = make_trainer(tiny_clip, checkpoint_seconds=0)
    steps: list[int] = []

    def save(state: TrainingState) -> None:
        assert all(tensor.isfinite().all() for tensor in state.learned.values())
        steps.append(state.step)
        if state.step == 2:  # a sound loss, and an overflow on the way back
            trainer.student.visual_prompts.register_hook(lambda gradient: gradient * float("inf"))

    with pytest.raises(
        TrainingError, match=r"The student is not a number at step 3, images image\d\d.*Start a new run with a lower"
    ):
        list(trainer.run(save=save))
    assert steps == [1, 2]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_stop_and_resume_is_bit_identical_on_a_gpu(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    """With the two settings that docs/determinism.md names."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    try:
        whole = finish(make_trainer(make_tiny_clip(device="cuda"), precision=precision))
        broken = make_trainer(make_tiny_clip(device="cuda"), precision=precision)
        saved: list[TrainingState] = []
        list(broken.run(lambda: broken.state.step >= 8, saved.append))
        resumed = make_trainer(make_tiny_clip(device="cuda"), precision=precision)
        resumed.restore(saved[-1])
        assert same(whole, finish(resumed))
    finally:
        torch.use_deterministic_algorithms(False)


def test_dimensions_must_agree_without_a_map(tiny_clip: OpenClipTowers) -> None:
    with pytest.raises(
        TrainingError, match=r"differ in dimension: 48 and 32. Set distillation.projection to procrustes"
    ):
        make_trainer(tiny_clip, projection="none")
    reports = list(make_trainer(tiny_clip, teacher_dim=32, projection="none", epochs=1).run())
    assert len(reports) == 3


def test_the_map_must_be_given(tiny_clip: OpenClipTowers) -> None:
    trainer = make_trainer(tiny_clip)
    with pytest.raises(TrainingError, match=r"procrustes map is missing. Fit it"):
        Trainer(trainer.student, trainer.data, trainer.config)


FACTS = {
    "backbone": "tiny",
    "template": "{}",
    "class_names": {"a": "a"},
    "config": {"model": StudentConfig().model_dump()},
}


def test_an_adapter_goes_back_onto_its_backbone_and_reads_other_classes(
    tmp_path: Path, tiny_clip: OpenClipTowers
) -> None:
    trainer = make_trainer(tiny_clip)
    finish(trainer)
    save_adapter(tmp_path / "a.safetensors", trainer.learned(), FACTS | {"backbone_hash": tiny_clip.weights_hash})
    student, facts = load_adapter(tmp_path / "a.safetensors", make_tiny_clip())
    assert facts["class_names"] == {"a": "a"}
    pixels = trainer.data.pixels
    torch.testing.assert_close(
        predict_logits(student, pixels, trainer.data.classes),
        predict_logits(trainer.student, pixels, trainer.data.classes),
        atol=1e-4,
        rtol=0,
    )
    others = student.tokenize(["river", "lake", "desert", "beach"])
    assert predict_logits(student, pixels, others).shape == (12, 4)


def test_adapters_and_states_that_are_not_are_refused(tmp_path: Path, tiny_clip: OpenClipTowers) -> None:
    trainer = make_trainer(tiny_clip, epochs=1)
    facts = FACTS | {"backbone_hash": tiny_clip.weights_hash}
    good = tmp_path / "good.safetensors"
    save_adapter(good, trainer.learned(), facts)
    with pytest.raises(CheckpointError, match=r"was trained on other weights than other.*Load it on tiny"):
        load_adapter(good, make_tiny_clip(seed=9, name="other"))
    with pytest.raises(CheckpointError, match=r"does not exist: .*none.safetensors"):
        load_adapter(tmp_path / "none.safetensors", tiny_clip)
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(good.read_bytes()[:300])
    with pytest.raises(CheckpointError, match=r"not an AVION adapter, or is damaged"):
        load_adapter(torn, tiny_clip)
    with pytest.raises(CheckpointError, match=r"not a training state"):
        load_state(good)
    bad = trainer.learned() | {"visual_prompts": torch.full((2, 8, 64), float("inf"))}
    save_adapter(tmp_path / "inf.safetensors", bad, facts)
    with pytest.raises(CheckpointError, match=r"are not finite: visual_prompts"):
        load_adapter(tmp_path / "inf.safetensors", tiny_clip)
    few = trainer.learned() | {"visual_prompts": torch.zeros(2, 3, 64)}
    save_adapter(tmp_path / "few.safetensors", few, facts)
    with pytest.raises(CheckpointError, match=r"wrong shape for tiny: \(2, 3, 64\). This backbone takes \(2, 8, 64\)"):
        load_adapter(tmp_path / "few.safetensors", tiny_clip)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda t: t.pop("optimizer.0.exp_avg"), "(?i)tensors are missing in state"),
        (lambda t: t.update({"learned.logit_scale": torch.ones(3)}), "trained tensors are others"),
        (lambda t: t.update({"optimizer.0.exp_avg": torch.ones(2)}), "moments of its optimizer are others"),
        (lambda t: t.update({"random": torch.zeros(7, dtype=torch.uint8)}), "random state is not one"),
        (lambda t: t.update({"random": torch.zeros(5056)}), "random state is not one"),
    ],
)
def test_a_damaged_training_state_is_refused_and_named(tmp_path: Path, damage: Any, problem: str) -> None:
    broken = make_trainer(make_tiny_clip())
    path = tmp_path / "state.safetensors"
    list(broken.run(lambda: broken.state.step >= 3, lambda state: save_state(path, state, {"run": "test"})))
    tensors, facts = read_tensors(path, "a training state", ())
    damage(tensors)
    write_tensors(path, tensors, facts)
    with pytest.raises(CheckpointError, match=problem) as caught:
        make_trainer(make_tiny_clip()).restore(load_state(path)[0])
    assert "state.safetensors" in str(caught.value)
