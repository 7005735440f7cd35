"""Settings by dotted keys: "distillation.epochs" for the field `epochs` of the stage `distillation`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from avion_core.errors import ConfigError

_Model = TypeVar("_Model", bound=BaseModel)


def flatten(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings by dotted keys; keys may be dotted already.

    Raises:
        ConfigError: one key is given twice, once nested and once dotted.
    """
    return join(
        (key, value)
        for outer, inner in settings.items()
        for key, value in (
            ((f"{outer}.{key}", value) for key, value in flatten(inner).items())
            if isinstance(inner, Mapping)
            else [(outer, inner)]
        )
    )


def nest(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted keys as nested ones; no key may be a stage of another."""
    nested: dict[str, Any] = {}
    for key, value in settings.items():
        *stages, last = key.split(".")
        stage = nested
        for name in stages:
            stage = stage.setdefault(name, {})
        stage[last] = value
    return nested


def join(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Keys with their values.

    Raises:
        ConfigError: one key is given twice.
    """
    settings: dict[str, Any] = {}
    for key, value in pairs:
        if key in settings:
            raise ConfigError(f"the setting {key} is given twice", "Give it once.", value=f"{settings[key]}, {value}")
        settings[key] = value
    return settings


def write_pair(key: str, value: object) -> str:
    """A setting as one word: "distillation.epochs=20"; several names have commas between them, as in a line of CSV."""
    if isinstance(value, tuple):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value)
        return f"{key}={line.getvalue()}"
    return f"{key}={str(value).lower() if isinstance(value, bool) else value}"


def read_pair(pair: str) -> tuple[str, str]:
    """A setting that `write_pair` wrote, or a person: its value as text, which the field's own type reads.

    Raises:
        ConfigError: it has no key, or no equals sign.
    """
    key, equals, value = pair.partition("=")
    if not equals or not key.strip():
        raise ConfigError("a setting must be KEY=VALUE", "Write it like distillation.epochs=20.", value=pair)
    return key.strip(), value


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model and of the models inside it, by dotted keys."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= {f"{name}.{inner}": of for inner, of in fields(field.annotation).items()}
        else:
            found[name] = field
    return found


def validated(model: type[_Model], nested: dict[str, Any], prefix: str = "") -> _Model:
    """Settings as a model; the first problem is named with its dotted key, its value and a hint.

    Raises:
        ConfigError: a setting that does not exist or cannot be used.
    """
    try:
        return model.model_validate(nested)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("extra_forbidden", "model_type"):
            raise unknown(model, key, first["input"], prefix) from None
        if first["type"] == "missing":
            raise ConfigError(f"the setting {prefix}{key} is missing", f"Give it as {prefix}{key}=VALUE.") from None
        hint = f"{first['msg'].removesuffix('.')}."
        raise ConfigError(f"the setting {prefix}{key} cannot be used", hint, value=first["input"]) from None


def unknown(model: type[BaseModel], key: str, value: object, prefix: str = "") -> ConfigError:
    """The error about a dotted key that is no setting of a model; it names those that are.

    Args:
        prefix: stands before all keys of this model ("options.").
    """
    names = [f"{prefix}{name}" for name in fields(model)]
    key = f"{prefix}{key}"
    if not names:
        return ConfigError(f"the setting {key} does not exist", "This method has no settings of its own.", value=value)
    if any(name.startswith(f"{key}.") for name in names):
        what, stage = f"the setting {key} is a group of settings and has no value of its own", f"{key}."
    else:
        what, stage = f"the setting {key} does not exist", key[: key.rfind(".") + 1]
        while stage and not any(name.startswith(stage) for name in names):
            stage = stage[: stage.rstrip(".").rfind(".") + 1]
    inside = dict.fromkeys(name.removeprefix(stage).split(".")[0] for name in names if name.startswith(stage))
    return ConfigError(what, f"The settings are: {', '.join(stage + name for name in inside)}.", value=value)
