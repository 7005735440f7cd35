"""What comes with the package: the demo's images, descriptions and weights."""

from __future__ import annotations

import sys
from pathlib import Path

from avion_core.errors import NotFoundError


def demo_folder() -> Path:
    """The bundled demo: in a checkout beside the package, or where `pip install .` put it.

    Raises:
        NotFoundError: in neither place.
    """
    places = (Path(__file__).parents[1] / "demo", Path(sys.prefix) / "share" / "avion" / "demo")
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise NotFoundError("the bundled demo was not found", "Install the package from its checkout.", value=places[0])
    return found
