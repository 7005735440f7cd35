"""Methods, one small file each: AVION, and what it must be compared with (docs/method.md section 7).

A method is one file here and one line in METHODS (docs/add-a-method.md). The line names the class rather than importing
it: settings are checked in processes that never compute, and a method brings torch along.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from avion_core.errors import ConfigError

if TYPE_CHECKING:
    from avion_core.methods.method import Method

METHODS: dict[str, str] = {
    "avion": "avion_core.methods.avion:Avion",
    "zero_shot": "avion_core.methods.zero_shot:ZeroShot",
    "class_mean": "avion_core.methods.class_mean:ClassMean",
    "class_mean_text": "avion_core.methods.class_mean_text:ClassMeanText",
    "linear_probe": "avion_core.methods.linear_probe:LinearProbe",
    "text_prototypes": "avion_core.methods.text_prototypes:TextPrototypes",
    "mapped_prototypes": "avion_core.methods.mapped_prototypes:MappedPrototypes",
}
"""Name in settings and reports -> module and class. The order is that of a report's rows."""


def find_method(name: str) -> type[Method]:
    """The method with a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in METHODS:
        raise ConfigError("there is no such method", f"Choose one of: {', '.join(METHODS)}.", value=name)
    return _imported(METHODS[name])


@cache
def _imported(place: str) -> type[Method]:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
