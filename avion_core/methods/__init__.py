"""Methods, one small file each: AVION, and what it must be compared with (docs/method.md section 7).

A method is one file here and one line in METHODS (docs/add-a-method.md). The line names the class rather than importing
it: settings are checked in processes that never compute, and a method brings torch along.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from avion_core.errors import ConfigError

if TYPE_CHECKING:
    from avion_core.methods.method import Method

METHODS: dict[str, str] = {
    "avion": "avion_core.methods.avion:Avion",
    "zero_shot": "avion_core.methods.zero_shot:ZeroShot",
    "zero_shot_ensemble": "avion_core.methods.zero_shot_ensemble:ZeroShotEnsemble",
    "class_mean": "avion_core.methods.class_mean:ClassMean",
    "class_mean_text": "avion_core.methods.class_mean_text:ClassMeanText",
    "linear_probe": "avion_core.methods.linear_probe:LinearProbe",
    "text_prototypes": "avion_core.methods.text_prototypes:TextPrototypes",
    "mapped_prototypes": "avion_core.methods.mapped_prototypes:MappedPrototypes",
    "tip_adapter": "avion_core.methods.tip_adapter:TipAdapter",
    "tip_adapter_f": "avion_core.methods.tip_adapter_f:TipAdapterF",
    "coop": "avion_core.methods.coop:CoOp",
    "cocoop": "avion_core.methods.cocoop:CoCoOp",
    "vpt_shallow": "avion_core.methods.vpt:VptShallow",
    "vpt_deep": "avion_core.methods.vpt:VptDeep",
    "maple": "avion_core.methods.maple:Maple",
    "prompt_src": "avion_core.methods.prompt_src:PromptSrc",
    "prompt_kd": "avion_core.methods.prompt_kd:PromptKd",
    "applenet": "avion_core.methods.applenet:Applenet",
    "clip_lora": "avion_core.methods.clip_lora:ClipLora",
    "full_fine_tuning": "avion_core.methods.full_fine_tuning:FullFineTuning",
    "rs_transclip": "avion_core.methods.rs_transclip:RsTransclip",
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


@lru_cache(maxsize=64)
def _imported(place: str) -> type[Method]:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
