"""Addresses in the environment that libraries read by themselves: asked here first, so that a message names them.

The hub's client parses HF_ENDPOINT when it is imported, and most of the engine imports it; the HTTP clients read the
proxies when they are made. Neither says which variable it tripped over.
"""

from __future__ import annotations

import os

from avion_core.errors import StoreError
from avion_core.reading.addresses import can_be_parsed, without_secrets

_HUB = "HF_ENDPOINT"
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_SCHEMES = ("http://", "https://", "socks5://", "socks5h://")


def refuse_unusable_hub() -> None:
    """Whatever is done later would fail over it, so this comes before anything else is imported.

    Raises:
        StoreError: HF_ENDPOINT is nothing that can be read as an address.
    """
    address = os.environ.get(_HUB, "")
    if not can_be_parsed(address):
        hint = "Set it to the address of a mirror, such as https://huggingface.co, or unset it."
        raise _refused(_HUB, address, hint)


def refuse_unusable_proxies() -> None:
    """For what talks to a service; without a network a wrong proxy harms nobody.

    Raises:
        StoreError: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, in either case, is nothing that can be read as an address.
    """
    for name in (*_PROXIES, *(name.lower() for name in _PROXIES)):
        address = os.environ.get(name, "").strip()
        scheme_known = "://" not in address or address.lower().startswith(_SCHEMES)
        whole = address if "://" in address else f"http://{address}"
        if address and not (scheme_known and can_be_parsed(whole)):
            raise _refused(name, address, "Set it to an address like http://proxy.example:3128, or unset it.")


def _refused(name: str, address: str, hint: str) -> StoreError:
    return StoreError(f"the environment variable {name} is not an address", hint, value=without_secrets(address))
