"""What CLIP's text tower reads of the classes' sentences: found out before any model is loaded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from avion_core.backbones.tokenizing import BytePairs, TextReader
from avion_core.errors import DataError
from avion_core.reading import Subject, refuse_mark

CLIP_READER = BytePairs(77)
"""How most CLIPs read a text."""


def cut_sentences(class_names: Mapping[str, str], template: str, readers: Sequence[TextReader] = ()) -> list[str]:
    """Keys of the classes whose sentence is longer than a model reads; those of one meaning to it are refused.

    Args:
        class_names: class key -> prompt name.
        template: the sentence around it.
        readers: the models' tokenizers; CLIP's of 77 tokens by default.

    Raises:
        DataError: a name with a sign of the tokenizers' own, or two classes whose sentences read the same: they differ
            in case or spaces alone, or after what is read.
    """
    cut: dict[str, None] = {}
    for key, name in class_names.items():
        hint = "Give the class another name: what stands behind it would not be read."
        refuse_mark(name, Subject(f"the name of the class {key}", hint=hint))
    for reader in readers or [CLIP_READER]:
        long, by_tokens = set[str](), defaultdict[tuple[int, ...], list[str]](list)
        for key, name in class_names.items():
            tokens = reader.words(template.format(name))
            by_tokens[tuple(tokens[: reader.room])].append(key)
            if len(tokens) > reader.room:
                long.add(key)
        _refuse_equal(class_names, by_tokens, long, reader.room)
        cut |= dict.fromkeys(key for key in class_names if key in long)
    return list(cut)


def _refuse_equal(
    class_names: Mapping[str, str], by_tokens: Mapping[tuple[int, ...], list[str]], long: set[str], room: int
) -> None:
    for keys in by_tokens.values():
        if len(keys) > 1:
            same = " and ".join(f"“{_shown(class_names[key])}”" for key in keys[:2])
            raise DataError(
                f"the models read the same for two classes, {same}",
                f"Give them shorter names: {room} tokens are read, those of the template included."
                if keys[0] in long
                else "Give them names that differ in more than case and spaces, or merge them.",
            )


def _shown(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:40]} … {name[-16:]}"
