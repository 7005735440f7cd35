"""The home folder, for pages: they know the studio's floor and none below it."""

from avion_core.store.home import Home

__all__ = ["Home"]
