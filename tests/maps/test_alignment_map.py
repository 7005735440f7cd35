from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from avion_core.errors import DataError
from avion_core.maps.alignment_map import ITEM_COLUMNS, alignment_map, map_key
from avion_core.maps.settings import map_settings

CLASSES = ("forest", "harbour", "runway")
TSNE = map_settings(method="tsne")


@pytest.fixture
def items() -> pd.DataFrame:
    """Four images, two descriptions and one prototype of each of three classes, and one unlabelled image."""
    rows = [("i-none", "image", "", "unlabelled", "", None, "", "", "none.png")]
    for name in CLASSES:
        rows += [(f"i-{name}-{n}", "image", name, "train", "all", None, "", "", f"{name}/{n}.png") for n in range(4)]
        rows += [(f"d-{name}-{n}", "description", name, "", "all", n == 0, "w", f"A {name}.", "") for n in range(2)]
        rows += [(f"p-{name}", "prototype", name, "", "all", None, "", name, "")]
    return pd.DataFrame(rows, columns=list(ITEM_COLUMNS)).astype({"kept": "boolean"})


def view(items: pd.DataFrame, dim: int, *, noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """Unit vectors near the axis of each item's class; the unlabelled image near an axis of its own."""
    axis = items["class_key"].map({name: at for at, name in enumerate(CLASSES)}).fillna(len(CLASSES)).astype(int)
    points = np.eye(dim)[axis] + noise * np.random.default_rng(seed).normal(size=(len(items), dim))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_one_row_per_item_and_a_place_in_every_view(items):
    views = {"after": view(items, 8, seed=1), "teacher": view(items, 12), "before": view(items, 8)}
    result = alignment_map(items, views, TSNE)
    pd.testing.assert_frame_equal(result.points[list(ITEM_COLUMNS)], items)
    places = result.points[[f"{axis}_{name}" for axis in "xy" for name in views]].to_numpy()
    assert places.shape == (len(items), 6)
    assert np.isfinite(places).all()
    assert list(result.figures["view"]) == ["teacher", "before", "after"]


def test_before_and_after_share_a_layout(items):
    """An embedding that training did not move keeps its place beside the others of its class."""
    before = view(items, 8)
    after = before.copy()
    moved = (items["class_key"] == "forest").to_numpy()
    after[moved] = -after[moved]
    points = alignment_map(items, {"before": before, "after": after}, TSNE).points
    way = np.hypot(points["x_after"] - points["x_before"], points["y_after"] - points["y_before"]).to_numpy()
    assert way[moved].min() > way[~moved].max()


def test_the_nearest_prototype_is_said_of_images_and_texts(items):
    vectors = view(items, 8)
    wrong = items.index[items["id"] == "i-runway-2"][0]
    vectors[wrong] = vectors[items.index[items["id"] == "p-forest"][0]]
    nearest = alignment_map(items, {"before": vectors}, TSNE).points.set_index("id")["nearest_before"]
    assert nearest["i-runway-2"] == "forest"
    assert nearest["d-harbour-0"] == "harbour"
    assert nearest["i-none"] in CLASSES  # an unlabelled image has a nearest class too
    assert nearest["p-forest"] == ""


def test_the_place_of_ones_own_class_among_the_prototypes_is_counted(items):
    vectors = view(items, 8)
    points = alignment_map(items, {"before": vectors}, TSNE).points.set_index("id")
    prototypes = items.index[items["kind"] == "prototype"]
    for row, item in items[items["kind"] != "prototype"].iterrows():
        cosines = {items.at[at, "class_key"]: float(vectors[row] @ vectors[at]) for at in prototypes}
        ranked = sorted(cosines, key=cosines.__getitem__, reverse=True)
        expected = ranked.index(item["class_key"]) + 1 if item["class_key"] in ranked else 0
        assert points.at[item["id"], "rank_before"] == expected, item["id"]
    assert points.at["p-forest", "rank_before"] == points.at["i-none", "rank_before"] == 0


def test_kinds_that_are_not_wanted_are_not_laid_out_but_counted_in_the_figures(items):
    views = {"before": view(items, 8)}
    whole, images = (
        alignment_map(items, views, TSNE),
        alignment_map(items, views, map_settings(method="tsne", kinds=("image",))),
    )
    assert set(images.points["kind"]) == {"image"}
    assert (images.points["nearest_before"] != "").all()
    columns = ["alignment", "uniformity", "modality_gap"]
    pd.testing.assert_frame_equal(images.figures[columns], whole.figures[columns])
    assert images.figures["trust_of"].tolist() == [len(images.points)]


def test_figures_against_hand_counted_ones(items):
    """Images on the axes, prototypes a quarter turn away in a plane of their own: each figure follows by hand."""
    vectors = view(items, 8, noise=0.0)
    texts = (items["kind"] != "image").to_numpy()
    vectors[texts] = np.roll(vectors[texts], 4, axis=1)
    figures = alignment_map(items, {"before": vectors}, TSNE).figures.iloc[0]
    assert figures["alignment"] == pytest.approx(2.0)  # |x - y|^2 of orthogonal unit vectors
    # 13 images: 3 classes of 4 equal ones (18 equal pairs), the other 60 pairs of 78 orthogonal
    assert figures["uniformity"] == pytest.approx(math.log((18 + 60 * math.exp(-4)) / 78))
    gap = 3 * (4 / 13) ** 2 + (1 / 13) ** 2 + 3 * (1 / 3) ** 2
    assert figures["modality_gap"] == pytest.approx(math.sqrt(gap))


def test_figures_without_prototypes_or_labels_are_not_invented(items):
    alone = items[items["kind"] == "image"].reset_index(drop=True)
    result = alignment_map(alone, {"before": view(alone, 8)}, TSNE)
    assert math.isnan(result.figures["alignment"][0])
    assert math.isnan(result.figures["modality_gap"][0])
    assert (result.points["nearest_before"] == "").all()


def test_progress_names_the_views(items):
    seen = []
    views = {"teacher": view(items, 12), "before": view(items, 8), "after": view(items, 8)}
    alignment_map(items, views, TSNE, progress=lambda *call: seen.append(call[2]))
    stages = ["t-SNE: searching neighbours", "t-SNE", "figures"]
    spaces = ["teacher", "before and after"]
    assert list(dict.fromkeys(seen)) == [f"{stage} of {space}" for space in spaces for stage in stages]


def test_uniformity_of_many_images_is_measured_on_a_stated_draw(items, monkeypatch):
    monkeypatch.setattr("avion_core.maps.alignment_map.MOST_UNIFORMITY_IMAGES", 10)
    figures = alignment_map(items, {"before": view(items, 8)}, TSNE).figures.iloc[0]
    assert figures["uniformity_of"] == 10
    assert figures["uniformity"] < 0


def test_the_key_follows_content_and_settings(items):
    vectors = view(items, 8)
    key = map_key(items, {"before": vectors})
    nudged, renamed = vectors.copy(), items.copy()
    nudged[3, 3] += 1e-3
    renamed.loc[0, "class_key"] = "runway"
    others = [
        map_key(items, {"before": nudged}),
        map_key(items, {"after": vectors}),
        map_key(renamed, {"before": vectors}),
        *(
            map_key(items, {"before": vectors}, map_settings(**chosen))
            for chosen in (
                {"method": "tsne"},
                {"seed": 1},
                {"neighbours": 4},
                {"min_dist": 0.5},
                {"metric": "correlation"},
                {"kinds": ("image", "prototype")},
            )
        ),
    ]
    assert len({key, *others}) == 10
    assert key == map_key(items.copy(), {"before": vectors.astype(np.float32)}, map_settings(neighbours=15))
    tsne = {"method": "tsne", "seed": 2}
    assert map_key(items, {"before": vectors}, map_settings(**tsne)) == map_key(
        items, {"before": vectors}, map_settings(**tsne, min_dist=0.7)
    )  # t-SNE has no min_dist


def test_missing_columns_are_refused(items):
    with pytest.raises(DataError, match=r"Items lack columns: part, kept\. Give id, kind, class_key, part"):
        alignment_map(items.drop(columns=["part", "kept"]), {"before": view(items, 8)})


def test_an_unknown_view_is_refused(items):
    with pytest.raises(DataError, match=r"no such view: during\. Choose from teacher, before, after\."):
        alignment_map(items, {"during": view(items, 8)})


def test_no_view_is_refused(items):
    with pytest.raises(DataError, match=r"A map needs a view\. Choose from teacher, before, after\."):
        alignment_map(items, {})


def test_a_view_that_does_not_fit_is_refused(items):
    with pytest.raises(DataError, match=r"view teacher does not fit the items: 21 embeddings for 22 items\. Give one"):
        alignment_map(items, {"teacher": view(items, 8)[1:]})
