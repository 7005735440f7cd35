from __future__ import annotations

import pytest

from avion_core.errors import ConfigError
from avion_core.maps.settings import MapSettings, map_settings


def test_each_method_has_its_own_neighbourhood():
    assert map_settings().neighbourhood == 15
    assert map_settings(method="tsne").neighbourhood == 30
    assert map_settings(method="tsne", neighbours=5).neighbourhood == 5


def test_only_what_a_method_uses_decides_its_layout():
    assert "min_dist" in map_settings().layout
    assert map_settings(method="tsne", min_dist=0.9).layout == map_settings(method="tsne").layout


def test_the_sealed_test_set_is_not_on_a_map_by_itself():
    assert "test" not in MapSettings().parts


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"method": "pca"}, r"The map's method cannot be used: pca\. Input should be 'umap' or 'tsne'\."),
        ({"neighbours": 1}, r"map's neighbours cannot be used: 1\. Input should be greater than or equal to 2\."),
        ({"min_dist": 2}, r"map's min_dist cannot be used: 2\. Input should be less than or equal to 1\."),
        ({"metric": "hamming"}, r"map's metric cannot be used: hamming\. Input should be 'cosine', 'euclidean'"),
        ({"speed": 3}, r"map's speed cannot be used: 3\. Settings are: method, neighbours, min_dist, metric, seed"),
        ({"kinds": ()}, r"A map needs something to show\. Choose images, descriptions or prototypes\."),
        ({"parts": ()}, r"No images are chosen for the map\. Choose which images, or leave images out\."),
    ],
)
def test_settings_that_cannot_be_used(chosen, message):
    with pytest.raises(ConfigError, match=message):
        map_settings(**chosen)
