from __future__ import annotations

import open_clip
import PIL.Image
import pytest
import tokenizers
import torch
import torch.nn.functional as F
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from avion_core.backbones.demo_teacher import DemoTeacher
from avion_core.backbones.text_side import transformer_block
from avion_core.backbones.towers import (
    DemoTeacherTowers,
    OpenClipTowers,
    autocast,
    resolve_precision,
)
from avion_core.backbones.views import shortest_side_view
from avion_core.errors import CheckpointError, DataError

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
TEXTS = ["a satellite photo of a river.", "", "roofs", "many " * 90, "a harbour with boats at a long pier"]


def make_clip(*, quick_gelu: bool = False, seed: int = 0, **vision: object) -> open_clip.CLIP:
    """Random weights, spread widely enough that activation and mask show in the fifth decimal."""
    torch.manual_seed(seed)
    config = CONFIG | {"vision_cfg": CONFIG["vision_cfg"] | vision}
    clip = open_clip.CLIP(**config, quick_gelu=quick_gelu).eval()
    for parameter in clip.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(std=0.2)
    return clip


@pytest.fixture(scope="module")
def towers() -> OpenClipTowers:
    return OpenClipTowers("tiny", make_clip(), quick_gelu=False)


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("quick_gelu", [False, True])
def test_both_towers_equal_open_clip(quick_gelu: bool, pixels: torch.Tensor) -> None:
    clip = make_clip(quick_gelu=quick_gelu)
    towers = OpenClipTowers("tiny", clip, quick_gelu=quick_gelu)
    preprocess = open_clip.image_transform(32, is_train=False)
    views = torch.stack([preprocess(PIL.Image.fromarray(p.permute(1, 2, 0).numpy())) for p in pixels])
    with torch.no_grad():
        image = clip.encode_image(views, normalize=True)
        text = clip.encode_text(open_clip.get_tokenizer("ViT-B-32")(TEXTS), normalize=True)
    torch.testing.assert_close(towers.encode_image(pixels), image, atol=1e-5, rtol=0)
    torch.testing.assert_close(towers.encode_text(TEXTS), text, atol=1e-5, rtol=0)


def test_texts_come_back_in_order_over_many_batches(towers: OpenClipTowers) -> None:
    texts = [f"{'long ' * (i * 7 % 40)}text {i}" for i in range(150)]
    alone = torch.cat([towers.encode_text([text]) for text in texts])
    torch.testing.assert_close(towers.encode_text(texts), alone, atol=1e-6, rtol=0)


def test_no_text(towers: OpenClipTowers) -> None:
    assert towers.encode_text([]).shape == (0, 32)


def test_embeddings_are_float32_of_unit_norm_and_may_enter_a_loss(towers: OpenClipTowers, pixels: torch.Tensor) -> None:
    weight = torch.ones(32, requires_grad=True)
    for features in (towers.encode_image(pixels, "bfloat16"), towers.encode_text(TEXTS, "bfloat16")):
        assert features.dtype == torch.float32
        torch.testing.assert_close(features.norm(dim=1), torch.ones(5))
        (features * weight).sum().backward()
    assert weight.grad is not None
    assert not any(parameter.requires_grad for parameter in towers.clip.parameters())


def test_bfloat16_is_near_float32_and_another_arithmetic(towers: OpenClipTowers, pixels: torch.Tensor) -> None:
    full, half = towers.encode_image(pixels), towers.encode_image(pixels, "bfloat16")
    assert F.cosine_similarity(full, half).min() > 0.99
    assert not torch.equal(full, half)


def test_auto_precision_follows_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "amx_bf16": False})
    assert resolve_precision("auto", "cpu") == "float32"
    assert resolve_precision("auto", "cuda") == "bfloat16"
    assert resolve_precision("bfloat16", "cpu") == "bfloat16"
    for unit in ("avx512_bf16", "amx_bf16"):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda unit=unit: {unit: True})
        assert resolve_precision("auto", "cpu") == "bfloat16"
    with autocast("float32", "cpu"):
        assert not torch.is_autocast_enabled("cpu")
    with autocast("auto", "cpu"):
        assert torch.is_autocast_enabled("cpu")


def test_transformer_block_equals_open_clips_own(towers: OpenClipTowers) -> None:
    x = torch.randn(3, 9, 64)
    mask = torch.full((9, 9), float("-inf")).triu_(1)
    block = towers.clip.transformer.resblocks[1]
    torch.testing.assert_close(transformer_block(block, x), block(x), atol=1e-5, rtol=0)
    torch.testing.assert_close(transformer_block(block, x, causal=True), block(x, attn_mask=mask), atol=1e-5, rtol=0)


def test_context_is_cut_after_the_last_end_of_text(towers: OpenClipTowers) -> None:
    tokens = towers.tokenize(["roofs", "a long pier"])
    assert tokens.shape == (2, 77)
    cut = towers.text.cut(tokens)
    assert cut.shape == (2, 5)  # start, a, long, pier, end
    assert int(cut[1, -1]) == towers.tokenizer.eot_token_id
    assert towers.text.cut(tokens[:0]).shape == (0, 77)


def test_texts_past_the_context_are_named(towers: OpenClipTowers) -> None:
    assert towers.too_long(TEXTS) == [3]
    assert towers.too_long(["many " * 75, "many " * 76]) == [1]
    torch.testing.assert_close(towers.encode_text(["many " * 90]), towers.encode_text(["many " * 75]))


@pytest.mark.parametrize(("built", "said"), [(False, True), (True, False)])
def test_wrong_activation_is_refused(built: bool, said: bool) -> None:
    with pytest.raises(CheckpointError) as caught:
        OpenClipTowers("georsclip", make_clip(quick_gelu=built), quick_gelu=said)
    names = ("QuickGELU", "GELU") if said else ("GELU", "QuickGELU")
    assert f"trained with {names[0]}, but the towers are built with {names[1]}: georsclip." in str(caught.value)
    assert "-quickgelu" in caught.value.hint


def test_another_kind_of_text_tower_is_refused() -> None:
    clip = open_clip.CustomTextCLIP(**CONFIG)
    clip.text = torch.nn.Linear(2, 2)
    clip.text.context_length = 77
    with pytest.raises(CheckpointError, match="cannot be read: its text tower is a Linear: odd"):
        OpenClipTowers("odd", clip, quick_gelu=False)


def test_pixels_of_another_form_are_refused(towers: OpenClipTowers) -> None:
    for wrong in (torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 16, 32, dtype=torch.uint8)):
        with pytest.raises(DataError, match=r"reads uint8 pixels of shape \(B, 3, 32, 32\)"):
            towers.encode_image(wrong)


def test_weights_hash_covers_tensors_names_and_activation(towers: OpenClipTowers) -> None:
    assert OpenClipTowers("other name", make_clip(), quick_gelu=False).weights_hash == towers.weights_hash
    assert len(towers.weights_hash) == 16
    others = [make_clip(seed=1), make_clip(), make_clip()]
    others[1].ln_final.bias.data[3] += 1e-6
    swapped = others[2].visual.transformer.resblocks
    swapped[0], swapped[1] = swapped[1], swapped[0]
    hashes = {OpenClipTowers("tiny", clip, quick_gelu=False).weights_hash for clip in others}
    hashes.add(OpenClipTowers("tiny", make_clip(quick_gelu=True), quick_gelu=True).weights_hash)
    assert len(hashes | {towers.weights_hash}) == 5


@pytest.mark.parametrize("size", [(32, 32), (64, 48), (47, 101), (33, 32), (20, 31), (256, 256)])
def test_view_is_open_clips_own(size: tuple[int, int]) -> None:
    image = noise(size)
    with_torchvision = open_clip.image_transform(32, is_train=False).transforms[:2]
    reference = image
    for step in with_torchvision:
        reference = step(reference)
    reference = torch.frombuffer(bytearray(reference.tobytes()), dtype=torch.uint8).view(32, 32, 3).permute(2, 0, 1)
    view = shortest_side_view(image, 32)
    assert view.dtype == torch.uint8
    assert (view.int() - reference.int()).abs().max() <= 1  # the crop is resampled in place: last-bit rounding


def test_view_of_a_very_long_image_is_made_without_resizing_all_of_it() -> None:
    view = shortest_side_view(PIL.Image.new("RGB", (200_000, 1), (9, 8, 7)), 224)
    assert view.shape == (3, 224, 224)
    assert view[:, 0, 0].tolist() == [9, 8, 7]


def test_view_refuses_what_is_not_rgb() -> None:
    with pytest.raises(DataError, match=r"The image is not RGB: RGBA\. Open it with open_image"):
        shortest_side_view(PIL.Image.new("RGBA", (40, 40)), 32)


@pytest.fixture(scope="module")
def demo_teacher() -> DemoTeacherTowers:
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "roofs", "river", "a", "long", "pier"]
    tokenizer = tokenizers.Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return DemoTeacherTowers("demo-teacher", DemoTeacher(), tokenizer)


def test_demo_teacher_pads_without_effect_and_keeps_the_order(demo_teacher: DemoTeacherTowers) -> None:
    texts = ["a long pier", "roofs", "a long long long pier", "river"] * 20
    alone = torch.cat([demo_teacher.encode_text([text]) for text in texts[:4]])
    torch.testing.assert_close(demo_teacher.encode_text(texts), alone.repeat(20, 1), atol=1e-5, rtol=0)
    assert demo_teacher.encode_text([]).shape == (0, 384)
    assert demo_teacher.too_long(["river", "river " * 97, "river " * 96]) == [1]


def test_demo_teacher_sees_one_view_scaled_to_one(demo_teacher: DemoTeacherTowers) -> None:
    view = demo_teacher.prepare(noise((300, 260)))
    features = demo_teacher.encode_image(view[None])
    with torch.no_grad():
        expected = F.normalize(demo_teacher.model.encode_image(view[None] / 127.5 - 1))
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    assert features.shape == (1, demo_teacher.dim)
    assert demo_teacher.logit_scale == pytest.approx(14.0)


def noise(size: tuple[int, int]) -> PIL.Image.Image:
    width, height = size
    values = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    return PIL.Image.fromarray(values.numpy())
