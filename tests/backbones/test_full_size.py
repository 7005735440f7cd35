"""Every model of the catalog at its full size: random weights in the published form are installed, encode, and train.

One at a time: `-s` prints the time and the peak of memory of each, which has a limit, and `-k NAME` runs one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import open_clip
import pytest
import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from torch import Tensor

from avion_core.backbones.architectures import architecture, empty_model
from avion_core.backbones.catalog import CatalogEntry
from avion_core.backbones.entries import ENTRIES
from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import StudentConfig
from avion_core.distill.losses import cosine_alignment

PUBLISHED = [entry for entry in ENTRIES.values() if not entry.bundled]
TEXTS = ["a satellite photo of an airport", "a satellite photo of a sea"]
MOST_GIBIBYTES = 8.0
"""At the peak of the process; GeoRSCLIP ViT-H/14 took 5.8."""


def published(entry: CatalogEntry, folder: Path) -> Path:
    """A weights file with random numbers in the form in which the model is published."""
    torch.manual_seed(0)
    clip = empty_model(architecture(entry, Path()), entry.name)
    weights: dict[str, Tensor] = {name: tensor.contiguous() for name, tensor in clip.state_dict().items()}
    del clip
    if entry.name.startswith("git-rsclip"):
        weights = {name: tensor.half() for name, tensor in as_transformers(weights).items()}
        write_tokenizer(folder)
    elif entry.tokenizer_repo:
        write_tokenizer(folder)
    if entry.context_length == 248:
        weights["positional_embedding_res"] = weights["positional_embedding"].clone()
    if entry.name.startswith(("skyclip", "remoteclip", "farslip", "dgtrs", "georsclip")):
        held: Any = {"epoch": 20, "state_dict": weights} if entry.name.startswith("skyclip") else weights
        torch.save(held, folder / "weights.pt")
        return folder / "weights.pt"
    save_file(weights, folder / "weights.safetensors")
    return folder / "weights.safetensors"


def as_transformers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """SigLIP's tensors as transformers' SiglipModel names them (`test_published_files` holds this form to account)."""
    from tests.backbones.test_published_files import as_transformers

    return as_transformers(dict(weights))


def peak_gibibytes() -> float:
    """The most memory that this process had at once, its mapped files among it."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 2**20


def write_tokenizer(folder: Path) -> None:
    """A `tokenizer.json` of few words, with the ids of marks that SigLIP's have."""
    words = {
        word: place
        for place, word in enumerate(["<pad>", "</s>", "a", "satellite", "photo", "of", "an", "airport", "sea"])
    }
    tokenizer = tokenizers.Tokenizer(WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"pad_token": "</s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.name)
def test_it_loads_encodes_and_trains_one_step(entry: CatalogEntry, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
    begun, store = time.monotonic(), WeightStore(tmp_path / "weights")
    source = published(entry, tmp_path)
    store.add_local(entry.name, source)
    source.unlink()
    towers = load_towers(entry.name, store)
    assert isinstance(towers, OpenClipTowers)
    side = entry.image_size
    pixels = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    image, text = towers.encode_image(pixels), towers.encode_text(TEXTS)
    assert image.shape == text.shape == (2, entry.dim)
    with torch.no_grad():
        own = towers.clip.encode_text(towers.tokenize(TEXTS), normalize=True)
        torch.testing.assert_close(text, own, atol=1e-5, rtol=0)
        own = towers.clip.encode_image(towers.normalize(pixels), normalize=True)
        torch.testing.assert_close(image, own, atol=1e-5, rtol=0)

    prompts = StudentConfig(visual_prompts=8 if entry.visual_prompts else 0)
    student = PromptedStudent(towers, prompts)
    before = {name: tensor.clone() for name, tensor in student.state_dict().items() if tensor.numel()}
    optimizer = torch.optim.AdamW(student.parameters(), 1e-3)
    f, g = student.encode_image(pixels), student.encode_text(student.tokenize(TEXTS))
    logits = student.logit_scale.exp() * f @ g.T
    target = torch.nn.functional.normalize(torch.randn(2, entry.dim, generator=torch.Generator().manual_seed(1)), dim=1)
    (torch.nn.functional.cross_entropy(logits, torch.arange(2)) + cosine_alignment(f, target)).backward()
    optimizer.step()
    student.clamp_scale()
    changed = {
        name
        for name, tensor in student.state_dict().items()
        if tensor.numel() and not torch.equal(tensor, before[name])
    }
    assert changed == before.keys()
    assert all(tensor.isfinite().all() for tensor in student.state_dict().values())
    assert all(parameter.grad is None for parameter in towers.clip.parameters())
    peak = peak_gibibytes()
    print(f"\n{entry.name}: {time.monotonic() - begun:.0f} s, peak of the process {peak:.1f} GiB")
    assert peak < MOST_GIBIBYTES


def test_every_architecture_is_listed_by_open_clip() -> None:
    assert {entry.architecture for entry in PUBLISHED} <= set(open_clip.list_models())
