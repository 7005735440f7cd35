"""Local copies of published data sets: recognized, verified, and fetched from a server that speaks the hub's form."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import huggingface_hub.file_download
import pytest

from avion_core.data import data_sets
from avion_core.data.catalog import DATA_SETS, DataSetEntry, HubArchive, find_data_set
from avion_core.data.data_sets import FetchStopped, get, recognized, verify
from avion_core.errors import DataError, NotFoundError
from tests.scenes import scene

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
REVISION = "1" * 40
ADDRESS = f"/datasets/someone/small/resolve/{REVISION}/Small.zip"


def small(content: bytes = b"", digest: str = "") -> DataSetEntry:
    """A data set of two classes with two or three images each."""
    digest = digest or f"sha256:{hashlib.sha256(content).hexdigest()}"
    hub = HubArchive("someone/small", REVISION, "Small.zip", digest, "a test", "Small/Images")
    return replace(
        DATA_SETS["ucmerced"], name="small", title="Small", images=5, classes=("beach", "denseforest"),
        per_class=(2, 3), hub=hub,
    )  # fmt: skip


def make(root: Path, files: dict[str, int]) -> Path:
    for path, number in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        scene(number, (32, 32)).save(root / path)
    return root


WHOLE = {"beach/a.png": 1, "beach/b.png": 2, "denseforest/a.png": 3, "denseforest/b.png": 4, "denseforest/c.png": 5}


def test_a_whole_copy_is_said_to_be_whole(tmp_path: Path) -> None:
    found = verify(make(tmp_path / "deep/Images", WHOLE).parents[0], small())
    assert (found.complete, found.problems, found.copies) == (True, [], 0)
    assert found.root == tmp_path / "deep/Images"
    assert found.classes == {"beach": 2, "denseforest": 3}


def test_what_differs_is_named(tmp_path: Path) -> None:
    files = {"beach/a.png": 1, "Volcano/a.png": 6, "beach/a2.png": 1, "beach/c.png": 7, "beach/d.png": 8}
    found = verify(make(tmp_path, files), small())
    assert found.problems == [
        "1 class missing: denseforest.",
        "1 folder of no class of it: Volcano.",
        "beach has 4 images, and 2 to 3 are published.",
        "4 images, and 5 are published.",
    ]
    assert (found.copies, found.across) == (1, [])


def test_copies_under_two_classes_are_named(tmp_path: Path) -> None:
    found = verify(make(tmp_path, WHOLE | {"denseforest/c.png": 2}), small())
    assert found.across == ["beach/b.png is denseforest/c.png"]
    assert found.copies == 1


def test_folders_are_recognized_however_they_are_spelled(tmp_path: Path) -> None:
    for name in DATA_SETS["eurosat"].classes[:7]:
        (tmp_path / "RGB" / name.lower()).mkdir(parents=True)
    found = recognized(tmp_path)
    assert found is not None
    assert found.name == "eurosat"
    (tmp_path / "captions").mkdir()
    (tmp_path / "captions" / "dataset_rsitmd.json").write_text("{}")
    captioned = recognized(tmp_path / "captions")
    assert captioned is not None
    assert captioned.name == "rsitmd"
    (tmp_path / "nothing").mkdir()
    assert recognized(tmp_path / "nothing") is None


def test_captions_are_counted_by_their_parts(tmp_path: Path) -> None:
    entry = replace(DATA_SETS["rsicd"], images=4, splits=(("train", 3), ("test", 1)))
    make(tmp_path, {"images/a.png": 1, "images/b.png": 2, "images/c.png": 3})
    listed = [
        {"filename": f"{name}.png", "split": split, "sentences": [{"raw": "x"}]}
        for name, split in (("a", "train"), ("b", "train"), ("c", "test"), ("d", "train"))
    ]
    with pytest.raises(DataError, match="no caption file of RSICD"):
        verify(tmp_path, entry)
    (tmp_path / "dataset_rsicd.json").write_text(json.dumps({"images": listed}))
    found = verify(tmp_path, entry)
    assert found.problems == [
        "1 image missing: d.png.",
        "train has 2 images, and 3 are published.",
        "3 images, and 4 are published.",
    ]


@needs_shared
@pytest.mark.parametrize(("folder", "name", "images"), [("ucmerced", "ucmerced", 2_100), ("eurosat", "eurosat", 6_000)])
def test_the_real_sets(folder: str, name: str, images: int) -> None:
    entry = recognized(SHARED / folder)
    assert entry is not None
    assert entry.name == name
    found = verify(SHARED / folder, entry)
    assert (found.images, found.missing, found.unknown) == (images, [], [])
    assert found.complete == (name == "ucmerced")  # of EuroSAT a part


def test_every_archive_has_a_fixed_revision_and_a_hash() -> None:
    archives = [entry.hub for entry in DATA_SETS.values() if entry.hub]
    assert len(archives) == 4
    for hub in archives:
        algorithm, _, digest = hub.digest.partition(":")
        assert len(digest) == {"md5": 32, "sha256": 64}[algorithm]
        assert len(hub.revision) == 40
    assert all(entry.page.startswith("http") for entry in DATA_SETS.values())
    with pytest.raises(NotFoundError, match="There is no such data set"):
        find_data_set("mars")


class Hub:
    """What the server hands out, and what was asked of it."""

    def __init__(self, content: bytes) -> None:
        self.content, self.endpoint = content, ""
        self.breaks: list[int] = []
        self.asked: list[tuple[str, str | None]] = []


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda _: None)
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1_000)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    hub = Hub(zipped(make(tmp_path / "source", WHOLE)))

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._head(len(hub.content), 200)

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            hub.asked.append((self.path, wanted))
            start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
            body = hub.content[start:]
            self._head(len(body), 206 if wanted else 200, start)
            if self.path == ADDRESS:
                self.wfile.write(body[: hub.breaks.pop(0) if hub.breaks else len(body)])

        def _head(self, length: int, status: int, start: int = 0) -> None:
            known = self.path == ADDRESS
            self.send_response(status if known else 404)
            self.send_header("X-Repo-Commit", REVISION)
            if known:
                self.send_header("ETag", f'"{hashlib.sha256(hub.content).hexdigest()}"')
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(hub.content) - 1}/{len(hub.content)}")
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", str(length if known else 0))
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()


def zipped(root: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(root.rglob("*.png")):
            archive.write(file, f"Small/Images/{file.relative_to(root).as_posix()}")
    return packed.getvalue()


def test_an_archive_is_fetched_checked_and_unpacked(hub: Hub, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    root = get(small(hub.content), tmp_path / "data/small", lambda *step: told.append(step[:2]), endpoint=hub.endpoint)
    assert root == tmp_path / "data/small/Small/Images"
    assert verify(root, small()).complete
    assert told[-1] == (len(hub.content), len(hub.content))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["small"]
    with pytest.raises(DataError, match="The folder is not empty"):
        get(small(hub.content), tmp_path / "data/small", endpoint=hub.endpoint)


def test_a_broken_connection_and_a_stop_are_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    hub.breaks = [3_000]
    stop = threading.Event()
    with pytest.raises(FetchStopped, match="The download was stopped"):
        get(small(hub.content), tmp_path / "small", lambda done, *_: stop.set() if done >= 5_000 else None, stop,
            endpoint=hub.endpoint)  # fmt: skip
    assert not (tmp_path / "small").exists()
    get(small(hub.content), tmp_path / "small", endpoint=hub.endpoint)
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for _, wanted in hub.asked[1:] if wanted]
    assert starts[0] == 3_000
    assert starts[-1] >= 5_000
    assert verify(tmp_path / "small", small()).complete


def test_another_archive_than_the_known_one_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="The archive is not the published one"):
        get(small(digest=f"md5:{'0' * 32}"), tmp_path / "small", endpoint=hub.endpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_archives_that_reach_outside_or_are_none_are_refused(hub: Hub, tmp_path: Path, monkeypatch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../outside.txt", "x")
    for content, message in ((packed.getvalue(), "outside of itself"), (b"<html>", "cannot be unpacked")):
        hub.content = content
        with pytest.raises(DataError, match=message):
            get(small(content), tmp_path / "small", endpoint=hub.endpoint)
    monkeypatch.setattr(data_sets, "_MOST_BYTES", 100)
    hub.content = zipped(tmp_path / "source")
    with pytest.raises(DataError, match="more than 16 GiB"):
        get(small(hub.content), tmp_path / "small", endpoint=hub.endpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("refused", ["extractall", "rename"])
def test_an_archive_is_kept_where_there_is_no_room_to_unpack_it(hub: Hub, tmp_path: Path, monkeypatch, refused) -> None:
    owner = {"extractall": zipfile.ZipFile, "rename": Path}[refused]
    real = getattr(owner, refused)

    def full(self, *given: object) -> object:
        if refused == "extractall" or self.name == "unpacked":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(owner, refused, full)
        with pytest.raises(DataError, match=r"could not be unpacked.*No space left.*it is kept"):
            get(small(hub.content), tmp_path / "small", endpoint=hub.endpoint)
    (kept,) = (path for path in tmp_path.iterdir() if path.name.startswith(".part-"))
    assert not (kept / "unpacked").exists()
    asked = len(hub.asked)
    get(small(hub.content), tmp_path / "small", endpoint=hub.endpoint)
    assert len(hub.asked) == asked
    assert verify(tmp_path / "small", small()).complete
    assert not kept.exists()


def test_an_archive_that_nothing_here_unpacks_is_not_kept(hub: Hub, tmp_path: Path, monkeypatch) -> None:
    def encrypted(*_: object) -> None:
        raise RuntimeError("File is encrypted, password required for extraction")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", encrypted)
    with pytest.raises(DataError, match=r"The archive cannot be unpacked .*encrypted"):
        get(small(hub.content), tmp_path / "small", endpoint=hub.endpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_what_no_hub_carries_is_got_by_hand(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"captain-whu.github.io/AID.*aid\.zip"):
        get(DATA_SETS["aid"], tmp_path / "aid")
    with pytest.raises(DataError, match="could not be downloaded"):
        get(small(b""), tmp_path / "small", endpoint="http://127.0.0.1:9")
    assert list(tmp_path.iterdir()) == []
