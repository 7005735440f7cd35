from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from avion_core.errors import DataError
from avion_core.maps.alignment_map import ITEM_COLUMNS, alignment_map, map_key

CLASSES = ("forest", "harbour", "runway")


@pytest.fixture
def items() -> pd.DataFrame:
    """Four images, two descriptions and one prototype of each of three classes, and one unlabelled image."""
    rows = [("i-none", "image", "", "", None, "", "none.png")]
    for name in CLASSES:
        rows += [(f"i-{name}-{n}", "image", name, "train", None, "", f"{name}/{n}.png") for n in range(4)]
        rows += [(f"d-{name}-{n}", "description", name, "", n == 0, f"A view of a {name}.", "") for n in range(2)]
        rows += [(f"p-{name}", "prototype", name, "", None, name, "")]
    return pd.DataFrame(rows, columns=list(ITEM_COLUMNS))


def view(items: pd.DataFrame, dim: int, *, noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """Unit vectors near the axis of each item's class; the unlabelled image near an axis of its own."""
    axis = items["class_key"].map({name: at for at, name in enumerate(CLASSES)}).fillna(len(CLASSES)).astype(int)
    points = np.eye(dim)[axis] + noise * np.random.default_rng(seed).normal(size=(len(items), dim))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_one_table_holds_every_item_of_every_view(items):
    views = {"after": view(items, 8, seed=1), "teacher": view(items, 12), "before": view(items, 8)}
    result = alignment_map(items, views, method="tsne")
    assert list(result.points["view"].unique()) == ["teacher", "before", "after"]
    for _, rows in result.points.groupby("view"):
        pd.testing.assert_frame_equal(rows[list(ITEM_COLUMNS)].reset_index(drop=True), items)
    assert np.isfinite(result.points[["x", "y"]].to_numpy()).all()
    assert list(result.figures["view"]) == ["teacher", "before", "after"]


def test_before_and_after_share_a_layout(items):
    """An embedding that training did not move keeps its place beside the others of its class."""
    before = view(items, 8)
    after = before.copy()
    moved = (items["class_key"] == "forest").to_numpy()
    after[moved] = -after[moved]
    points = alignment_map(items, {"before": before, "after": after}, method="tsne").points.set_index(["view", "id"])
    places = points[["x", "y"]]
    way = np.linalg.norm(places.loc["after"].to_numpy() - places.loc["before"].to_numpy(), axis=1)
    assert way[moved].min() > way[~moved].max()


def test_correct_is_said_of_labelled_images_alone(items):
    vectors = view(items, 8)
    wrong = items.index[items["id"] == "i-runway-2"][0]
    vectors[wrong] = vectors[items.index[items["id"] == "p-forest"][0]]
    points = alignment_map(items, {"before": vectors}, method="tsne").points.set_index("id")
    labelled = (points["kind"] == "image") & (points["class_key"] != "")
    assert points.loc[~labelled, "correct"].isna().all()
    assert set(points.index[labelled & ~points["correct"].fillna(True)]) == {"i-runway-2"}


def test_figures_against_hand_counted_ones(items):
    """Images on the axes, prototypes a quarter turn away in a plane of their own: each figure follows by hand."""
    vectors = view(items, 8, noise=0.0)
    texts = (items["kind"] != "image").to_numpy()
    vectors[texts] = np.roll(vectors[texts], 4, axis=1)
    figures = alignment_map(items, {"before": vectors}, method="tsne").figures.iloc[0]
    assert figures["alignment"] == pytest.approx(2.0)  # |x - y|^2 of orthogonal unit vectors
    # 13 images: 3 classes of 4 equal ones (18 equal pairs), the other 60 pairs of 78 orthogonal
    assert figures["uniformity"] == pytest.approx(math.log((18 + 60 * math.exp(-4)) / 78))
    gap = 3 * (4 / 13) ** 2 + (1 / 13) ** 2 + 3 * (1 / 3) ** 2
    assert figures["modality_gap"] == pytest.approx(math.sqrt(gap))


def test_figures_without_prototypes_or_labels_are_not_invented(items):
    alone = items[items["kind"] == "image"].reset_index(drop=True)
    result = alignment_map(alone, {"before": view(alone, 8)}, method="tsne")
    assert math.isnan(result.figures["alignment"][0])
    assert math.isnan(result.figures["modality_gap"][0])
    assert result.points["correct"].isna().all()


def test_progress_names_the_views(items):
    seen = []
    views = {"teacher": view(items, 12), "before": view(items, 8), "after": view(items, 8)}
    alignment_map(items, views, method="tsne", progress=lambda *call: seen.append(call[2]))
    assert list(dict.fromkeys(seen)) == ["t-SNE of teacher", "t-SNE of before and after"]


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
        map_key(items, {"before": vectors}, method="tsne"),
        map_key(items, {"before": vectors}, seed=1),
        map_key(items, {"before": vectors}, neighbours=4),
    ]
    assert len({key, *others}) == 7
    assert key == map_key(items.copy(), {"before": vectors.astype(np.float32)}, neighbours=15)


def test_missing_columns_are_refused(items):
    with pytest.raises(DataError, match=r"Items lack columns: split, kept\. Give id, kind, class_key, split"):
        alignment_map(items.drop(columns=["split", "kept"]), {"before": view(items, 8)})


def test_an_unknown_view_is_refused(items):
    with pytest.raises(DataError, match=r"no such view: during\. Choose from teacher, before, after\."):
        alignment_map(items, {"during": view(items, 8)})


def test_no_view_is_refused(items):
    with pytest.raises(DataError, match=r"A map needs a view\. Choose from teacher, before, after\."):
        alignment_map(items, {})


def test_a_view_that_does_not_fit_is_refused(items):
    with pytest.raises(DataError, match=r"view teacher does not fit the items: 21 embeddings for 22 items\. Give one"):
        alignment_map(items, {"teacher": view(items, 8)[1:]})
