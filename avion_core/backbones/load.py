"""From a name in the catalog to towers that compute: finding, fetching and opening weights."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import tokenizers
import torch
from huggingface_hub import constants as hub_constants
from huggingface_hub import hf_hub_url
from pydantic import Field
from torch import Tensor

from avion_core.backbones.architectures import architecture, beside, filled_model, need_beside
from avion_core.backbones.catalog import DEMO_FILES, Catalog, CatalogEntry
from avion_core.backbones.checkpoint import load_strict, read_checkpoint
from avion_core.backbones.demo_teacher import DemoTeacher
from avion_core.backbones.ensemble import EnsembleTowers
from avion_core.backbones.given import FILE, given_name, open_given, save_given
from avion_core.backbones.own_models import FILE as MODELS_FILE
from avion_core.backbones.own_models import OwnModels
from avion_core.backbones.tokenizing import FILE as TOKENIZER
from avion_core.backbones.tokenizing import SETTINGS as TOKENIZER_SETTINGS
from avion_core.backbones.tokenizing import tokenizer_of
from avion_core.backbones.towers import DemoTeacherTowers, OpenClipTowers, Towers
from avion_core.backbones.unpacking import is_archive, unpacked
from avion_core.bundled import demo_folder
from avion_core.downloads import DownloadStopped, fetch, partial_bytes, reason_of, sha256_of
from avion_core.errors import CheckpointError, NotFoundError, StoreError, WeightsBrokenError, WeightsMissingError
from avion_core.files import write_json
from avion_core.progress import Progress
from avion_core.reading import Subject, fitted, read_json, web_address

_RECORD = "weights.json"
_HUB = Subject("the hub's address (HF_ENDPOINT)", CheckpointError)


_GOES_ON = "Download it again: it continues where it stopped."
_CHUNK_BYTES = 8 << 20


class InstallStopped(CheckpointError):
    """Somebody asked for a stop before the weights were installed."""


@dataclass(frozen=True)
class InstalledWeights:
    """A weights file in the store, and where it came from."""

    name: str
    file: Annotated[str, Field(pattern=r"^\w[\w.-]{0,199}$")]
    size_bytes: int
    sha256: str
    source: str
    licence: str


class WeightStore:
    """A folder with one sub-folder per name in the catalog: the weights file and a record of it.

    Args:
        endpoint: the hub's address, where it is not the usual one (a mirror).
        catalog: the models that can be installed; by default the package's and a models file's beside the folder.
    """

    def __init__(self, folder: Path, *, endpoint: str | None = None, catalog: Catalog | None = None) -> None:
        self.folder = Path(folder)
        self.endpoint = endpoint
        self.catalog = catalog or OwnModels(self.folder.parent / MODELS_FILE)

    def installed(self) -> list[InstalledWeights]:
        """What was downloaded or added, by name; the bundled demo pair is not listed."""
        records = sorted(self.folder.glob(f"*/{_RECORD}"))
        return [_installed(record) for record in records]

    def path(self, name: str) -> Path | None:
        """The weights file, or None where there is none yet. The demo pair's come with the package; of an ensemble it
        is the first member's, once all are there.

        Raises:
            NotFoundError: the catalog has no such name.
            CheckpointError: the file is not as long as when it was installed.
        """
        entry = self.catalog.find(name)
        if entry.kind == "ensemble":
            paths = [self.path(member.name) for member in self.catalog.members(name)]
            return paths[0] if all(paths) else None
        if name in DEMO_FILES:
            path = demo_folder() / "weights" / DEMO_FILES[name]
            return path if path.exists() else None
        record = self.folder / name / _RECORD
        if not record.exists():
            return None
        installed = _installed(record)
        path = record.parent / installed.file
        size = path.stat().st_size if path.exists() else 0
        if size != installed.size_bytes:
            raise WeightsBrokenError(
                f"the installed weights have {size} bytes, not the {installed.size_bytes} they had",
                f"Delete {record.parent} and install them again.",
                model=name,
                value=str(path),
            )
        return path

    def need(self, name: str) -> Path:
        """The weights file.

        Raises:
            NotFoundError: the catalog has no such name, or its weights are not installed; it says how to get them.
            CheckpointError: the file is not as long as when it was installed.
        """
        if len(members := self.catalog.members(name)) > 1:
            first, *_ = [self.need(member.name) for member in members]
            return first
        entry, path = self.catalog.find(name), self.path(name)
        if path is None:
            size = f"about {entry.size_bytes / 1e9:.1f} GB, " if entry.size_bytes else ""
            raise WeightsMissingError(
                f"the weights of {entry.title} are not installed",
                "Make them with tools/pretrain_demo.py, or use a checkout that has demo/weights."
                if entry.bundled
                else f"Download them ({size}{entry.origin}) or add a local file."
                if entry.origin
                else "Add a local file.",
                model=name,
            )
        return path

    def download(self, name: str, progress: Progress | None = None, stop: Event | None = None) -> Path:
        """Fetch from the hub, check by loading, and install.

        What was fetched before a broken connection, a stop or an interrupt is kept, and the next call goes on there.

        Args:
            stop: ends the download soon after it is set.

        Raises:
            NotFoundError: nothing to download under that name.
            InstallStopped: the download was stopped.
            CheckpointError: the hub cannot be reached or does not hand the file out, or the file is not what it should
                be; nothing is installed then.
            StoreError: the store's folder cannot be written.
        """
        entry = self.catalog.downloadable(name)
        if not entry.origin:
            hint = f"Get it from https://huggingface.co/{entry.hub_repo} and add it as a local file."
            hint = hint if entry.hub_repo else "Add a local file."
            raise NotFoundError("it is not known under which name its weights are published", hint, value=name)
        partial, stop = self._partial(name), stop or Event()
        web_address(self.endpoint or hub_constants.ENDPOINT, _HUB)
        with self._writable():
            try:
                partial.mkdir(exist_ok=True)
                companions = [
                    fetch(self._hub(entry.tokenizer_repo, companion), partial, entry.title, None, stop)[0]
                    for companion in ((TOKENIZER, TOKENIZER_SETTINGS) if entry.tokenizer_repo else ())
                ]
                url = entry.address or self._hub(entry.hub_repo or "", entry.hub_file or "", entry.revision)
                fetched, digest = fetch(url, partial, entry.title, progress, stop, elsewhere=bool(entry.address))
            except Exception as error:  # the hub's client, its HTTP library and the disk have no common base
                if not self.partial_bytes(name):
                    shutil.rmtree(partial, ignore_errors=True)
                if isinstance(error, DownloadStopped):
                    raise InstallStopped("the download was stopped", _GOES_ON, value=name) from None
                asked = entry.address or f"{entry.hub_file} of {entry.hub_repo}"
                raise CheckpointError(
                    f"the weights could not be downloaded ({reason_of(error)})",
                    f"Check the connection and try again, or fetch {asked} by other means and add it as a local file.",
                    value=name,
                ) from error
            try:
                weights = unpacked(fetched, fetched.parent)
                for companion in companions:
                    shutil.copyfile(companion, weights.with_name(companion.name))
                build_towers(entry, weights)
                digest = digest if weights == fetched else sha256_of(weights)
                installed = self._install(entry, weights, digest, entry.address or f"hub: {entry.origin}")
            except OSError:
                raise  # the disk's fault, not the file's: what was fetched is there when it is asked for again
            except Exception:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            shutil.rmtree(partial, ignore_errors=True)
            return installed

    def _hub(self, repo: str, file: str, revision: str = "main") -> str:
        return hf_hub_url(repo, file, revision=revision, endpoint=self.endpoint)

    def partial_bytes(self, name: str) -> int:
        """How much of a download is here that did not come to its end."""
        return partial_bytes(self._partial(name))

    def remove(self, name: str) -> int:
        """Delete installed weights, and what a download left behind; returns the bytes that are free again.

        Whoever has the file open keeps it until done.

        Raises:
            NotFoundError: the catalog has no such name, nothing is installed, or it is the demo pair's.
        """
        self.catalog.downloadable(name)
        folders = [folder for folder in (self.folder / name, self._partial(name)) if folder.exists()]
        if not folders:
            raise NotFoundError("these weights are not installed", "There is nothing to remove.", value=name)
        freed = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
        for folder in folders:
            shutil.rmtree(folder)
        return freed

    def add_local(self, name: str, path: Path, progress: Progress | None = None, stop: Event | None = None) -> Path:
        """Check a file by loading it, and install a copy.

        Args:
            stop: ends the copying soon after it is set.

        Raises:
            InstallStopped: the copying was stopped.
            NotFoundError: the catalog has no such name, or it is the demo pair's.
            CheckpointError: the file is not what it should be; nothing is installed then.
            StoreError: the store's folder cannot be written, or is full.
        """
        entry = self.catalog.downloadable(name)
        path = Path(path)
        packed = is_archive(path)
        if not packed:
            build_towers(entry, path)  # before a copy of some gigabytes
        with self._writable(), tempfile.TemporaryDirectory(prefix=".new-", dir=self.folder) as scratch:
            for companion in (TOKENIZER, TOKENIZER_SETTINGS) if entry.tokenizer_repo else ():
                if there := beside(path, companion):
                    shutil.copyfile(there, Path(scratch) / companion)
            if packed:
                weights = unpacked(path, Path(scratch))
                build_towers(entry, weights)
                digest = sha256_of(weights)
            else:
                weights = Path(scratch) / path.name
                digest = _copied(path, weights, entry.title, progress, stop or Event())
            return self._install(entry, weights, digest, f"local: {path.name}")

    def add_given(self, images: Tensor, image_ids: Sequence[str], texts: Tensor, sentences: Sequence[str]) -> str:
        """Keep embeddings in a model's place (see `backbones.given`); returns the name that settings call them by.

        Raises:
            StoreError: the store's folder cannot be written, or is full.
        """
        entry = self.catalog.find(given_name(images, texts, image_ids, sentences))
        with self._writable(), tempfile.TemporaryDirectory(prefix=".new-", dir=self.folder) as scratch:
            file = Path(scratch) / FILE
            save_given(file, images, image_ids, texts, sentences)
            self._install(entry, file, sha256_of(file), "a file of embeddings")
        return entry.name

    def _partial(self, name: str) -> Path:
        return self.folder / f".part-{name}"

    @contextmanager
    def _writable(self) -> Iterator[None]:
        """Make the folder; a disk that is full or closed becomes a plain sentence."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise StoreError(
                f"the weights cannot be saved ({error.strerror or error})",
                "Free space there, or check the folder's permissions.",
                value=str(self.folder),
            ) from error

    def _install(self, entry: CatalogEntry, path: Path, digest: str, source: str) -> Path:
        # The digest is in the name, so that the record below changes from one whole file to the next at once.
        installed = InstalledWeights(
            name=entry.name,
            file=f"{digest[:16]}{path.suffix}",
            size_bytes=path.stat().st_size,
            sha256=digest,
            source=source,
            licence=entry.licence,
        )
        folder = self.folder / entry.name
        folder.mkdir(exist_ok=True)
        for name in (TOKENIZER, TOKENIZER_SETTINGS) if entry.tokenizer_repo else ():
            if companion := beside(path, name):
                os.replace(companion, folder / f"{digest[:16]}.{name}")
        os.replace(path, folder / installed.file)
        write_json(folder / _RECORD, asdict(installed), indent=2)
        for old in folder.iterdir():
            if old.name != _RECORD and not old.name.startswith(f"{digest[:16]}."):
                old.unlink()  # whoever has it mapped keeps it until done
        return folder / installed.file


def _installed(record: Path) -> InstalledWeights:
    subject = Subject("the record of the weights", CheckpointError, f"Delete {record.parent} and install them again.")
    return fitted(InstalledWeights, read_json(record, subject), subject, value=str(record))


def load_towers(
    name: str, weights: WeightStore, *, device: str | torch.device = "cpu", checkpoint: Path | None = None
) -> Towers:
    """The towers of that name, frozen, from the store or from a file of one's own.

    Raises:
        NotFoundError: no such name, or its weights are not installed.
        CheckpointError: a file that is not what it should be.
    """
    if checkpoint:
        return build_towers(weights.catalog.find(name), Path(checkpoint), device=device)
    opened = [build_towers(entry, weights.need(entry.name), device=device) for entry in weights.catalog.members(name)]
    return opened[0] if len(opened) == 1 else EnsembleTowers(name, opened)


def build_towers(entry: CatalogEntry, path: Path, *, device: str | torch.device = "cpu") -> Towers:
    """Towers from one weights file.

    Raises:
        CheckpointError: a file that is not what it should be.
    """
    if entry.kind == "demo_teacher":
        return _build_demo_teacher(entry, path, device)
    if entry.kind == "given":
        return open_given(entry, path)
    config = architecture(entry, path)
    clip = filled_model(config, read_checkpoint(path), path=path, name=entry.name)
    text = config["text_cfg"]
    return OpenClipTowers(
        entry.name,
        clip,
        quick_gelu=entry.quick_gelu,
        device=device,
        tokenizer=tokenizer_of(text, beside(path, TOKENIZER), entry.name),
        preprocessing=entry.preprocessing,
        facts=_facts(config),
    )


def _facts(config: Mapping[str, Any]) -> str:
    """What a description says beyond the tensors' shapes, where it is more than CLIP's plain pair of towers has."""
    plain = {"context_length", "vocab_size", "width", "heads", "layers"}
    if config.get("custom_text") or config["text_cfg"].keys() - plain:
        return json.dumps(config, sort_keys=True)
    return ""


def _build_demo_teacher(entry: CatalogEntry, path: Path, device: str | torch.device) -> Towers:
    text = need_beside(path, "demo-teacher-text.safetensors")
    tokenizer_file = need_beside(path, "demo-teacher-tokenizer.json")
    with torch.device("meta"):
        model = DemoTeacher()
    load_strict(model, read_checkpoint(path) | read_checkpoint(text), path=path)
    tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer_file))
    return DemoTeacherTowers(entry.name, model, tokenizer, device=device)


def _copied(source: Path, target: Path, title: str, progress: Progress | None, stop: Event) -> str:
    """Copy a file a piece at a time; returns its SHA-256."""
    digest, done, total = hashlib.sha256(), 0, source.stat().st_size
    with source.open("rb") as reader, target.open("wb") as writer:
        while piece := reader.read(_CHUNK_BYTES):
            if stop.is_set():
                raise InstallStopped("the installation was stopped", "Add the file again.", value=str(source))
            writer.write(piece)
            digest.update(piece)
            done += len(piece)
            if progress is not None:
                progress(done, total, title)
    return digest.hexdigest()
