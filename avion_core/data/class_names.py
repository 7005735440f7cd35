"""From class keys (folder names, labels) to the words that prompts and people read.

Keys stay as they were given; only the prompt name is made here, and a person may change it in the project.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from avion_core.data.catalog import DATA_SETS
from avion_core.data.problems import Problem

_DASHES = re.compile("[\u2010-\u2015\u2212]")
_SEPARATORS = re.compile(r"[\s_'’()/,&;:]|(?<!\d)\.|\.(?!\d)|-(?!\d)|(?<=[^\W_])-|(?<=_)-")
_BETWEEN_NUMBERS = re.compile(r"(?<=\d)(?:[\s_'’()/,&;:]+(?:[-.][\s_]+)?|[-.][\s_]+|-)(?=\d)")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_DECIMAL = re.compile(r"(-?\d+)[.,]00?")
_BETWEEN_WORDS = re.compile(r"(?:[\s_]|(?<!\d)[.-]|[.-](?!\d))+")  # a number with a point and a range are one word
_CODE = re.compile(
    r"(?P<number>\d+)(?P<mark>\s*[.):_]+\s*|\s*[-–—]+\s*|\s+)(?=[^\W\d])|\d+(?:\.\d+){2,}[\s._-]+(?=[^\W\d])"
)
"""What may be a code before a name (`001.Albatross`, `3. forest`, `1.1.2 urban`) or how many there are (`2 lanes`)."""
_ORDERED = re.compile(r"[a-z](?=[A-Z])")  # aGrass, bField, cIndustry
_FEWEST_ORDERED = 3
_FEWEST_LETTERS = 3
_SOME = 5


def fold(name: str) -> str:
    """A name without case, spaces, separators and ways to encode an accent: equal folds are one name to a reader.

    What tells classes apart stays: signs such as `<` and `%`, a minus before a number, the point inside one, and that
    two numbers are two ("2-3 floors", "10,0").
    """
    text = _DASHES.sub("-", unicodedata.normalize("NFKC", name).casefold().strip())
    return " ".join(_SEPARATORS.sub("", part) for part in _BETWEEN_NUMBERS.split(text)) or text


def as_code(written: str) -> str:
    """A code as it was, where a table wrote a whole number as a decimal one (`10.0`, `10,0`); else the text itself."""
    whole = _DECIMAL.fullmatch(written)
    return whole[1] if whole else written


class ClassFinder:
    """Class as written -> class key, or None where no class or more than one fits.

    In this order: the very key, the very prompt name, a code that a table wrote as a decimal number (`10.0`, `10,0`),
    an alias that a person gave (spelling folded), and key or prompt name with spelling folded.

    Args:
        class_names: class key -> prompt name.
        aliases: other name -> class key.
    """

    def __init__(self, class_names: Mapping[str, str], aliases: Mapping[str, str] = MappingProxyType({})) -> None:
        self.taken_for: dict[str, str] = {}
        """As written -> class key, of what an alias or folded spelling found: whoever reads a file says so."""
        self.by_alias: dict[str, str] = {}
        """Those of them that an alias found."""
        self._names = class_names
        self._aliases = {fold(alias): key for alias, key in aliases.items() if key in class_names}
        self._by_name: dict[str, set[str]] = defaultdict(set)
        self._by_fold: dict[str, set[str]] = defaultdict(set)
        for key, name in class_names.items():
            for word in (key, name):
                self._by_name[unicodedata.normalize("NFC", word)].add(key)
                self._by_fold[fold(word)].add(key)

    def __call__(self, written: str) -> str | None:
        word = unicodedata.normalize("NFC", written.strip())
        if word in self._names:
            return word
        exact = self._by_name.get(word) or self._by_name.get(as_code(word))
        alias = self._aliases.get(fold(word))
        found = exact or ({alias} if alias is not None else self._by_fold.get(fold(word), set()))
        if len(found) != 1:
            return None
        (key,) = found
        if not exact:
            self.taken_for[written.strip()] = key
            if alias is not None:
                self.by_alias[written.strip()] = key
        return key


def said_taken_for(taken_for: Mapping[str, str], most: int = 3) -> str:
    """What was found by folded spelling, as a clause for a report; empty where every class was written as it is."""
    pairs = [f"“{written}” as “{key}”" for written, key in list(taken_for.items())[:most]]
    more = f" and {len(taken_for) - most:,} more" if len(taken_for) > most else ""
    return f"read {', '.join(pairs)}{more}" if pairs else ""


def prompt_name(class_key: str) -> str:
    """Readable words for a class key: `mobilehomepark` -> "mobile home park", `StorageTanks` -> "storage tanks".

    Glued names of the catalog's data sets are known. Otherwise words are split at `_`, `-`, `.`, spaces, a capital
    inside a word, and digits after a word; a code in front ("01_forest", "001.forest") is dropped, numbers that say how
    many ("2-3 floors", "2.5 m road", "4 lanes") and codes that are all there is ("T62", "2S1") stay whole.
    """
    return _named(class_key, listed=None)


def _named(class_key: str, *, listed: bool | None) -> str:
    """The prompt name; `listed` says whether the numbers before this and other keys count them, None where none are
    known.
    """
    key = unicodedata.normalize("NFC", class_key).strip()
    if (code := _CODE.match(key)) and _is_code(code, listed):
        key = key[code.end() :]
    if _NUMBER.fullmatch(key):
        return key
    return _KNOWN.get(fold(key)) or _words(key) or class_key


def prompt_names(keys: Iterable[str]) -> dict[str, str]:
    """The prompt name of each key, in the order given.

    Letters that only order a data set's folders (aGrass, bField, cIndustry) are left out; see `ordering_letters`.
    """
    keys = list(keys)
    lettered = ordering_letters(keys)
    listed = _are_listed(keys)
    return {key: _named(key[1:] if lettered else key, listed=listed) for key in keys}


def _is_code(code: re.Match[str], listed: bool | None) -> bool:
    """Whether a number before a word is its code: by a point or a leading 0, else by what the other keys begin with."""
    mark = code["mark"]
    if mark is None or "." in mark or ")" in mark or ":" in mark or code["number"].startswith("0"):
        return True
    return "_" in mark if listed is None else listed


def _are_listed(keys: Iterable[str]) -> bool | None:
    """Whether numbers before keys count them: most keys have one, none twice, and their words tell them apart.

    None for a key that stands alone.
    """
    keys = [unicodedata.normalize("NFC", key).strip() for key in keys]
    codes = {key: code for key in keys if (code := _CODE.match(key))}
    if len(keys) < 2:
        return None
    numbers = [code.group(0).strip() for code in codes.values()]
    words = [fold(key[codes[key].end() :] if key in codes else key) for key in keys]
    return 2 * len(codes) > len(keys) and len(set(numbers)) == len(numbers) and len(set(words)) == len(words)


def ordering_letters(keys: Iterable[str]) -> bool:
    """Whether every key begins with a small letter before a capital, the first letters of the alphabet in turn."""
    keys = list(keys)
    letters = sorted(key[0] for key in keys if _ORDERED.match(key))
    alphabet = [chr(ord("a") + place) for place in range(len(keys))]
    return len(keys) >= _FEWEST_ORDERED and letters == alphabet


def is_wordless(name: str) -> bool:
    """Whether a prompt name has no word that a model can know: `0`, `n01440764`, `T62`."""
    if any(letter.isalpha() and not letter.isascii() for letter in name):
        return False
    return not re.search(rf"(?<![^\W_])[^\W\d_]{{{_FEWEST_LETTERS},}}(?!\d)", name)


def name_problems(keys: Iterable[str]) -> list[Problem]:
    """What is doubtful about the names that keys get: collisions, names without words, letters that were left out."""
    keys = sorted(keys)
    names = prompt_names(keys)
    problems = name_collisions(keys)
    if ordering_letters(keys):
        said = f"The classes begin with letters that only order them: prompts call {keys[0]} “{names[keys[0]]}”."
        problems.append(Problem("class_name", keys[0], said))
    if wordless := [key for key in keys if is_wordless(names[key])]:
        problems.append(Problem("class_name", wordless[0], said_of_wordless(names[key] for key in wordless)))
    return problems


def said_of_wordless(names: Iterable[str]) -> str:
    """What to say of prompt names without words, and what to do."""
    listed = list(names)
    more = f" and {len(listed) - _SOME:,} more" if len(listed) > _SOME else ""
    return (
        f"No word for a model to go by: {', '.join(listed[:_SOME])}{more}. Give each class a prompt name that says "
        "what it shows: in the table of classes on the page Projects, or by `avion classes rename`."
    )


def name_collisions(keys: Iterable[str]) -> list[Problem]:
    """One Problem for each set of keys that would share a prompt name, and so could not be told apart."""
    names = prompt_names(keys)
    sharing: dict[str, set[str]] = defaultdict(set)
    for key, name in names.items():
        sharing[fold(name)].add(key)
    return [
        Problem(
            "name_collision",
            min(same),
            f"The classes {', '.join(sorted(same))} would all be called “{names[min(same)]}”. "
            "Merge them, or give each a prompt name of its own.",
        )
        for _, same in sorted(sharing.items())
        if len(same) > 1
    ]


def is_readable(name: str) -> bool:
    """Whether a name can be stored and shown: no control character, no bytes that are not text, no U+FFFD."""
    return "\ufffd" not in name and not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)


def _words(key: str) -> str:
    return " ".join(part.lower() for word in _BETWEEN_WORDS.split(key) for part in _split_case(word) if part)


def _split_case(word: str) -> list[str]:
    """Split at lower-to-upper ("bareLand"), before the last capital of a run ("SARImage"), and at "area2"."""
    cuts = [0]
    for i in range(1, len(word)):
        before, here, after = word[i - 1], word[i], word[i + 1 : i + 2]
        if (
            (before.islower() and here.isupper())
            or (before.isupper() and here.isupper() and after.islower())
            or (here.isdigit() and before.islower() and word[i - 2 : i - 1].isalpha())
        ):
            cuts.append(i)
    return [word[start:end] for start, end in zip(cuts, [*cuts[1:], len(word)], strict=True)]


# Where words meet in "mobilehomepark" no rule can tell, but some data set of the catalog writes it with capitals
# or underscores. SeaLake is the one name whose words alone would mislead: it means either.
_KNOWN = {fold(key): _words(key) for entry in DATA_SETS.values() for key in entry.classes if " " in _words(key)}
_KNOWN["sealake"] = "sea or lake"
