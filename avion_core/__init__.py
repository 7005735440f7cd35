"""The engine of AVION Studio: from images and class descriptions to a distilled student and its report.

As a library, begin with `avion_core.experiment` (one run), `avion_core.prototypes` (descriptions to text prototypes),
`avion_core.distill` (losses and training) and `avion_core.metrics`. They take configs, tensors and paths, and know no
database, no user interface and no environment variable.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("avion-studio")
except PackageNotFoundError:  # a checkout on the path that nobody installed
    __version__ = "unknown"
