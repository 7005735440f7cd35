"""The home's models file: read, written, refused where it is not what it should be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from avion_core.backbones.entries import ENTRIES
from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.own_models import OwnModel, OwnModels
from avion_core.backbones.preprocessing import Preprocessing
from avion_core.backbones.tokenizing import FileTokenizer
from avion_core.errors import AvionError, CheckpointError, ConfigError, NotFoundError
from tests.clip_forms import FORMS, SIDE, WORDS, make_clip, make_towers, tokenizer_file

TEXTS = ["a satellite photo of airport.", "Dense, residential!", "sea harbor"]


@pytest.fixture
def models(tmp_path: Path) -> OwnModels:
    return OwnModels(tmp_path / "models.yaml")


def own(form: str, **more: object) -> OwnModel:
    return OwnModel(config=FORMS[form], licence="MIT", **more)


def test_an_entry_is_written_and_read_by_another_process(models: OwnModels) -> None:
    views = Preprocessing(mean=(0.5, 0.5, 0.5), resize_mode="squash")
    entry = models.enter("my-siglip", own("siglip", title="Mine", preprocessing=views, warning="Ask first."))
    again = OwnModels(models.path).find("my-siglip")
    assert again == entry
    assert (again.dim, again.image_size, again.own, again.bundled) == (32, SIDE, True, False)
    assert again.tokenizer_repo == "timm/a-test"
    assert again.preprocessing == views
    assert list(models.entries) == [*ENTRIES, "my-siglip"]
    models.enter("second", own("mobileclip2"))
    assert not models.find("second").visual_prompts
    models.forget("my-siglip")
    assert list(models.own()) == ["second"]
    with pytest.raises(NotFoundError, match="no such model: my-siglip"):
        models.find("my-siglip")


def test_a_hand_written_file_is_read_when_it_changes(models: OwnModels) -> None:
    assert models.entries == ENTRIES
    models.path.write_text("models:\n  mine:\n    architecture: ViT-S-32\n    licence: MIT\n", "utf-8")
    assert (models.find("mine").dim, models.find("mine").quick_gelu) == (384, False)
    models.path.write_text(
        "models:\n  mine:\n    architecture: ViT-S-32\n    licence: MIT\n    quick_gelu: true\n    context_length: 248",
        "utf-8",
    )
    os.utime(models.path, ns=(1, 1))
    entry = models.find("mine")
    assert entry.quick_gelu
    assert entry.config is not None
    assert entry.config["text_cfg"]["context_length"] == 248


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: [1]", "does not fit its form"),
        ("models:\n  mine:\n    architecture: ViT-B-32", r"models\.mine\.licence: Field required"),
        ("models:\n  mine:\n    licence: MIT\n    colour: red", r"models\.mine\.colour: Extra inputs"),
        ("models:\n  mine:\n    licence: MIT", "either architecture or config"),
        (
            "models:\n  mine:\n    licence: MIT\n    architecture: ViT-B-23",
            r"knows no such architecture.*Did you mean ViT-B-32",
        ),
        ("models:\n  MINE:\n    licence: MIT\n    architecture: ViT-B-32", "small letters"),
        (
            "models:\n  demo-teacher:\n    licence: MIT\n    architecture: ViT-B-32",
            "the package has a model of that name",
        ),
        ("models:\n  mine:\n    licence: MIT\n    address: ftp://x\n    architecture: ViT-B-32", "address"),
        ("models:\n  mine:\n    licence: MIT\n    config: {embed_dim: 2020-01-01}", "not a valid JSON value"),
        ("a: &x 1\nb: *x", "holds aliases"),
        ("models: {", "is not YAML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(models: OwnModels, text: str, said: str) -> None:
    models.path.write_text(text, "utf-8")
    with pytest.raises(AvionError, match=f"(?i){said}"):
        models.find("demo-teacher")


@pytest.mark.parametrize("form", FORMS)
def test_any_form_is_installed_from_a_file_and_loads(models: OwnModels, tmp_path: Path, form: str) -> None:
    models.enter("mine", own(form))
    store = WeightStore(tmp_path / "weights", catalog=models)
    torch.save(make_clip(form).state_dict(), tmp_path / "weights.pt")
    if form == "siglip":
        with pytest.raises(CheckpointError, match=r"own tokenizer does not lie beside.*Put tokenizer\.json and"):
            store.add_local("mine", tmp_path / "weights.pt")
        tokenizer_file(tmp_path)
    store.add_local("mine", tmp_path / "weights.pt")
    torch.testing.assert_close(
        load_towers("mine", store).encode_text(TEXTS), make_towers(form, tmp_path).encode_text(TEXTS)
    )
    kept = sorted(path.name[16:] for path in (tmp_path / "weights" / "mine").iterdir() if path.name != "weights.json")
    assert kept == [".pt", *([".tokenizer.json", ".tokenizer_config.json"] if form == "siglip" else [])]
    other = make_clip(form, seed=1)
    torch.save(other.state_dict(), tmp_path / "weights.pt")
    store.add_local("mine", tmp_path / "weights.pt")  # exchanged: nothing of the first is left
    assert len(list((tmp_path / "weights" / "mine").iterdir())) == len(kept) + 1
    assert [record.licence for record in store.installed()] == ["MIT"]


def test_a_tokenizer_file_reads_as_its_marks_say(tmp_path: Path) -> None:
    tokenizer = FileTokenizer(tokenizer_file(tmp_path), 8, "canonicalize")
    assert (tokenizer.starts, tokenizer.room) == (0, 7)
    end = WORDS.index("</s>")
    assert tokenizer(["A photo, of sea!"]).tolist() == [
        [*(WORDS.index(word) for word in ("a", "photo", "of", "sea")), end, end, end, end]
    ]
    assert tokenizer(["a " * 9]).tolist() == [[WORDS.index("a")] * 7 + [end]]
    settings = '{"pad_token": "<pad>", "eos_token": "</s>", "bos_token": {"content": "<unk>"}, "add_bos_token": true}'
    (tmp_path / "tokenizer_config.json").write_text(settings, "utf-8")
    marked = FileTokenizer(tmp_path / "tokenizer.json", 8, "canonicalize")
    assert marked(["sea"]).tolist() == [[WORDS.index("<unk>"), WORDS.index("sea"), end, 0, 0, 0, 0, 0]]
    assert (marked.starts, marked.room) == (1, 6)
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "<nowhere>"}', "utf-8")
    with pytest.raises(CheckpointError, match="a mark that its vocabulary does not have: <nowhere>"):
        FileTokenizer(tmp_path / "tokenizer.json", 8)
    (tmp_path / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(CheckpointError, match="tokenizer beside the weights cannot be read"):
        FileTokenizer(tmp_path / "tokenizer.json", 8)


def test_a_name_of_the_packages_is_not_taken(models: OwnModels) -> None:
    with pytest.raises(ConfigError, match="package has a model of that name: demo-student"):
        models.enter("demo-student", own("clip"))
    assert not models.path.exists()
