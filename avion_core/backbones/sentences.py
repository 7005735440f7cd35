"""What CLIP's text tower reads of the classes' sentences: found out before any model is loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache

from avion_core.backbones.towers import clip_tokenizer
from avion_core.errors import DataError
from avion_core.reading import Subject, refuse_mark

CONTEXT = 77
"""Tokens that a CLIP reads of a text, its beginning and its end among them."""


def cut_sentences(class_names: Mapping[str, str], template: str) -> list[str]:
    """Keys of the classes whose sentence is longer than a CLIP reads; those of one meaning to it are refused.

    Args:
        class_names: class key -> prompt name.
        template: the sentence around it.

    Raises:
        DataError: a name with a sign of the tokenizers' own, or two classes whose sentences read the same: they differ
            in case or spaces alone, or after what is read.
    """
    cut, by_tokens = list[str](), defaultdict[tuple[int, ...], list[str]](list)
    for key, name in class_names.items():
        hint = "Give the class another name: what stands behind it would not be read."
        refuse_mark(name, Subject(f"the name of the class {key}", hint=hint))
        tokens = _tokens(template.format(name))
        by_tokens[tokens[: CONTEXT - 2]].append(key)
        if len(tokens) > CONTEXT - 2:
            cut.append(key)
    for keys in by_tokens.values():
        if len(keys) > 1:
            same = " and ".join(f"“{_shown(class_names[key])}”" for key in keys[:2])
            raise DataError(
                f"the models read the same for two classes, {same}",
                f"Give them shorter names: {CONTEXT - 2} tokens are read, those of the template included."
                if keys[0] in cut
                else "Give them names that differ in more than case and spaces, or merge them.",
            )
    return cut


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[int, ...]:
    return tuple(clip_tokenizer(CONTEXT).encode(text))


def _shown(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:40]} … {name[-16:]}"
