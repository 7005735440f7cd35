"""Cuts a Python process, and all that it starts, off from every address but its own machine's.

Python imports this by its name when the folder is in PYTHONPATH. The file that AVION_REFUSED names gets what was tried.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

_RECORD = os.environ["AVION_REFUSED"]
_CONNECTING = {"socket.connect": 1, "socket.sendto": 1}
_NAMING = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0}
"""Audit event -> which of its arguments says where to."""


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CONNECTING:
        address = arguments[_CONNECTING[event]]
        if not isinstance(address, tuple):  # a path in the file system
            return
        host = address[0]
    elif event in _NAMING:
        host = arguments[_NAMING[event]] or ""  # none: this machine
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    try:
        allowed = ipaddress.ip_address(host).is_loopback
    except ValueError:
        allowed = host in ("", "localhost")
    if not allowed:
        with open(_RECORD, "a", encoding="utf-8") as record:
            record.write(f"{event} {host}\n")
        raise OSError(f"the network is cut off: {host}")


open(_RECORD, "a", encoding="utf-8").close()  # there from now on: whoever reads it knows that the cut holds
sys.addaudithook(_refuse)
