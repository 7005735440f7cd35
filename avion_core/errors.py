"""What may go wrong, said so that a person can fix it.

Every message names what was wrong, the value that was met, and a hint. `cause` is one word for
tables and badges.
"""

from __future__ import annotations

from collections.abc import Mapping

_NO_VALUE = object()
_MOST_CHARACTERS = 2000


class AvionError(Exception):
    """Base of every error a caller may meet.

    Args:
        what: the thing that is wrong, as a short clause ("the image folder does not exist").
        hint: what the person can do about it, as a sentence.
        value: the value that was met; shown as it is, shortened past 200 characters, and left out where it is empty.
    """

    cause = "error"

    def __init__(self, what: str, hint: str, *, value: object = _NO_VALUE) -> None:
        what, hint = _printable(what), _printable(hint)
        self.what, self.hint = what, hint
        empty = value is _NO_VALUE or (isinstance(value, str) and not value)
        shown = "" if empty else f": {_short(value)}"
        super().__init__(f"{what[:1].upper()}{what[1:]}{shown}. {hint}")


class ConfigError(AvionError):
    """A setting is unknown, out of its range, or at odds with another."""

    cause = "config"


class DataError(AvionError):
    """Images, labels, captions or splits that cannot be used."""

    cause = "data"


class CheckpointError(AvionError):
    """A weights file that is not what it should be."""

    cause = "weights"


class DescriptionError(AvionError):
    """Class descriptions that cannot be read or used."""

    cause = "descriptions"


class EditedMeanwhileError(AvionError):
    """What somebody is about to save, or to judge, has been changed since they were shown it; nothing is written.

    Args:
        yours: what would have been saved, by the name of each field that is at odds.
        now: how the same fields read now.
    """

    cause = "edited"

    def __init__(
        self, what: str, hint: str, *, yours: Mapping[str, str], now: Mapping[str, str], value: object = _NO_VALUE
    ) -> None:
        super().__init__(what, hint, value=value)
        self.yours, self.now = dict(yours), dict(now)


class PrototypeError(AvionError):
    """A class left without text, or scores that are not numbers."""

    cause = "prototypes"


class TrainingError(AvionError):
    """Training that cannot start or cannot go on."""

    cause = "training"


class JobError(AvionError):
    """A job that cannot be started, stopped or taken up again."""

    cause = "job"


class NotFoundError(AvionError):
    """A project, run, class or description that the store does not hold."""

    cause = "missing"


class WeightsMissingError(NotFoundError):
    """The weights of a model are not installed.

    Args:
        model: its name in the catalog.
    """

    def __init__(self, what: str, hint: str, *, model: str) -> None:
        super().__init__(what, hint, value=model)
        self.model = model


class WeightsBrokenError(CheckpointError):
    """The installed weights of a model are not what they were.

    Args:
        model: its name in the catalog.
    """

    def __init__(self, what: str, hint: str, *, model: str, value: object = _NO_VALUE) -> None:
        super().__init__(what, hint, value=value)
        self.model = model


class AccountError(AvionError):
    """A name, password, link or account that cannot be used."""

    cause = "account"


class RightsError(AvionError):
    """An action that this person may not take."""

    cause = "rights"


class StoreError(AvionError):
    """The database or its folder cannot be used."""

    cause = "store"


class StoreBusyError(StoreError):
    """The database cannot be reached or written just now; the same call may go through later."""


class StoreDamagedError(StoreError):
    """The database's file is damaged, or is none; once a backup is put back, the same call may go through."""


def _short(value: object) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, a structure nested thousands deep
        text = f"a value of type {type(value).__name__} too long to show"
    text = _printable(text)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _printable(text: str) -> str:
    """A text that any terminal, file or page takes, whatever a file put into it; no longer than a screen."""
    text = text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."
