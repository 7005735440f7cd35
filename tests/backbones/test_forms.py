"""Every published form of CLIP: frozen towers and prompted students against open_clip's own blocks, run plainly."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import StudentConfig
from avion_core.errors import CheckpointError, ConfigError
from tests.clip_forms import FORMS, SIDE, make_clip, make_towers

TEXTS = ["a satellite photo of airport.", "a satellite photo of dense residential.", "harbor", "a satellite photo"]
PROMPTED = [form for form in FORMS if form != "mobileclip2"]
OPEN = ("mobileclip2", "siglip")
"""Forms whose text tokens see all others."""


@pytest.fixture(params=FORMS)
def towers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenClipTowers:
    return make_towers(request.param, tmp_path_factory.getbasetemp())


def pixels(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)


def make_student(towers: OpenClipTowers, depth: str = "deep") -> PromptedStudent:
    """Prompts large enough that a wrong place or a dropped layer cannot hide."""
    visual = 3 if towers.image.takes_prompts else 0
    student = PromptedStudent(towers, StudentConfig(visual_prompts=visual, text_prompts=2, depth=depth), seed=1)
    with torch.no_grad():
        student.visual_prompts.mul_(25)
        student.text_prompts.mul_(25)
    return student


def text_of(towers: OpenClipTowers) -> object:
    return getattr(towers.clip, "text", towers.clip)


def slow_text(student: PromptedStudent, text: str) -> Tensor:
    """One text at its full length by open_clip's blocks, prompts put in and taken out around each."""
    towers = student.backbone
    tower, starts = text_of(towers), 0 if towers.name == "siglip" else 1
    tokens = towers.tokenize([text])
    end = {"siglip": tokens.shape[1] - 1}.get(towers.name, int(tokens[0].argmax()))
    x = tower.token_embedding(tokens) + tower.positional_embedding
    count = student.text_prompts.shape[1]
    mask = None
    if towers.name not in OPEN:
        mask = torch.full((x.shape[1] + count,) * 2, float("-inf")).triu(1)
    for number, block in enumerate(tower.transformer.resblocks):
        if number < len(student.text_prompts):
            x = torch.cat([x[:, :starts], student.text_prompts[number : number + 1], x[:, starts:]], dim=1)
        x = block(x, attn_mask=mask)
        if student.config.depth == "deep":
            x = torch.cat([x[:, :starts], x[:, starts + count :]], dim=1)
    place = end if student.config.depth == "deep" else end + count
    x = tower.ln_final(x)[:, place]
    projection = tower.text_projection
    return F.normalize(projection(x) if callable(projection) else x @ projection, dim=-1)[0]


def slow_image(student: PromptedStudent, image: Tensor) -> Tensor:
    """One image by the tower's own blocks; rotary towers are told that prompts are among the first tokens."""
    towers, prompts = student.backbone, student.visual_prompts
    count, deep = prompts.shape[1], student.config.depth == "deep"
    visual, x = copy.deepcopy(towers.clip.visual), towers.normalize(image[None])
    if not hasattr(visual, "trunk"):
        x, blocks, keywords, first = visual._embeds(x), visual.transformer.resblocks, {}, 1
    elif towers.name == "pe":
        x, rope = visual.trunk._pos_embed(visual.trunk.patch_embed(x))
        x, blocks, keywords, first = visual.trunk.norm_pre(x), visual.trunk.blocks, {"rope": rope}, 1
    else:
        x, blocks, keywords, first = visual.trunk._pos_embed(visual.trunk.patch_embed(x)), visual.trunk.blocks, {}, 0
    for number, block in enumerate(blocks):
        if number < len(prompts):
            x = torch.cat([x[:, :first], prompts[number : number + 1], x[:, first:]], dim=1)
        if keywords:
            block.attn.num_prefix_tokens = first + count
        x = block(x, **keywords)
        if deep:
            x = torch.cat([x[:, :first], x[:, first + count :]], dim=1)
    x = x if deep else torch.cat([x[:, :first], x[:, first + count :]], dim=1)
    if hasattr(visual, "trunk"):
        return F.normalize(visual.head(visual.trunk.forward_head(visual.trunk.norm(x))), dim=-1)[0]
    pooled, _ = visual._pool(x)
    return F.normalize(pooled @ visual.proj, dim=-1)[0]


def test_frozen_towers_equal_open_clip(towers: OpenClipTowers) -> None:
    with torch.no_grad():
        image = towers.clip.encode_image(towers.normalize(pixels(3)), normalize=True)
        text = towers.clip.encode_text(towers.tokenize(TEXTS), normalize=True)
    torch.testing.assert_close(towers.encode_image(pixels(3)), image, atol=1e-5, rtol=0)
    torch.testing.assert_close(towers.encode_text(TEXTS), text, atol=1e-5, rtol=0)
    assert (text[0] - text[1]).norm() > 1e-3


def test_a_student_without_prompts_equals_open_clip(towers: OpenClipTowers) -> None:
    student = PromptedStudent(towers, StudentConfig(visual_prompts=0, text_prompts=0))
    with torch.no_grad():
        image = towers.clip.encode_image(towers.normalize(pixels(3)), normalize=True)
        text = towers.clip.encode_text(towers.tokenize(TEXTS), normalize=True)
        torch.testing.assert_close(student.encode_image(pixels(3)), image, atol=1e-5, rtol=0)
        torch.testing.assert_close(student.encode_text(student.tokenize(TEXTS)), text, atol=1e-5, rtol=0)


@pytest.mark.parametrize("depth", ["deep", "shallow"])
def test_a_prompted_student_equals_the_plain_way(towers: OpenClipTowers, depth: str) -> None:
    student = make_student(towers, depth)
    with torch.no_grad():
        expected = torch.stack([slow_text(student, text) for text in TEXTS])
        torch.testing.assert_close(student.encode_text(student.tokenize(TEXTS)), expected, atol=1e-5, rtol=0)
        plain = PromptedStudent(towers, StudentConfig(visual_prompts=0, text_prompts=0))
        assert (plain.encode_text(plain.tokenize(TEXTS)) - expected).abs().max() > 1e-3
        if towers.image.takes_prompts:
            expected = torch.stack([slow_image(student, image) for image in pixels(2)])
            torch.testing.assert_close(student.encode_image(pixels(2)), expected, atol=1e-5, rtol=0)
            assert (plain.encode_image(pixels(2)) - expected).abs().max() > 1e-3


def test_order_and_company_change_nothing(towers: OpenClipTowers) -> None:
    student = make_student(towers)
    with torch.no_grad():
        for model in (lambda texts: student.encode_text(student.tokenize(texts)), towers.encode_text):
            together = model(TEXTS)
            torch.testing.assert_close(together, model(TEXTS[::-1]).flip(0), atol=1e-5, rtol=0)
            torch.testing.assert_close(together, torch.cat([model([text]) for text in TEXTS]), atol=1e-5, rtol=0)
        alone = torch.cat([student.encode_image(image[None]) for image in pixels(4)])
        torch.testing.assert_close(student.encode_image(pixels(4)), alone, atol=1e-5, rtol=0)


def test_prompts_of_every_layer_get_gradients_and_weights_none(towers: OpenClipTowers) -> None:
    student = make_student(towers)
    (student.encode_image(pixels(2)) @ student.encode_text(student.tokenize(TEXTS)).T).square().sum().backward()
    assert all(layer.abs().sum() > 0 for layer in student.text_prompts.grad)
    if towers.image.takes_prompts:
        assert all(layer.abs().sum() > 0 for layer in student.visual_prompts.grad)
    assert all(parameter.grad is None for parameter in towers.clip.parameters())


def test_who_sees_whom(towers: OpenClipTowers) -> None:
    """What stands after the place that is read matters just where tokens see all others."""
    student = make_student(towers)
    tokens = towers.tokenize(TEXTS[2:3])
    changed = tokens.clone()
    changed[0, -2] = 4  # padding, far behind the word; the last place is read by SigLIP
    read = [towers.encode_tokens, lambda ids: student.encode_text(student.batch(ids))]
    for model in read:
        with torch.no_grad():
            moved = (model(tokens) - model(changed)).abs().max()
        assert (moved > 1e-5) == (towers.name in OPEN)


def test_long_texts_keep_their_end_and_are_named(towers: OpenClipTowers) -> None:
    length = towers.clip.context_length
    room = length - (1 if towers.name == "siglip" else 2)
    fits, runs_past = "a " * room, "a " * (room + 1)
    assert towers.too_long([fits, runs_past, "sea"]) == [1]
    tokens = towers.tokenize([fits, runs_past])
    assert tokens.shape == (2, length)
    assert torch.equal(tokens[0], tokens[1])
    assert int(tokens[1, -1]) == (1 if towers.name == "siglip" else 49407)
    assert towers.text.ends(tokens).tolist() == [length - 1] * 2


def test_words_in_the_place_of_the_template(towers: OpenClipTowers) -> None:
    """CoOp's way: vectors that equal the words whose places they take change nothing, one group for each image."""
    encoders = FrozenEncoders(towers)
    batch = encoders.tokenize(TEXTS[:2])
    starts = towers.text.starts
    words = towers.text.token_embedding(batch.tokens[0, starts : starts + 3])  # "a satellite photo"
    with torch.no_grad():
        plain = encoders.text(batch)
        torch.testing.assert_close(encoders.text(batch, [words], as_words=True), plain, atol=1e-5, rtol=0)
        groups = torch.stack([words, -words])
        both = encoders.text(batch, [groups], as_words=True)
        torch.testing.assert_close(both[:2], plain, atol=1e-5, rtol=0)
        torch.testing.assert_close(both[2:], encoders.text(batch, [-words], as_words=True), atol=1e-5, rtol=0)
        assert (both[2:] - plain).abs().max() > 1e-3


def test_half_precision_stays_close(towers: OpenClipTowers) -> None:
    full = PromptedStudent(towers, StudentConfig(visual_prompts=0, text_prompts=2))
    half = PromptedStudent(towers, StudentConfig(visual_prompts=0, text_prompts=2), precision=torch.bfloat16)
    with torch.no_grad():
        for one, other in (
            (full.encode_image(pixels(3)), half.encode_image(pixels(3))),
            (full.encode_text(full.tokenize(TEXTS)), half.encode_text(half.tokenize(TEXTS))),
        ):
            assert other.dtype == torch.float32
            assert F.cosine_similarity(one, other).min() > 0.99


def test_a_convolutional_tower_takes_no_visual_prompts(tmp_path: Path) -> None:
    towers = make_towers("mobileclip2", tmp_path)
    with pytest.raises(
        ConfigError, match=r"convolutional and takes no prompts: mobileclip2\. Set model\.visual_prompts"
    ):
        PromptedStudent(towers, StudentConfig())


def test_a_sigmoid_trained_model_keeps_its_bias_and_its_scale(tmp_path: Path) -> None:
    towers = make_towers("siglip", tmp_path)
    assert towers.logit_bias == -10.0
    student = PromptedStudent(towers, StudentConfig())
    with torch.no_grad():
        f, g = towers.clip.encode_image(towers.normalize(pixels(2)), normalize=True), towers.encode_text(TEXTS)
        own, _ = towers.clip.get_logits(towers.normalize(pixels(2)), towers.tokenize(TEXTS))
        torch.testing.assert_close(towers.logit_scale * f @ g.T + towers.logit_bias, own, atol=1e-4, rtol=0)
        student.logit_scale.fill_(6.0)
    student.clamp_scale()
    assert student.logit_scale.item() == pytest.approx(4.7)  # above ln 100, where it began


def test_a_model_of_another_family_is_refused() -> None:
    clip = make_clip("clip")
    clip.text_pool_type = "none"
    with pytest.raises(CheckpointError, match="its texts are read at no one place"):
        OpenClipTowers("odd", clip, quick_gelu=False)
