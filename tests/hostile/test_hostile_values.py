"""Everything that is read from outside, with hostile values in every place: read, or refused in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avion_core.backbones.load import WeightStore
from avion_core.config import RunConfig
from avion_core.data.captions import read_captions
from avion_core.data.labels import read_labels
from avion_core.data.project import ProjectData
from avion_core.data.sources import ImageFolder
from avion_core.data.splits import Splits, undrawn
from avion_core.descriptions.importing import read_descriptions
from avion_core.descriptions.writers.reply import read_reply
from avion_core.distill.adapter import load_adapter, load_state
from avion_core.errors import AvionError
from avion_core.presets import make_config, parse_config
from avion_core.protocols.exported import open_exported
from tests.hostile.values import documents, only_sentences
from tests.tiny_clip import make_tiny_clip

CLASSES = {"river": "river", "forest": "forest"}
IMAGE = "0" * 32
HISTORY = [
    {"token": "a", "verdict": "accept", "text": "Blue.", "reviewer": "ann", "created_at": "2026-01-01T00:00:00+00:00",
     "reason": "", "rule_version": 1, "batch": "b", "adjudicates": False, "undoes": None}
]  # fmt: skip
DESCRIPTION = {
    "class_key": "river", "text": "Blue.", "writer": "w", "model": "m", "viewpoint": "v", "visual_cues": ["a"],
    "raw_reply": "r", "tokens_in": 3, "created_at": "2026", "parent": "", "description_id": "d1", "history": HISTORY,
    "imported_at": "2026-01-01T00:00:00+00:00",
}  # fmt: skip
CAPTIONS = {"images": [{"filename": "a.tif", "path": "b/a.tif", "split": "train", "sentences": [{"raw": "A river."}]}]}
SPLIT = json.loads(Splits(("t",), {1: {"river": ("v",)}}, {1: {"river": ("a", "b")}}).to_json())
REPLY = {"descriptions": [{"text": "Blue line.", "viewpoint": "above", "visual_cues": ["water"], "spatial_cues": {}}]}
FACTS = {
    "backbone": "tiny", "backbone_hash": "?", "template": "a photo of {}.", "class_names": CLASSES,
    "config": {"model": {"visual_prompts": 2}}, "step": 3,
}  # fmt: skip
PROGRESS = {
    "progress": {"step": 1, "accuracy": 5.0, "best_accuracy": 5.0, "best_step": 1, "seconds": 0.5, "tensors": 2,
                 "groups": [{"params": [0], "lr": 0.1}]}
}  # fmt: skip
PROJECT = {"name": "p", "recipe": {"bands": [1, 2, 3], "low": [0], "high": [9]}, "class_names": CLASSES}
STUDENT = {"config": {"data": {"shots": 1}}, "recipe": {"nodata_colour": 3}, "temperature": 1.5, "class_names": CLASSES}


def in_file(tmp_path: Path, name: str, read: Callable[[Path], object]) -> Callable[[str], object]:
    def reading(text: str) -> object:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read(tmp_path / name)

    return reading


def described(path: Path) -> None:
    result = read_descriptions(path, CLASSES)
    for row in result.descriptions:
        assert 0 <= row.tokens_in < 2**31
        "".join(map(str, vars(row).values())).encode()
    for decisions in result.histories.values():
        "".join(str(value) for decision in decisions for value in vars(decision).values()).encode()
    "".join([*result.problems, *result.unknown_classes]).encode()


def test_descriptions(tmp_path):
    only_sentences(in_file(tmp_path, "a.jsonl", described), documents(DESCRIPTION))
    only_sentences(in_file(tmp_path, "a.json", described), documents({"river": ["Blue.", "Wide."]}))


def test_captions_and_the_labels_in_them(tmp_path):
    only_sentences(in_file(tmp_path, "a.json", read_captions), documents(CAPTIONS))
    read = in_file(tmp_path, "a.json", lambda path: read_labels(path, tmp_path, {"b/a.tif"}))
    only_sentences(read, documents(CAPTIONS))


def test_replies():
    def reply(text: str) -> None:
        for written in read_reply(text, 5).descriptions:
            written.model_dump_json().encode()

    only_sentences(reply, documents(REPLY))


def test_splits():
    only_sentences(Splits.from_json, documents(SPLIT))


def test_settings():
    def settings(text: str) -> None:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict):
            parse_config(found)

    only_sentences(settings, documents(RunConfig().model_dump(mode="json")))


@given(st.sampled_from(["data.shots", "model.template", "protocol.projects", "x.y", "distillation"]), st.text())
def test_settings_by_key(key, value):
    with suppress(AvionError):
        make_config(overrides={key: value})


def test_facts_of_adapters_and_states(tmp_path):
    backbone = make_tiny_clip()
    tensors = {name: torch.ones(2) for name in ("visual_prompts", "text_prompts", "logit_scale")}

    def adapter(text: str) -> None:
        written(tmp_path / "a", tensors, text)
        load_adapter(tmp_path / "a", backbone)

    def state(text: str) -> None:
        written(tmp_path / "s", {"random": torch.zeros(3), "learned.a": torch.ones(2)}, text)
        load_state(tmp_path / "s")

    only_sentences(adapter, documents({**FACTS, "backbone_hash": backbone.weights_hash}))
    only_sentences(state, documents(PROGRESS))


def written(path: Path, tensors: dict[str, torch.Tensor], facts: str) -> None:
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"facts": facts})


def test_a_runs_inputs(tmp_path):
    import pandas as pd

    sound = pd.DataFrame({"image_id": [IMAGE], "path": ["a"], "label": [""], "group": [""], "split": [""]})
    texts = pd.DataFrame({name: ["x"] for name in ("description_id", "class_key", "text", "verdict", "writer")})
    sound.to_parquet(tmp_path / "manifest.parquet")
    texts.to_parquet(tmp_path / "descriptions.parquet")
    (tmp_path / "splits.json").write_text(undrawn().to_json())
    source = ImageFolder(tmp_path, {})
    read = in_file(tmp_path, "project.json", lambda path: ProjectData.load(path.parent, source))
    only_sentences(read, documents(PROJECT))
    read(json.dumps(PROJECT))
    for name in ("manifest.parquet", "descriptions.parquet", "splits.json"):
        whole = (tmp_path / name).read_bytes()
        for content in (b"", b"{}", whole[: len(whole) // 2], whole[:-5]):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(AvionError) as caught:
                ProjectData.load(tmp_path, source)
            assert name in str(caught.value)
        (tmp_path / name).write_bytes(whole)


def test_exported_students(tmp_path):
    read = in_file(tmp_path, "student.json", lambda path: open_exported(path.parent, WeightStore(tmp_path / "w")))
    only_sentences(read, documents(STUDENT))


def test_records_of_weights(tmp_path):
    store, record = WeightStore(tmp_path), tmp_path / "georsclip-vit-b-32" / "weights.json"
    record.parent.mkdir()
    sound = {"name": "georsclip-vit-b-32", "file": "a", "size_bytes": 3, "sha256": "0", "source": "s", "licence": "l"}

    def read(text: str) -> None:
        record.write_text(text)
        store.installed()
        store.path("georsclip-vit-b-32")

    only_sentences(read, documents(sound))
