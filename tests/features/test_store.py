from __future__ import annotations

import threading
from pathlib import Path

import open_clip
import PIL.Image
import pytest
import torch

from avion_core.backbones.towers import OpenClipTowers
from avion_core.data import sources
from avion_core.data.images import open_image
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.sources import ImageFolder, Images
from avion_core.errors import CheckpointError, DataError
from avion_core.features import store as store_module
from avion_core.features.store import FeatureStore, image_features, prepare_images, text_features

RECIPE = RenderingRecipe()


class CountingTowers(OpenClipTowers):
    """Tiny random towers that remember what they were asked for."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        clip = open_clip.CLIP(
            embed_dim=16,
            vision_cfg={"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
            text_cfg={"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
        )
        super().__init__("tiny", clip, quick_gelu=False)
        self.images: list[int] = []
        self.texts: list[str] = []
        self.decoded_by: set[str] = set()

    def prepare(self, image: PIL.Image.Image) -> torch.Tensor:
        self.decoded_by.add(threading.current_thread().name)
        return super().prepare(image)

    def encode_image(self, pixels: torch.Tensor, precision: str = "float32") -> torch.Tensor:
        self.images.append(len(pixels))
        return super().encode_image(pixels, precision)

    def encode_text(self, texts: list[str], precision: str = "float32") -> torch.Tensor:
        self.texts += texts
        return super().encode_text(texts, precision)


@pytest.fixture
def towers() -> CountingTowers:
    return CountingTowers()


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


@pytest.fixture
def images(tmp_path: Path) -> Images:
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(10):
        pixels = torch.randint(0, 256, (20, 24, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(i))
        PIL.Image.fromarray(pixels.numpy()).save(folder / f"{i}.png")
    return Images([f"id{i}" for i in range(10)], ImageFolder(folder, {f"id{i}": f"{i}.png" for i in range(10)}))


def compute(towers: CountingTowers, images: Images, store: FeatureStore, **options) -> torch.Tensor:
    return image_features(
        towers, images, store, **{"recipe": RECIPE, "batch_size": 4, "precision": "float32"} | options
    )


def test_image_features_are_the_towers_own_in_the_order_given(towers, images, store) -> None:
    asked = Images([images.ids[7], images.ids[2], images.ids[7], *images.ids], images.source)
    features = compute(towers, asked, store)
    pixels = torch.stack([towers.prepare(open_image(path, RECIPE)) for path in asked.files])
    torch.testing.assert_close(features, OpenClipTowers.encode_image(towers, pixels), atol=1e-6, rtol=0)
    assert sum(towers.images) == 10  # each once, whatever the repeats
    assert all(name.startswith("decode") for name in towers.decoded_by - {"MainThread"})


def test_only_what_is_missing_is_computed(towers, images, store) -> None:
    first = compute(towers, images[:6], store)
    assert towers.images == [4, 2]
    assert torch.equal(compute(towers, images[:6], store), first)
    assert towers.images == [4, 2]
    compute(towers, images, store)
    assert towers.images == [4, 2, 4]


def test_other_weights_recipe_or_precision_are_other_features(towers, images, store) -> None:
    compute(towers, images, store)
    other = CountingTowers(seed=1)
    compute(other, images, store)
    assert sum(other.images) == 10
    compute(towers, images, store, recipe=RenderingRecipe(bands=(3, 2, 1)))
    compute(towers, images, store, precision="bfloat16")
    assert sum(towers.images) == 30
    compute(towers, images, store, precision="auto")  # one of the two, by the machine
    assert sum(towers.images) == 30


def test_damaged_image_is_named_and_what_was_done_is_kept(towers, images, store) -> None:
    bad = images.files[6]
    whole = bad.read_bytes()
    bad.write_bytes(whole[:60])
    with pytest.raises(DataError) as caught:
        compute(towers, images, store)
    assert str(bad) in str(caught.value)
    assert towers.images == [4]
    bad.write_bytes(whole)
    compute(towers, images, store)
    assert towers.images == [4, 4, 2]


def test_decoder_that_fails_in_its_own_way_is_named_too(towers, images, store, monkeypatch) -> None:
    def fail(path: Path, recipe: RenderingRecipe) -> PIL.Image.Image:
        raise RuntimeError("codec says no")

    monkeypatch.setattr(sources, "open_image", fail)
    with pytest.raises(DataError, match=r"cannot be decoded \(codec says no\): .*0\.png\. Replace the file"):
        compute(towers, images, store)


def test_stop_from_progress_keeps_what_was_done(towers, images, store) -> None:
    class Stop(Exception):
        pass

    def stop_at_eight(done: int, total: int, what: str) -> None:
        if done == 8:
            raise Stop

    with pytest.raises(Stop):
        compute(towers, images, store, progress=stop_at_eight)
    compute(towers, images, store)
    assert towers.images == [4, 4, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_progress_counts_what_is_known_already(towers, images, store) -> None:
    compute(towers, images[:3], store)
    told: list[tuple[int, int, str]] = []
    compute(towers, images, store, progress=lambda *step: told.append(step))
    assert [done for done, _, _ in told] == [3, 7, 10]
    assert {(total, what) for _, total, what in told} == {(10, "image embeddings")}


def test_shards_are_written_as_time_passes(towers, images, store, monkeypatch) -> None:
    """A run that is killed loses no more than the shard it was filling."""
    monkeypatch.setattr(store_module, "_SHARD_SECONDS", -1.0)
    compute(towers, images, store)
    assert len(list(store.folder.glob("*/*.safetensors"))) == 3


def test_decoding_stays_a_little_ahead_only(towers, images, store, monkeypatch) -> None:
    """Images wait decoded for two batches at most, so that a large set does not fill the memory."""
    decoded, ahead = [], []
    monkeypatch.setattr(sources, "open_image", lambda path, recipe: decoded.append(path) or open_image(path, recipe))
    encode = towers.encode_image
    monkeypatch.setattr(
        towers, "encode_image", lambda pixels, precision: ahead.append(len(decoded)) or encode(pixels, precision)
    )
    compute(towers, images, store, batch_size=2)
    for batch, count in enumerate(ahead):
        assert count <= 2 * (batch + 1) + 4


def test_numbers_that_are_not_finite_are_refused_and_not_kept(towers, images, store) -> None:
    towers.clip.visual.proj.data[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"gives numbers that are not finite: .*Compute in float32"):
        compute(towers, images, store)
    assert not list(store.folder.glob("*/*.safetensors"))


def test_no_images_and_no_texts(towers, images, store) -> None:
    assert compute(towers, images[:0], store).shape == (0, 16)
    assert text_features(towers, [], store).shape == (0, 16)
    assert prepare_images(towers, images[:0], recipe=RECIPE).shape == (0, 3, 16, 16)


def test_text_features_are_computed_once_by_content(towers, store) -> None:
    texts = ["roofs", "a long pier", "roofs", ""]
    features = text_features(towers, texts, store)
    torch.testing.assert_close(features, OpenClipTowers.encode_text(towers, texts), atol=1e-6, rtol=0)
    assert sorted(towers.texts) == ["", "a long pier", "roofs"]
    assert torch.equal(text_features(towers, ["a long pier", "x"], store)[0], features[1])
    assert towers.texts.count("a long pier") == 1


def test_texts_past_the_context_are_reported(towers, store) -> None:
    told: list[tuple[int, int, str]] = []
    text_features(towers, ["roofs", "many " * 80], store, progress=lambda *step: told.append(step))
    assert told[-1] == (2, 2, "text embeddings (1 too long for the model, truncated)")


def test_images_and_texts_do_not_mix(towers, images, store) -> None:
    compute(towers, images, store)
    text_features(towers, ["roofs"], store)
    assert len(list(store.folder.iterdir())) == 2


def test_prepared_images_are_the_towers_views(towers, images) -> None:
    told: list[tuple[int, int, str]] = []
    pixels = prepare_images(towers, images, recipe=RECIPE, progress=lambda *step: told.append(step))
    assert pixels.dtype == torch.uint8
    for row, path in zip(pixels, images.files, strict=True):
        assert torch.equal(row, towers.prepare(open_image(path, RECIPE)))
    assert told[-1] == (10, 10, "decoded images")
    images.files[3].write_bytes(b"")
    with pytest.raises(DataError, match=r"3\.png"):
        prepare_images(towers, images, recipe=RECIPE)
