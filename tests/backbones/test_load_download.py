"""Downloads by the hub's real client, from a server on this machine that speaks the hub's `resolve` form."""

from __future__ import annotations

import errno
import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import huggingface_hub.file_download
import open_clip
import pytest
import torch

from avion_core.backbones import load
from avion_core.backbones.load import WeightStore, load_towers
from avion_core.errors import CheckpointError, NotFoundError, StoreError

NAME = "georsclip-vit-b-32"
ADDRESS = "/Zilun/GeoRSCLIP/resolve/main/ckpt/RS5M_ViT-B-32.pt"
TINY = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 1000, "width": 64, "heads": 2, "layers": 1},
}


class Hub:
    """What the server hands out, and what was asked of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.status = 200
        self.error = ""
        self.damaged = False
        self.endpoint = ""
        self.breaks: list[int] = []  # after how many bytes of the answer to hang up, answer by answer
        self.asked: list[tuple[str, str | None]] = []  # (path, range) of each GET


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(open_clip, "get_model_config", lambda _: TINY)
    monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda _: None)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    torch.manual_seed(0)
    saved = io.BytesIO()
    torch.save(open_clip.CLIP(**TINY).state_dict(), saved)
    hub = Hub(saved.getvalue())

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._head(len(hub.content), 200)

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            hub.asked.append((self.path, wanted))
            start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
            body = bytes(len(hub.content) - start) if hub.damaged else hub.content[start:]
            self._head(len(body), 206 if wanted else 200, start)
            if self.path != ADDRESS or hub.status != 200:
                return
            end = hub.breaks.pop(0) if hub.breaks else len(body)
            self.wfile.write(body[:end])

        def _head(self, length: int, status: int, start: int = 0) -> None:
            known = self.path == ADDRESS
            self.send_response(status if known and hub.status == 200 else hub.status if known else 404)
            self.send_header("X-Repo-Commit", "0" * 40)
            if hub.error or not known:
                self.send_header("X-Error-Code", hub.error or "EntryNotFound")
            else:
                self.send_header("ETag", f'"{hashlib.sha256(hub.content).hexdigest()}"')
                self.send_header("Accept-Ranges", "bytes")
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(hub.content) - 1}/{len(hub.content)}")
            self.send_header("Content-Length", str(length if known and hub.status == 200 else 0))
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(hub: Hub, tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "weights", endpoint=hub.endpoint)


def test_download_checks_records_and_reports(hub: Hub, store: WeightStore) -> None:
    told: list[tuple[int, int, str]] = []
    path = store.download(NAME, lambda *step: told.append(step))
    assert path.read_bytes() == hub.content
    (installed,) = store.installed()
    assert installed.sha256 == hashlib.sha256(hub.content).hexdigest()
    assert installed.source == "hub: Zilun/GeoRSCLIP/ckpt/RS5M_ViT-B-32.pt"
    assert told[-1] == (len(hub.content), len(hub.content), "GeoRSCLIP ViT-B/32")
    assert [p.name for p in store.folder.iterdir()] == [NAME]  # nothing half-done is left
    assert load_towers(NAME, store).dim == 32


def test_broken_connection_is_taken_up_where_it_stopped(
    hub: Hub, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.breaks = [100_000, 200_000]
    told: list[int] = []
    path = store.download(NAME, lambda done, _total, _what: told.append(done))
    assert path.read_bytes() == hub.content
    starts = [wanted for _, wanted in hub.asked]
    assert starts[0] is None
    assert starts[1:] == ["bytes=100000-", "bytes=300000-"]
    assert told == sorted(told)
    assert told[-1] == len(hub.content)


def test_a_stopped_download_is_taken_up_by_the_next(
    hub: Hub, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    stop = threading.Event()
    with pytest.raises(CheckpointError, match=r"The download was stopped: .*\. Download it again: it continues where"):
        store.download(NAME, lambda done, *_: stop.set() if done >= 50_000 else None, stop)
    assert store.partial_bytes(NAME) == 50_000
    assert store.path(NAME) is None
    told: list[int] = []
    path = store.download(NAME, lambda done, *_: told.append(done))
    assert path.read_bytes() == hub.content
    assert [wanted for _, wanted in hub.asked] == [None, "bytes=50000-"]
    assert told[0] == 60_000
    assert [p.name for p in store.folder.iterdir()] == [NAME]


def test_what_arrives_damaged_is_thrown_away(hub: Hub, store: WeightStore) -> None:
    hub.damaged = True
    assert_nothing_installed(store, "the downloaded file is not the one that the hub has", "try again")
    hub.damaged = False
    assert store.download(NAME).read_bytes() == hub.content


def test_weights_are_removed(hub: Hub, store: WeightStore) -> None:
    store.download(NAME)
    assert store.remove(NAME) > len(hub.content)
    assert store.path(NAME) is None
    with pytest.raises(NotFoundError, match="not installed"):
        store.remove(NAME)
    with pytest.raises(NotFoundError, match="come with the package"):
        store.remove("demo-student")


def test_a_download_is_kept_where_there_is_no_room_to_install_it(
    hub: Hub, store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(load.os, "replace", full)
        with pytest.raises(StoreError, match=r"No space left on device.*Free space there"):
            store.download(NAME)
    assert store.path(NAME) is None
    assert store.partial_bytes(NAME) == len(hub.content)
    asked = len(hub.asked)
    assert store.download(NAME).read_bytes() == hub.content
    assert len(hub.asked) == asked
    assert [p.name for p in store.folder.iterdir()] == [NAME]


def test_a_given_up_download_can_be_removed(hub: Hub, store: WeightStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    stop = threading.Event()
    with pytest.raises(CheckpointError):
        store.download(NAME, lambda *_: stop.set(), stop)
    assert store.partial_bytes(NAME) == 10_000
    assert store.remove(NAME) >= 10_000
    assert list(store.folder.iterdir()) == []


def test_connection_that_never_holds_is_given_up(hub: Hub, store: WeightStore) -> None:
    hub.breaks = [0] * 20
    assert_nothing_installed(store, "could not be downloaded", "add it as a local file")
    assert len(hub.asked) <= 10


@pytest.mark.parametrize(
    ("status", "error"), [(404, "EntryNotFound"), (401, "RepoNotFound"), (403, "GatedRepo"), (500, "")]
)
def test_refusal_of_the_hub(status: int, error: str, hub: Hub, store: WeightStore) -> None:
    hub.status, hub.error = status, error
    assert_nothing_installed(store, "could not be downloaded", "fetch ckpt/RS5M_ViT-B-32.pt of Zilun/GeoRSCLIP")


def test_no_server(tmp_path: Path, hub: Hub) -> None:
    assert_nothing_installed(
        WeightStore(tmp_path / "weights", endpoint="http://127.0.0.1:9"),
        "could not be downloaded",
        "Check the connection",
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "git-lfs pointer"),
        (b"<!DOCTYPE html><html>Sign in</html>", "web page"),
    ],
)
def test_what_is_served_is_checked_before_it_is_installed(
    content: bytes, said: str, hub: Hub, store: WeightStore
) -> None:
    hub.content = content
    assert_nothing_installed(store, said, "")


def test_failed_download_leaves_the_installed_weights_alone(hub: Hub, store: WeightStore) -> None:
    path = store.download(NAME)
    hub.content = b"<html></html>"
    with pytest.raises(CheckpointError):
        store.download(NAME)
    assert store.path(NAME) == path


def assert_nothing_installed(store: WeightStore, what: str, hint: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        store.download(NAME)
    assert what in str(caught.value)
    assert hint in str(caught.value)
    assert store.path(NAME) is None
    assert list(store.folder.iterdir()) == []
