"""Files of features: what the schema takes, in both formats, and what is refused with which sentence."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from avion_core.data import given_features
from avion_core.data.given_features import read_given
from avion_core.errors import DataError

N, M, C, D = 12, 6, 3, 8


@pytest.fixture
def arrays() -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "image_features": random.normal(size=(N, D)).astype(np.float32),
        "labels": np.arange(N) % C,
        "class_names": np.array(["forest", "river", "sea lake"]),
        "texts": np.array([f"Aerial view of texture {n}." for n in range(M)]),
        "text_labels": np.arange(M) % C,
        "text_features": random.normal(size=(M, D)),
    }


def npz(folder: Path, arrays: dict[str, Any], **changed: Any) -> Path:
    path = folder / "given.npz"
    np.savez(path, **{name: value for name, value in (arrays | changed).items() if value is not None})
    return path


def test_features_come_at_unit_length_with_names_for_all(tmp_path, arrays):
    given = read_given(npz(tmp_path, arrays, extra=np.zeros(3)))
    assert given.image_features.dtype == np.float32
    assert np.allclose(np.linalg.norm(given.image_features, axis=1), 1)
    cosine = (arrays["text_features"] @ given.text_features.T).diagonal()
    assert np.allclose(cosine, np.linalg.norm(arrays["text_features"], axis=1), rtol=1e-5)
    assert given.image_ids[:2] == ["image 1", "image 2"]
    assert given.split == [""] * N
    assert given.class_features is None
    assert given.ignored == ["extra"]
    assert given.texts == list(arrays["texts"])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_any_float_and_compressed_files(tmp_path, arrays, kind):
    arrays |= {name: arrays[name].astype(kind) for name in ("image_features", "text_features")}
    np.savez_compressed(tmp_path / "small.npz", **arrays)
    assert read_given(tmp_path / "small.npz").image_features.shape == (N, D)


def padded(arrays: dict[str, Any]) -> pa.Table:
    length = max(map(len, arrays.values()))
    columns = {name: list(value.tolist()) + [None] * (length - len(value)) for name, value in arrays.items()}
    return pa.table(columns)


def one_row(arrays: dict[str, Any]) -> pa.Table:
    return pa.table({name: [value.tolist()] for name, value in arrays.items()})


def by_pandas(arrays: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pandas(pd.DataFrame({name: pd.Series(list(value)) for name, value in arrays.items()}))


@pytest.mark.parametrize("form", [padded, one_row, by_pandas])
def test_parquet_says_the_same(tmp_path, arrays, form):
    arrays |= {"split": np.array(["train", "val", "test"] * (N // 3)), "labels": np.where(np.arange(N) == 3, -1, 0)}
    pq.write_table(form(arrays), tmp_path / "given.parquet")
    there, here = read_given(tmp_path / "given.parquet"), read_given(npz(tmp_path, arrays))
    for name, value in vars(here).items():
        other = getattr(there, name)
        assert np.allclose(value, other) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else (
            list(value or []) == list(other or []) if not isinstance(value, np.ndarray) else (value == other).all()
        )  # fmt: skip
    assert here.split[:3] == ["train", "validation", "test"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"text_features": None}, "lacks text_features"),
    "whole features": ({"image_features": np.ones((N, D), int)}, "has image_features of type int64"),
    "flat features": ({"image_features": np.ones(N)}, r"shape \(12,\)"),
    "nan": ({"image_features": np.full((N, D), np.nan)}, "not numbers in image_features"),
    "infinite": ({"text_features": np.full((M, D), np.inf)}, "not numbers in text_features"),
    "zeros": ({"image_features": np.zeros((N, D))}, "a row of zeros in image_features"),
    "no image": ({"image_features": np.ones((0, D)), "labels": np.zeros(0, int)}, "no row in image_features"),
    "other space": ({"text_features": np.ones((M, D + 1))}, "text_features of 9 dimensions beside image_features of 8"),
    "few labels": ({"labels": np.zeros(N - 1, int)}, "11 of labels beside 12 of image_features"),
    "few texts": ({"texts": np.array(["one"])}, "1 of texts beside 6 of text_features"),
    "label beyond": ({"labels": np.full(N, 3)}, "has labels that are no class.*0 to 2, or -1 for none"),
    "text of none": ({"text_labels": np.full(M, -1)}, "has text_labels that are no class"),
    "half a label": ({"labels": np.full(N, 0.5)}, "has labels of type float64"),
    "one class": ({"class_names": np.array(["a"]), "labels": np.zeros(N, int), "text_labels": np.zeros(M, int)},
                  "fewer than two classes"),
    "same class": ({"class_names": np.array(["Sea lake", "sealake", "x"])}, "an entry of class_names twice"),
    "empty class": ({"class_names": np.array(["a", " ", "c"])}, "an entry of class_names that is empty"),
    "hidden sign": ({"class_names": np.array(["a", "b\x00c", "d"])}, "class_names that is no text"),
    "long text": ({"texts": np.array(["x" * 4001, *"abcde"])}, "longer than 4,000 characters"),
    "same image": ({"image_ids": np.array(["a"] * N)}, "an entry of image_ids twice"),
    "split": ({"split": np.array(["sometimes"] * N)}, "has an unknown split.*train, val, test"),
    "two features": ({"texts": np.array(["one"] * M)}, "one text with two different features"),
    "class features": ({"class_features": np.ones((2, D))}, "2 of class_features beside 3 of class_names"),
    "objects": ({"class_names": np.array(["a", "b", "c"], dtype=object)}, "Python objects in class_names.*dtype=str"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path, arrays, case):
    changed, said = WRONG[case]
    with pytest.raises(DataError, match=f"(?s){said}"):
        read_given(npz(tmp_path, arrays, **changed))


def test_a_text_listed_for_two_classes_has_one_feature(tmp_path, arrays):
    arrays["texts"][3] = arrays["texts"][0]
    arrays["text_features"][3] = 2 * arrays["text_features"][0]
    assert read_given(npz(tmp_path, arrays)).texts[3] == arrays["texts"][0]


class Trap:
    def __reduce__(self):
        return os.mkdir, (str(Trap.path),)

    path = Path()


def test_nothing_is_unpickled(tmp_path, arrays):
    Trap.path = tmp_path / "sprung"
    np.savez(tmp_path / "trap.npz", **arrays | {"labels": np.array([Trap()], dtype=object)})
    with pytest.raises(DataError, match="Python objects in labels"):
        read_given(tmp_path / "trap.npz")
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"neither an \.npz nor a Parquet file"):
        read_given(tmp_path / "bare.npz")
    assert not Trap.path.exists()


def member(shape: str, kind: str = "<f4", content: bytes = b"") -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (member("(1000000000, 1000000)"), "is cut short: image_features says"),
        (member("(-1, 8)"), "image_features|neither"),
        (member("(2, 8)", content=b"\0" * 8), "is cut short"),
        (b"no array at all", r"neither an \.npz"),
        (member("(__import__('os').mkdir('sprung'),)"), r"neither an \.npz"),
        (b"", r"neither an \.npz"),
    ],
)
def test_heads_that_promise_too_much(tmp_path, arrays, content, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = npz(tmp_path, arrays, image_features=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("image_features.npy", content)
    with pytest.raises(DataError, match=said):
        read_given(path)
    assert not Path("sprung").exists()


def test_a_bomb_is_not_unpacked(tmp_path, arrays, monkeypatch):
    monkeypatch.setattr(given_features, "_SUBJECT", replace(given_features._SUBJECT, most_bytes=10_000))
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, **arrays | {"image_features": np.ones((100_000, D), np.float32)})
    monkeypatch.setattr(given_features, "regular_file", lambda *_: None)
    with pytest.raises(DataError, match="becomes too large when it is unpacked"):
        read_given(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"PAR1 and no more", json.dumps({"a": 1}).encode()])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(DataError, match=r"(?i)the file of features is n"):
        read_given(tmp_path / "other")


def test_truncated_and_damaged_archives(tmp_path, arrays):
    whole = npz(tmp_path, arrays).read_bytes()
    for cut in range(10, len(whole), len(whole) // 20):
        (tmp_path / "cut.npz").write_bytes(whole[:cut])
        with pytest.raises(DataError):
            read_given(tmp_path / "cut.npz")
    spoiled = bytearray(whole)
    spoiled[whole.index(b"image_features.npy") + 200] ^= 0xFF
    (tmp_path / "spoiled.npz").write_bytes(spoiled)
    with pytest.raises(DataError):
        read_given(tmp_path / "spoiled.npz")


def test_what_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.npz"):
        with pytest.raises(DataError, match=r"The file of features (is a folder|does not exist)"):
            read_given(path)


def test_ragged_and_gapped_tables(tmp_path, arrays):
    table = padded(arrays)
    ragged = [*arrays["image_features"].tolist()[:-1], [1.0]]
    place = table.column_names.index("image_features")
    pq.write_table(table.set_column(place, "image_features", pa.array(ragged)), tmp_path / "ragged.parquet")
    with pytest.raises(DataError, match="rows of different lengths in image_features"):
        read_given(tmp_path / "ragged.parquet")
    gapped = arrays["image_features"].tolist()
    gapped[0][0] = None
    pq.write_table(table.set_column(place, "image_features", pa.array(gapped)), tmp_path / "gapped.parquet")
    with pytest.raises(DataError, match="a gap in image_features"):
        read_given(tmp_path / "gapped.parquet")
    pq.write_table(table.set_column(place, "image_features", pa.array([1.0] * N)), tmp_path / "flat.parquet")
    with pytest.raises(DataError, match="has image_features of type double"):
        read_given(tmp_path / "flat.parquet")


def test_bytes_are_read_as_utf8(tmp_path, arrays):
    arrays["class_names"] = np.array([b"wald", "flu\u00df".encode(), b"meer"])
    assert read_given(npz(tmp_path, arrays)).class_names[1] == "flu\u00df"
    with pytest.raises(DataError, match="class_names that are not UTF-8"):
        read_given(npz(tmp_path, arrays, class_names=np.array([b"a", b"\xff\xfe", b"c"])))


def test_an_encrypted_or_foreign_archive(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    (tmp_path / "foreign.npz").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="lacks image_features"):
        read_given(tmp_path / "foreign.npz")
