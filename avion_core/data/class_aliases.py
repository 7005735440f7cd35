"""Classes of different data sets that mean the same: by their prompt names, or by these aliases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from avion_core.data.class_names import fold
from avion_core.errors import ConfigError

_SAME: tuple[tuple[str, ...], ...] = (
    ("airplane", "plane", "aircraft"),
    ("harbor", "harbour", "port"),
    ("storage tanks", "storage tank", "oil storage"),
    ("baseball diamond", "baseball field"),
    ("parking lot", "parking", "parking space"),
    ("freeway", "highway"),
    ("football field", "soccer field"),
    ("tennis court", "tennis courts"),
    ("farmland", "agricultural", "cropland"),
    ("railway station", "train station"),
    ("intersection", "road intersection"),
    ("meadow", "pasture", "grassland"),
    ("mobile home park", "trailer park"),
    ("buildings", "building"),
)
"""Prompt names that the published data sets give to the same thing seen from above."""


def shared_classes(here: Mapping[str, str], there: Mapping[str, str], aliases: Iterable[str] = ()) -> dict[str, str]:
    """Class key there -> class key here, of classes that mean the same, in the order of `here`.

    A class meets another by its prompt name, or else by an alias. Where several classes of one side could meet one of
    the other, none does: nobody can say which.

    Args:
        here, there: class key -> prompt name. aliases: pairs of names as "harbor=port", further than the known ones.

    Raises:
        ConfigError: an alias that is no pair.
    """
    same = _groups(aliases)

    def by(names: Mapping[str, str], *, loose: bool) -> dict[str, str]:
        found: dict[str, set[str]] = defaultdict(set)
        for key, name in names.items():
            folded = fold(name)
            found[same.get(folded, folded) if loose else folded].add(key)
        return {name: min(keys) for name, keys in found.items() if len(keys) == 1}

    met: dict[str, str] = {}
    for loose in (False, True):
        left_here = {key: name for key, name in here.items() if key not in met.values()}
        left_there = {key: name for key, name in there.items() if key not in met}
        ours, theirs = by(left_here, loose=loose), by(left_there, loose=loose)
        met |= {theirs[name]: key for name, key in ours.items() if name in theirs}
    return dict(sorted(met.items(), key=lambda pair: list(here).index(pair[1])))


def _groups(aliases: Iterable[str]) -> dict[str, str]:
    """Folded name -> the name that stands for its group."""
    stands_for = {fold(name): fold(group[0]) for group in _SAME for name in group}
    for alias in aliases:
        names = [fold(name) for name in alias.split("=")]
        if len(names) != 2 or not all(names):
            raise ConfigError("this alias is no pair of class names", 'Write it as "harbor=port".', value=alias)
        first, second = (stands_for.get(name, name) for name in names)
        stands_for |= {name: first for name, one in stands_for.items() if one == second}
        stands_for |= {names[0]: first, names[1]: first, second: first}
    return stands_for
