"""Methods that are trained step by step: each starts where its paper says, and all can be stopped and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.prompted import PromptedStudent
from avion_core.config import StudentConfig
from avion_core.data.project import ProjectData
from avion_core.errors import CheckpointError, ConfigError
from avion_core.methods import METHODS, find_method
from avion_core.methods.clip_lora import ClipLora
from avion_core.methods.context import ContextLearner
from avion_core.methods.events import Metrics, Stopped
from avion_core.methods.learner import Learner
from avion_core.methods.method import Method, Task
from avion_core.methods.prompt_src import gaussian_weights
from avion_core.methods.step_trained import StepTrained
from avion_core.methods.zero_shot import ZeroShot
from avion_core.presets import make_config
from tests import tiny_studio
from tests.methods.tiny_task import NAMES, SHORT, make_bench, make_task
from tests.tiny_clip import make_tiny_clip

TRAINED = [name for name in METHODS if issubclass(find_method(name), StepTrained)]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)


@pytest.fixture
def task_of(project: ProjectData, tmp_path: Path) -> Callable[..., Task]:
    """A task for a method with options, in a folder of its own."""

    def make(name: str, folder: str = "run", **options: Any) -> Task:
        shared = {"method": name, "data.shots": 2, "model.template": "a satellite photo of {}."}
        own = {f"options.{key}": value for key, value in ({"precision": "float32"} | options).items()}
        return make_task(project, make_config(overrides=shared | own, base=tiny_studio.TINY), tmp_path, folder)

    return make


def short(name: str) -> dict[str, Any]:
    """A method's own settings for a few steps."""
    return {key.removeprefix("options."): value for key, value in SHORT[name].items()}


def fitted(task: Task) -> Method:
    method = find_method(task.config.method)(task.bench, task.config.options)
    for _ in method.fit(task):
        pass
    return method


def made(task: Task) -> Any:
    """The learner of a task's method as it starts."""
    method = find_method(task.config.method)(task.bench, task.config.options)
    assert isinstance(method, StepTrained)
    learner = method.make(FrozenEncoders(task.bench.backbone()))
    method.prepare(learner, task)
    return learner.eval()


def logits_of(learner: Learner, task: Task) -> torch.Tensor:
    with torch.no_grad():
        seen = task.bench.see(learner.tower(), task.project, task.validation.image_ids)
        return learner.logits(seen, learner.read(list(NAMES.values())))


def zero_shot(task: Task, template: str | None = None) -> torch.Tensor:
    config = task.config
    if template is not None:
        config = make_config(overrides={"model.template": template}, base=tiny_studio.TINY)
    bench = make_bench(config, task.bench.features.folder.parent)
    method = ZeroShot(bench)
    again = Task(task.project, task.classes, config, bench)
    assert list(method.fit(again)) == []
    return method.logits(task.project, task.validation.image_ids, task.classes)


def same(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=2e-4, rtol=1e-4)


def test_coop_without_context_is_zero_shot_by_the_bare_names(task_of) -> None:
    task = task_of("coop")
    learner = ContextLearner(FrozenEncoders(task.bench.backbone()), "a satellite photo of {}.", 0, "random", seed=1)
    same(logits_of(learner, task), zero_shot(task, "{}."))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("coop", {"start": "template", "tokens": 4}),
        ("coop", {"start": "template", "tokens": 2}),
        ("clip_lora", {}),
        ("full_fine_tuning", {}),
        ("tip_adapter_f", {}),
    ],
)
def test_what_starts_from_the_backbone_is_zero_shot_at_first(task_of, name: str, options: dict[str, Any]) -> None:
    task = task_of(name, **options)
    learner = made(task)
    if name == "tip_adapter_f":
        learner.strengths[0] = 0.0
    same(logits_of(learner, task), zero_shot(task))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("coop", {"start": "template", "tokens": 4, "epochs": 2}),
        ("full_fine_tuning", {"epochs": 2}),
        ("clip_lora", {"iterations": 2}),
    ],
)
def test_at_a_rate_of_0_they_stay_zero_shot(task_of, monkeypatch, name: str, options: dict[str, Any]) -> None:
    monkeypatch.setattr(ClipLora.Settings, "lowest_rate", 0.0)
    task = task_of(name, learning_rate=0, **options)
    method = fitted(task)
    same(method.logits(task.project, task.validation.image_ids, task.classes), zero_shot(task))


def test_deep_vpt_is_avion_s_visual_prompts_alone(task_of) -> None:
    task = task_of("vpt_deep", tokens=3)
    learner = made(task)
    student = PromptedStudent(task.bench.backbone(), StudentConfig(visual_prompts=3, text_prompts=0))
    pixels = torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        student.visual_prompts.copy_(learner.visual_prompts)
        assert torch.equal(learner.see(pixels), student.encode_image(pixels))
        sentences = student.tokenize([f"a satellite photo of {name}." for name in NAMES.values()])
        same(learner.read(list(NAMES.values())), student.encode_text(sentences))
    shallow = made(task_of("vpt_shallow", tokens=3))
    assert [tuple(p.shape) for p in shallow.parameters()] == [(1, 3, 64)]


def test_each_image_s_own_context_is_that_of_one_image_at_a_time(task_of) -> None:
    """The encoders run all images' contexts at once; a prompt of one row must give the same."""
    for name in ("cocoop", "applenet"):
        task = task_of(name)
        learner = made(task)
        names = list(NAMES.values())
        seen = task.bench.see(learner.tower(), task.project, task.validation.image_ids)
        with torch.no_grad():
            found = learner.logits(seen, learner.read(names))
            for place, one in enumerate(seen):
                context = learner.contexts(one[None])[0]
                g = learner.encoders.text(learner.read(names), [context], as_words=True)
                same(found[place], learner.scale * g @ one[: g.shape[1]])


def test_prompts_of_maple_match_a_slow_reference(task_of) -> None:
    """Prompts at the end of the image's sequence, as the authors have them; ours stand after the class token."""
    task = task_of("maple")
    learner = made(task)
    visual: Any = task.bench.backbone().clip.visual
    pixels = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        clean = visual.conv1(task.bench.backbone().normalize(pixels)).flatten(2).transpose(1, 2)
        x = torch.cat([visual.class_embedding.expand(2, 1, -1), clean], 1) + visual.positional_embedding
        first = learner.maps[0](learner.context).expand(2, -1, -1)
        x = visual.ln_pre(torch.cat([x, first], 1))
        for layer, block in enumerate(visual.transformer.resblocks):
            if layer:
                deeper = learner.maps[layer](learner.deeper[layer - 1])
                x = torch.cat([x[:, :-2], deeper.expand(2, -1, -1)], 1)
            x = block(x)
        expected = torch.nn.functional.normalize(visual.ln_post(x[:, 0]) @ visual.proj, dim=1)
        torch.testing.assert_close(learner.see(pixels), expected, atol=1e-5, rtol=0)


def test_prompt_src_without_regularizers_is_its_plain_prompts(task_of) -> None:
    off = {"text_weight": 0, "image_weight": 0, "logit_weight": 0, "average": False, "epochs": 2}
    task = task_of("prompt_src", **off)
    learner = made(task)
    pixels = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    classes, labels = learner.read(list(NAMES.values())), torch.tensor([0, 2])
    seen = learner.see(pixels)
    loss = learner.losses(seen, classes, labels, torch.tensor([0, 1]))["loss"]
    plain = torch.nn.functional.cross_entropy(learner.logits(seen, classes), labels)
    torch.testing.assert_close(loss, plain)
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in learner.parameters())
    parts = made(task_of("prompt_src", epochs=2)).losses(seen.detach(), classes, labels, torch.tensor([0, 1]))
    weighted = parts["task"] + 25 * parts["text"] + 10 * parts["image"] + parts["logit"]
    torch.testing.assert_close(parts["loss"], weighted)


def test_gaussian_weights_sum_to_1_and_peak_where_they_should() -> None:
    weights = gaussian_weights(20, 0.75, 0.05)
    assert sum(weights) == pytest.approx(1)
    assert max(range(20), key=lambda place: weights[place]) == 14
    assert gaussian_weights(1, 0.75, 0.001) == [1.0]


def test_prompt_src_ends_on_the_mean_of_its_prompts(task_of, tmp_path: Path) -> None:
    task = task_of("prompt_src", epochs=2, batch_size=6, average_at=0.5, average_width=10)
    method = fitted(task)
    learner: Any = method.learner  # type: ignore[attr-defined]
    assert torch.equal(learner.context, learner.get_buffer("mean_context"))
    other = fitted(task_of("prompt_src", "other", epochs=2, batch_size=6, average=False))
    assert not torch.equal(other.learner.context, learner.context)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", TRAINED)
def test_a_stopped_training_resumes_to_the_same_bits_and_is_read_back(task_of, name: str) -> None:
    options = short(name) | ({"augment": True} if name in ("coop", "maple") else {})
    whole = fitted(task_of(name, "whole", **options))
    task = task_of(name, "broken", checkpoint_seconds=0, **options)
    answers: Iterator[bool] = iter([False, True])
    stopping = make_task(task.project, task.config, task.folder.parent, "broken", should_stop=lambda: next(answers))  # type: ignore[union-attr]
    events = list(find_method(name)(task.bench, task.config.options).fit(stopping))
    assert isinstance(events[-1], Stopped)
    assert events[-1].step == 2
    resumed = fitted(task)
    assert resumed.trained_parameters == whole.trained_parameters > 0
    one, other = (method.learner.state_dict() for method in (whole, resumed))  # type: ignore[attr-defined]
    assert all(torch.equal(one[key], other[key]) for key in one)
    images = task.validation.image_ids
    expected = whole.logits(task.project, images, task.classes)
    again = find_method(name)(task.bench, task.config.options)
    again.load(task.folder)  # type: ignore[arg-type]
    torch.testing.assert_close(again.logits(task.project, images, task.classes), expected)
    assert again.trained_parameters == whole.trained_parameters
    assert again.logits(task.project, images, task.classes[:2]).shape == (3, 2)  # any classes, with others' names
    seconds = resumed.summary()["training_seconds"]
    assert seconds > 0


@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_and_tells_its_loss(task_of, name: str) -> None:
    """On what it learns from; rates are raised, for so few steps of towers so small."""
    rate = {"full_fine_tuning": 1e-3, "clip_lora": 1e-2, "tip_adapter_f": 1e-2, "prompt_kd": 0.05}.get(name, 0.2)
    options = {"iterations": 15} if name == "clip_lora" else {"epochs": 15}
    if name == "clip_lora":
        options |= {"dropout": 0.0}  # type: ignore[dict-item]
    task = task_of(name, learning_rate=rate, batch_size=6, warmup_epochs=0, **options)
    method = find_method(name)(task.bench, task.config.options)
    told = [event for event in method.fit(task) if isinstance(event, Metrics)]
    assert len(told) == method.steps(task.config, 6)
    assert {"loss", "rate"} <= set(told[0].values)
    assert min(event.values["loss"] for event in told[-3:]) < told[0].values["loss"]
    assert any("validation_accuracy" in event.values for event in told)


@pytest.mark.parametrize("name", ["coop", "vpt_shallow", "prompt_kd", "tip_adapter_f"])
def test_it_is_trained_without_validation_images(task_of, name: str) -> None:
    task = task_of(name, **short(name))
    none = replace(task.project, splits=replace(task.project.splits, validation={1: {}, 2: {}, 3: {}}))
    method = find_method(name)(task.bench, task.config.options)
    told = [event for event in method.fit(replace(task, project=none)) if isinstance(event, Metrics)]
    assert told
    assert not any("validation_accuracy" in event.values for event in told)


def test_other_weights_are_refused(task_of, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of("coop", **short("coop"))
    fitted(task)
    monkeypatch.setattr(task.bench.towers("student"), "weights_hash", "exchanged")
    with pytest.raises(CheckpointError, match="on other weights than"):
        find_method("coop")(task.bench, task.config.options).load(task.folder)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="on other weights than"):
        fitted(task)


@pytest.mark.parametrize("name", ["coop", "cocoop", "applenet", "maple", "prompt_src"])
def test_a_template_without_words_to_start_from_is_refused(name: str) -> None:
    wanted = {"method": name, "model.template": "{}", "options.start": "template"}
    with pytest.raises(ConfigError, match=r"template has 0 words before the class name.*options\.start to random"):
        make_config(overrides=wanted)
    assert make_config(overrides=wanted | {"options.start": "random"}).method == name


def test_coop_s_passes_follow_the_shots() -> None:
    method = find_method("coop")
    steps = {
        shots: method.steps(make_config(overrides={"method": "coop", "data.shots": shots}), 10 * shots)
        for shots in (1, 2, 4, 8, 16)
    }
    assert steps == {1: 50 * 1, 2: 100 * 1, 4: 100 * 2, 8: 200 * 3, 16: 200 * 5}
    lora = make_config(overrides={"method": "clip_lora", "data.shots": 4})
    assert find_method("clip_lora").steps(lora, 84) == 2000


def test_dropout_of_lora_is_of_training_alone(task_of) -> None:
    learner = made(task_of("clip_lora"))
    with torch.no_grad():
        learner.visual_b.normal_()
        pixels = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
        still = [learner.eval().see(pixels) for _ in range(2)]
        assert torch.equal(*still)
        learner.train()
        learner.dropping.manual_seed(1)
        moved = learner.see(pixels)
        assert not torch.equal(moved, still[0])
        learner.dropping.manual_seed(1)
        assert torch.equal(learner.see(pixels), moved)


def test_low_rank_changes_are_those_of_merged_weights(task_of) -> None:
    learner = made(task_of("clip_lora"))
    clip: Any = make_tiny_clip().clip
    with torch.no_grad():
        learner.text_b.normal_(std=0.1)
        for layer, block in enumerate(clip.transformer.resblocks):
            change = (learner.text_b[layer] @ learner.text_a[layer]).flatten(0, 1)  # (3 width, width)
            block.attn.in_proj_weight.add_(learner.strength * change)
        tokens = learner.encoders.backbone.tokenize([f"a satellite photo of {name}." for name in NAMES.values()])
        merged = torch.nn.functional.normalize(clip.encode_text(tokens), dim=1)
        found = learner.encoders.text(learner.read(list(NAMES.values())))
        torch.testing.assert_close(found, merged, atol=1e-5, rtol=0)
