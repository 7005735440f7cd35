"""The prompted student: parameter count, equality with open_clip and with a slow reference, causality, cuts."""

from __future__ import annotations

import open_clip
import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU
from torch import Tensor, nn

from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import StudentConfig

TEXTS = [
    "a satellite photo of airport.",
    "a satellite photo of dense residential.",
    "a satellite photo of sea.",
    "harbor",
]


def pixels(count: int, size: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


def strong(student: PromptedStudent) -> PromptedStudent:
    """Prompts large enough that a wrong place or a dropped layer cannot hide."""
    with torch.no_grad():
        student.visual_prompts.mul_(25)
        student.text_prompts.mul_(25)
    return student


def reference_block(block: nn.Module, x: Tensor, visible: Tensor) -> Tensor:
    """One pre-norm block written out head by head and token by token; visible (L, L) says who sees whom."""
    width, heads = x.shape[-1], block.attn.num_heads
    size = width // heads
    h = F.layer_norm(x, (width,), block.ln_1.weight, block.ln_1.bias, block.ln_1.eps)
    weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
    q, k, v = (h @ weight[i * width : (i + 1) * width].T + bias[i * width : (i + 1) * width] for i in range(3))
    out = torch.zeros_like(x)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for token in range(len(x)):
            scores = (k[:, part] @ q[token, part]) / size**0.5
            scores = scores.masked_fill(~visible[token], float("-inf"))
            out[token, part] = scores.softmax(0) @ v[:, part]
    x = x + out @ block.attn.out_proj.weight.T + block.attn.out_proj.bias
    h = F.layer_norm(x, (width,), block.ln_2.weight, block.ln_2.bias, block.ln_2.eps)
    h = h @ block.mlp.c_fc.weight.T + block.mlp.c_fc.bias
    h = h * torch.sigmoid(1.702 * h) if isinstance(block.mlp.gelu, QuickGELU) else F.gelu(h)
    return x + h @ block.mlp.c_proj.weight.T + block.mlp.c_proj.bias


def reference_layers(blocks: nn.ModuleList, x: Tensor, prompts: Tensor, causal: bool) -> Tensor:
    """Insert after the first token, run, drop; full context, one sample (L, width), nothing shared or cut."""
    for block, layer_prompts in zip(blocks, prompts, strict=True):
        x = torch.cat([x[:1], layer_prompts, x[1:]])
        visible = torch.ones(len(x), len(x), dtype=torch.bool)
        x = reference_block(block, x, visible.tril() if causal else visible)
        x = torch.cat([x[:1], x[1 + len(layer_prompts) :]])
    return x


def reference_image(student: PromptedStudent, image: Tensor) -> Tensor:
    visual = student.backbone.clip.visual
    patch = visual.conv1.weight  # (width, 3, P, P)
    size = patch.shape[-1]
    x = student.backbone.normalize(image[None])[0]
    tiles = [
        (x[:, r : r + size, c : c + size] * patch).sum((1, 2, 3))
        for r in range(0, x.shape[1], size)
        for c in range(0, x.shape[2], size)
    ]
    x = torch.stack([visual.class_embedding, *tiles]) + visual.positional_embedding
    x = visual.ln_pre(x)
    x = reference_layers(visual.transformer.resblocks, x, student.visual_prompts, causal=False)
    return F.normalize(visual.ln_post(x[0]) @ visual.proj, dim=-1)


def reference_text(student: PromptedStudent, text: str) -> Tensor:
    clip = student.backbone.clip
    tokens = student.backbone.tokenize([text])[0]
    x = clip.token_embedding.weight[tokens] + clip.positional_embedding
    x = reference_layers(clip.transformer.resblocks, x, student.text_prompts, causal=True)
    return F.normalize(clip.ln_final(x)[tokens.argmax()] @ clip.text_projection, dim=-1)


@pytest.fixture(params=[False, True], ids=["gelu", "quickgelu"])
def towers(request: pytest.FixtureRequest) -> OpenClipTowers:
    torch.manual_seed(3)
    clip = open_clip.CLIP(
        embed_dim=24,
        vision_cfg={"image_size": 32, "layers": 3, "width": 48, "head_width": 16, "patch_size": 16},
        text_cfg={"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
        quick_gelu=request.param,
    )
    return OpenClipTowers("reference", clip, quick_gelu=request.param)


def test_prompted_towers_equal_the_slow_reference(towers: OpenClipTowers) -> None:
    student = strong(PromptedStudent(towers, StudentConfig(visual_prompts=3, text_prompts=2), seed=1))
    images = pixels(2)
    with torch.no_grad():
        expected = torch.stack([reference_image(student, image) for image in images])
        torch.testing.assert_close(student.encode_image(images), expected, atol=1e-5, rtol=0)
        expected = torch.stack([reference_text(student, text) for text in TEXTS])
        torch.testing.assert_close(student.encode_text(student.tokenize(TEXTS)), expected, atol=1e-5, rtol=0)
        plain = PromptedStudent(towers, StudentConfig(visual_prompts=0, text_prompts=0))
        assert (plain.encode_image(images) - student.encode_image(images)).abs().max() > 1e-2
        batch = student.tokenize(TEXTS)
        assert (plain.encode_text(batch) - student.encode_text(batch)).abs().max() > 1e-2


def test_without_prompts_both_towers_equal_open_clip(towers: OpenClipTowers) -> None:
    student = PromptedStudent(towers, StudentConfig(visual_prompts=0, text_prompts=0))
    images = pixels(3)
    with torch.no_grad():
        expected = towers.clip.encode_image(towers.normalize(images), normalize=True)
        torch.testing.assert_close(student.encode_image(images), expected, atol=1e-5, rtol=0)
        expected = towers.clip.encode_text(towers.tokenize(TEXTS), normalize=True)
        torch.testing.assert_close(student.encode_text(student.tokenize(TEXTS)), expected, atol=1e-5, rtol=0)


def test_vit_b_32_trains_98_304_parameters_and_the_scale() -> None:
    with torch.device("meta"):
        clip = open_clip.CLIP(**open_clip.get_model_config("ViT-B-32-quickgelu"))
    clip.to_empty(device="cpu")
    student = PromptedStudent(OpenClipTowers("b32", clip, quick_gelu=True), StudentConfig())
    trained = [p for p in student.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trained) == 12 * (8 * 768 + 4 * 512) + 1 == 98_304 + 1
    assert set(student.state_dict()) == {"visual_prompts", "text_prompts", "logit_scale"}


def test_frozen_weights_get_no_gradient(tiny_clip: OpenClipTowers) -> None:
    student = PromptedStudent(tiny_clip, StudentConfig())
    (student.encode_image(pixels(2)) @ student.encode_text(student.tokenize(TEXTS)).T).sum().backward()
    assert all(p.grad is None for p in tiny_clip.clip.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for n, p in student.named_parameters() if "prompts" in n)


def test_words_after_the_end_of_text_cannot_matter(tiny_clip: OpenClipTowers) -> None:
    student = strong(PromptedStudent(tiny_clip, StudentConfig()))
    tokens = tiny_clip.tokenize(TEXTS)
    noisy = tokens.clone()
    ends = tokens.argmax(1)
    for row, end in enumerate(ends):
        noisy[row, end + 1 :] = 1234
    with torch.no_grad():
        torch.testing.assert_close(
            student.encode_text(student.batch(noisy)), student.encode_text(student.batch(tokens)), atol=1e-6, rtol=0
        )
        # And the full context of 77 gives what the cut one gives.
        full = student.batch(tokens)
        uncut = type(full)(tokens, ends, full.shared)
        torch.testing.assert_close(student.encode_text(uncut), student.encode_text(full), atol=1e-6, rtol=0)


def test_a_later_word_does_not_change_an_earlier_state(tiny_clip: OpenClipTowers) -> None:
    """Causality through prompts: reading at an earlier place, later tokens are invisible."""
    student = strong(PromptedStudent(tiny_clip, StudentConfig()))
    tokens = tiny_clip.tokenize(["a photo of a harbor with boats", "a photo of a forest with hills"])
    place = torch.tensor([4, 4])  # "a", the last token that both share
    one = type(student.batch(tokens))(tokens[:, :9], place, 1)
    with torch.no_grad():
        first, second = student.encode_text(one)
        torch.testing.assert_close(first, second, atol=1e-6, rtol=0)
        later = type(one)(tokens[:, :9], place + 1, 1)
        first, second = student.encode_text(later)
        assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:3], TEXTS[:1], ["lake", "lake"]])
def test_order_and_company_change_nothing(tiny_clip: OpenClipTowers, texts: list[str]) -> None:
    student = strong(PromptedStudent(tiny_clip, StudentConfig()))
    images = pixels(5)
    with torch.no_grad():
        together = student.encode_text(student.tokenize(texts))
        reversed_ = student.encode_text(student.tokenize(texts[::-1])).flip(0)
        alone = torch.cat([student.encode_text(student.tokenize([t])) for t in texts])
        torch.testing.assert_close(together, reversed_, atol=1e-6, rtol=0)
        torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
        together = student.encode_image(images)
        alone = torch.cat([student.encode_image(image[None]) for image in images])
        torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
        torch.testing.assert_close(together.flip(0), student.encode_image(images.flip(0)), atol=1e-6, rtol=0)


def test_shallow_prompts_stay_in_the_sequence(tiny_clip: OpenClipTowers) -> None:
    student = strong(PromptedStudent(tiny_clip, StudentConfig(depth="shallow")))
    assert student.text_prompts.shape[0] == student.visual_prompts.shape[0] == 1
    clip = tiny_clip.clip
    tokens = tiny_clip.tokenize(TEXTS[:1])
    x = clip.token_embedding(tokens) + clip.positional_embedding
    x = torch.cat([x[:, :1], student.text_prompts, x[:, 1:]], dim=1)
    mask = torch.full((x.shape[1],) * 2, float("-inf")).triu(1)
    with torch.no_grad():
        for block in clip.transformer.resblocks:
            x = block(x, attn_mask=mask)
        expected = F.normalize(clip.ln_final(x)[:, 4 + int(tokens.argmax())] @ clip.text_projection, dim=-1)
        actual = student.encode_text(student.tokenize(TEXTS[:1]))
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def test_half_precision_weights_stay_close(tiny_clip: OpenClipTowers) -> None:
    full = PromptedStudent(tiny_clip, StudentConfig(), seed=2)
    half = PromptedStudent(tiny_clip, StudentConfig(), seed=2, precision=torch.bfloat16)
    with torch.no_grad():
        cosine = (full.encode_image(pixels(4)) * half.encode_image(pixels(4))).sum(1)
    assert half.encode_image(pixels(1)).dtype == torch.float32
    assert (1 - cosine).max() < 1e-3
