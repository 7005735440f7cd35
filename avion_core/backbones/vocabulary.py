"""Words as CLIP's tokenizer keeps them: what random words are drawn from."""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

_FILE = "bpe_simple_vocab_16e6.txt.gz"
_END = "</w>"
_FEWEST_LETTERS, _MOST_FREQUENT = 2, 30_000


@lru_cache(maxsize=1)
def whole_words() -> tuple[str, ...]:
    """What may stand before a space in CLIP's vocabulary (Radford et al., 2021), the more frequent first.

    Small ASCII letters only. Nearly all are words; some of the short ones are only endings of words.
    """
    spec = find_spec("open_clip")  # finds the package without importing it, which brings torch along
    assert spec is not None
    assert spec.submodule_search_locations
    with gzip.open(Path(spec.submodule_search_locations[0]) / _FILE, "rt", encoding="utf-8") as file:
        merges = [line.split() for line in file.read().splitlines()[1 : _MOST_FREQUENT + 1]]
    made = ("".join(pair).removesuffix(_END) for pair in merges if pair and pair[-1].endswith(_END))
    return tuple(dict.fromkeys(w for w in made if len(w) >= _FEWEST_LETTERS and w.isascii() and w.isalpha()))
