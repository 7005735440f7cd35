"""Protocols, one small file each, and what measures a run under one: methods x parts -> report."""

from __future__ import annotations

from avion_core.errors import ConfigError
from avion_core.protocols.base_to_novel import BaseToNovel
from avion_core.protocols.cross_dataset import CrossDataset
from avion_core.protocols.few_shot import FewShot
from avion_core.protocols.protocol import Protocol
from avion_core.protocols.retrieval import Retrieval

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol for protocol in (FewShot(), BaseToNovel(), CrossDataset(), Retrieval())
}


def find_protocol(name: str) -> Protocol:
    """The protocol with a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PROTOCOLS:
        raise ConfigError("there is no such protocol", f"Choose one of: {', '.join(PROTOCOLS)}.", value=name)
    return PROTOCOLS[name]
