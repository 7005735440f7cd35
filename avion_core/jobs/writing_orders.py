"""What a generation is to write: each class, written down once and read class by class; and who writes it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from avion_core.data.images import open_image
from avion_core.data.recipe import RenderingRecipe
from avion_core.descriptions.writers.file import FileWriter
from avion_core.descriptions.writers.generate import Order
from avion_core.descriptions.writers.prompt import ClassCard
from avion_core.descriptions.writers.settings import KEYS, WritingSettings
from avion_core.descriptions.writers.writer import Writer, WriterError
from avion_core.errors import DescriptionError, NotFoundError
from avion_core.files import replacing
from avion_core.reading import Subject, fitted, parse_json, web_address
from avion_core.store.environment import refuse_unusable_proxies
from avion_core.store.home import Home

ORDERS = "orders.jsonl"
PICTURE_SIDE = 512
_ORDERS = Subject("the orders of this generation", WriterError, "Resume it: they are made again.")
_JPEG_QUALITY = 88


class _Entry(BaseModel):
    """One class's line."""

    model_config = ConfigDict(extra="allow")

    card: dict[str, Any]
    recipe: dict[str, Any]
    pictures: list[str]
    distinguish_from: list[Any]


def generation_folder(home: Home, generation_id: str) -> Path:
    """Where a generation keeps its orders and its log."""
    return home.path / "generations" / generation_id


def write_orders(folder: Path, entries: Iterator[dict[str, Any]]) -> int:
    """Write down what each class is, one JSON line each: card, distinguish_from, pictures (paths) and their recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with replacing(folder / ORDERS) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for entry in entries:
            print(json.dumps(entry, ensure_ascii=False), file=file)
            count += 1
    return count


def orders_hold(folder: Path) -> bool:
    """Whether the orders are here, and every picture is where they say."""
    if not (folder / ORDERS).is_file():
        return False
    return all(Path(picture).is_file() for entry in read_orders(folder) for picture in entry["pictures"])


def read_orders(folder: Path) -> Iterator[dict[str, Any]]:
    """What `write_orders` wrote, a class at a time.

    Raises:
        WriterError: it is not here.
    """
    if not (folder / ORDERS).is_file():
        hint = "Resume it here: the orders are made again, and existing descriptions count."
        raise WriterError("the orders of this generation do not exist on this machine", hint, value=folder.name)
    with (folder / ORDERS).open(encoding="utf-8") as file:
        for line in file:
            entry = fitted(_Entry, parse_json(line, _ORDERS, value=str(folder / ORDERS)), _ORDERS)
            yield entry.model_dump()


def make_order(entry: dict[str, Any], wanted: int, known: tuple[str, ...] = (), others: tuple[str, ...] = ()) -> Order:
    """One class's order, its pictures rendered and made small."""
    pictures = tuple(_jpeg(Path(path), RenderingRecipe(**entry["recipe"])) for path in entry["pictures"])
    return Order(ClassCard(**entry["card"]), wanted, known, others, tuple(entry["distinguish_from"]), pictures)


def key_of(writer: str) -> str:
    """A writer's key in the environment, without the white space and line ends of a paste; "" where none is set."""
    return next(filter(None, (os.environ.get(name, "").strip() for name in KEYS[writer])), "")


def open_writer(
    settings: WritingSettings, class_names: dict[str, str], aliases: Mapping[str, str] = MappingProxyType({})
) -> Writer:
    """The writer that settings name, with its key from the environment.

    Raises:
        WriterError: no key or none that can be one, or no model where one must be named.
        DescriptionError: the file of a file writer cannot be read.
        StoreError: a proxy that the environment names is no address.
    """
    if settings.writer == "file":
        if not settings.file:
            raise DescriptionError("the writer file needs a file", "Name it with --file.", value=settings.file)
        return FileWriter(Path(settings.file).expanduser(), class_names, aliases)
    names, key = KEYS[settings.writer], key_of(settings.writer)
    timeout, base_url = settings.timeout_seconds, settings.base_url or None
    if not (key.isascii() and key.isprintable()):
        # The clients would fail over it as over a lost connection, time and again.
        hint = "Copy the key again: it has only letters, digits and punctuation."
        raise WriterError("the value of this variable cannot be a key", hint, value=" or ".join(names))
    refuse_unusable_proxies()
    if base_url:
        web_address(base_url, Subject("the writer's address (--base-url)", WriterError))
    if settings.writer == "gemini":
        from avion_core.descriptions.writers.gemini import DEFAULT_MODEL, GeminiWriter

        if not key:
            raise WriterError("there is no key for Gemini", f"Set {names[0]} in the environment.", value=names[0])
        return GeminiWriter(SecretStr(key), settings.model or DEFAULT_MODEL, timeout=timeout, base_url=base_url)
    from avion_core.descriptions.writers.openai_compatible import OpenAICompatibleWriter

    if not key and not base_url:
        hint = f"Set {names[0]} in the environment, or give the address of your own server with --base-url."
        raise WriterError("there is no key for this writer", hint, value=names[0])
    if not settings.model:
        raise WriterError("an OpenAI-compatible writer needs a model", "Name one with --model.", value="")
    return OpenAICompatibleWriter(SecretStr(key), settings.model, timeout=timeout, base_url=base_url)


def _jpeg(path: Path, recipe: RenderingRecipe) -> bytes:
    if not path.is_file():
        raise NotFoundError(
            "a training image was not found", "Link the project to its images again, then resume.", value=str(path)
        )
    image = open_image(path, recipe)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=_JPEG_QUALITY)
    return content.getvalue()
