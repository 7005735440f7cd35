"""The command that orders the same descriptions."""

from __future__ import annotations

import shlex

from avion_core.descriptions.writers.settings import WritingSettings

_OPTIONS = {
    "writer": "--writer",
    "model": "--model",
    "base_url": "--base-url",
    "file": "--file",
    "per_class": "--per-class",
    "classes": "--class",
    "prompt": "--prompt",
    "language": "--language",
    "view": "--view",
    "sensor": "--sensor",
    "resolution": "--resolution",
    "region": "--region",
    "season": "--season",
    "distinguish": "--distinguish",
    "distinguish_from": "--distinguish-from",
    "pictures": "--pictures",
    "concurrency": "--concurrency",
    "requests_per_minute": "--rpm",
    "timeout_seconds": "--timeout",
    "price_in": "--price-in",
    "price_out": "--price-out",
}
"""Settings as options of `avion describe`."""


def cli_command(project: str, settings: WritingSettings) -> str:
    """The command that orders the same."""
    plain = WritingSettings()
    words = ["avion", "describe", project]
    for name, option in _OPTIONS.items():
        value = getattr(settings.imaging if hasattr(plain.imaging, name) else settings, name)
        if value != getattr(plain.imaging if hasattr(plain.imaging, name) else plain, name) or name == "writer":
            values = value if isinstance(value, tuple) else (value,)
            words += [word for one in values for word in (option, str(one))]
    return shlex.join(words)
