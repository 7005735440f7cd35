"""Web addresses that somebody typed."""

from __future__ import annotations

from urllib.parse import urlsplit

from avion_core.reading.subject import Subject


def web_address(text: str, subject: Subject) -> str:
    """An http or https address with a host, as it was given.

    Raises:
        subject.error: it is no such address, or it carries what only its owner may know (`carries_secrets`).
    """
    if carries_secrets(text):  # asked first: no message repeats such an address
        what = "holds a name or a password, or a query"
        raise subject.refused(what, "Leave them out, and put the key into its environment variable.")
    odd = any(letter.isspace() or not letter.isprintable() for letter in text)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket without its other half, a port that is no number
        usable = False
    if odd or not usable:
        raise subject.refused("is not a web address", "Write it like http://localhost:11434/v1.", value=text)
    return text


def can_be_parsed(address: str) -> bool:
    """Whether an address can be taken apart at all: its brackets close, and its port is one."""
    try:
        parts = urlsplit(address)
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def without_secrets(address: str) -> str:
    """An address as messages may show it, also one that cannot be parsed: what stands before an @ is left out."""
    scheme, mark, rest = address.rpartition("://")
    return f"{scheme}{mark}***@{rest.rpartition('@')[2]}" if "@" in rest else address


def carries_secrets(address: str) -> bool:
    """Whether an address holds a name, a password, a query or a fragment: settings are saved and shared with others."""
    try:
        parts = urlsplit(address)
    except ValueError:  # a bracket without its other half
        return any(mark in address for mark in "@?#")
    return parts.username is not None or bool(parts.query or parts.fragment)
