"""One training step, ours against the plain formulation: 45 classes, batch 4, ViT-B/32, 8 and 4 prompts a layer.

    python -m benchmarks.train_step [--steps 8] [--quick]

Plain: open_clip's own blocks, prompts inserted and dropped at every layer, all 45 texts at the full context of 77
tokens, float32. Ours: the same function with the context cut, the texts' common beginning run once, and frozen
weights read as constants; float32, and bfloat16 for the large matrices. Teacher features are cached and images decoded
on both sides. Steps alternate, so that a machine that slows down slows both. Weights are random: speed does not depend
on them. --quick measures one step.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import DistillationConfig, StudentConfig
from avion_core.data.catalog import DATA_SETS
from avion_core.data.class_names import prompt_name
from avion_core.distill.losses import cosine_alignment, similarity_alignment
from avion_core.distill.trainer import Trainer, TrainingData

CLASSES, BATCH, TEACHER_DIM = 45, 4, 512


def plain_image(student: PromptedStudent, pixels: Tensor) -> Tensor:
    visual = student.backbone.clip.visual
    x = visual._embeds(student.backbone.normalize(pixels))
    for block, prompts in zip(visual.transformer.resblocks, student.visual_prompts, strict=True):
        x = block(torch.cat([x[:, :1], prompts.expand(len(x), -1, -1), x[:, 1:]], dim=1))
        x = torch.cat([x[:, :1], x[:, 1 + len(prompts) :]], dim=1)
    return F.normalize(visual._pool(x)[0] @ visual.proj, dim=-1)


def plain_text(student: PromptedStudent, tokens: Tensor) -> Tensor:
    clip = student.backbone.clip
    x = clip.token_embedding(tokens) + clip.positional_embedding
    length = x.shape[1] + student.text_prompts.shape[1]
    mask = torch.full((length, length), float("-inf"), device=x.device).triu(1)
    for block, prompts in zip(clip.transformer.resblocks, student.text_prompts, strict=True):
        x = block(torch.cat([x[:, :1], prompts.expand(len(x), -1, -1), x[:, 1:]], dim=1), attn_mask=mask)
        x = torch.cat([x[:, :1], x[:, 1 + len(prompts) :]], dim=1)
    x = clip.ln_final(x)[torch.arange(len(x)), tokens.argmax(1)]
    return F.normalize(x @ clip.text_projection, dim=-1)


def plain_step(trainer: Trainer, tokens: Tensor, batch: Tensor) -> dict[str, float]:
    """Trainer._step written plainly."""
    student, data, config = trainer.student, trainer.data, trainer.config
    f, g = plain_image(student, data.pixels[batch]), plain_text(student, tokens)
    logits = student.logit_scale.exp() * f @ g.T
    parts = {
        "task": F.cross_entropy(logits, data.labels[batch]),
        "image": cosine_alignment(f, trainer.image_target[batch]),
        "text": cosine_alignment(g, trainer.text_target),
        "logit": similarity_alignment(logits, trainer.teacher_logits[batch], config.temperature),
    }
    loss = parts["task"] + config.image_weight * parts["image"] + config.text_weight * parts["text"] + parts["logit"]
    trainer.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    trainer.optimizer.step()
    student.clamp_scale()
    return {name: value.item() for name, value in parts.items()}


def make_trainer(towers: OpenClipTowers, names: list[str], precision: torch.dtype, device: str) -> Trainer:
    generator = torch.Generator().manual_seed(0)
    student = PromptedStudent(towers, StudentConfig(), precision=precision)
    images, prototypes = (
        F.normalize(torch.randn(n, TEACHER_DIM, generator=generator), dim=1).to(device) for n in (32, CLASSES)
    )
    data = TrainingData(
        pixels=torch.randint(0, 256, (32, 3, 224, 224), generator=generator, dtype=torch.uint8).to(device),
        image_ids=[str(i) for i in range(32)],
        labels=torch.randint(0, CLASSES, (32,), generator=generator).to(device),
        classes=student.tokenize(names),
        teacher_images=images,
        teacher_prototypes=prototypes,
        teacher_scale=100.0,
        validation_pixels=torch.empty(0),
        validation_labels=torch.empty(0),
    )
    # Warm-up off, so that every loss part counts from the first step.
    return Trainer(student, data, DistillationConfig(projection="none", warmup=0.0, batch_size=BATCH))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="one step")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    if args.quick:
        args.steps = 1
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = False
    towers = OpenClipTowers(
        "ViT-B/32", open_clip.create_model("ViT-B-32-quickgelu"), quick_gelu=True, device=args.device
    )
    classes = next(entry for entry in DATA_SETS.values() if len(entry.classes) == CLASSES).classes
    names = [f"a satellite photo of {prompt_name(key)}." for key in classes]
    tokens = towers.tokenize(names).to(args.device)
    plain, ours, half = (
        make_trainer(towers, names, precision, args.device)
        for precision in (torch.float32, torch.float32, torch.bfloat16)
    )
    rows: dict[str, tuple[Trainer, Callable[[Tensor, int], dict[str, float]]]] = {
        "plain float32": (plain, lambda batch, step: plain_step(plain, tokens, batch)),
        "ours float32": (ours, lambda batch, step: {k: v.item() for k, v in ours._step(batch, step).items()}),
        "ours bfloat16": (half, lambda batch, step: {k: v.item() for k, v in half._step(batch, step).items()}),
    }
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    difference = 0.0
    for step in range(args.steps + 1):
        losses = {}
        for name, (trainer, run) in rows.items():
            batch = trainer._batch(step)
            start = time.perf_counter()
            losses[name] = run(batch, step)
            if step:  # the first step warms up
                seconds[name].append(time.perf_counter() - start)
        pairs = ((losses["plain float32"][k], losses["ours float32"][k]) for k in ("task", "image", "text", "logit"))
        difference = max(difference, *(abs(a - b) for a, b in pairs))
    base = statistics.median(seconds["plain float32"])
    print(f"{args.device}, {torch.get_num_threads()} threads, median of {args.steps} steps")
    print(f"{'':16}{'ms a step':>10}{'times faster':>14}")
    for name, values in seconds.items():
        print(f"{name:16}{1000 * statistics.median(values):10.0f}{base / statistics.median(values):14.1f}")
    print(f"largest difference of a loss part, float32: {difference:.1e}")


if __name__ == "__main__":
    main()
