"""Web addresses that somebody typed."""

from __future__ import annotations

from urllib.parse import urlsplit

from avion_core.reading.subject import Subject


def web_address(text: str, subject: Subject) -> str:
    """An http or https address with a host, as it was given.

    Raises:
        subject.error: it is no such address, or it carries a name and a password, which would travel with settings.
    """
    hint = "Write it like http://localhost:11434/v1."
    odd = any(letter.isspace() or not letter.isprintable() for letter in text)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        signed = parts.username is not None or parts.password is not None
    except ValueError:  # a bracket without its other half, a port that is no number
        usable = signed = False
    if odd or not usable:
        raise subject.refused("is not a web address", hint, value=text)
    if signed:
        what = "holds a name or a password"
        raise subject.refused(what, "Leave them out, and put the key into its environment variable.")
    return text
