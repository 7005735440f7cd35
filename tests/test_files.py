from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from avion_core.files import (
    UNFINISHED,
    clear_leftovers,
    replacing,
    replacing_folder,
    unfinished_beside,
    write_bytes,
    write_json,
    write_table,
    write_text,
)


def test_what_is_written_is_there_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "Größe\n")
    write_bytes(tmp_path / "bytes", b"\x00\xff")
    write_json(tmp_path / "json", {"path": "caf\udce9.png"})  # how Python names a file that is no UTF-8
    write_table(tmp_path / "table", pd.DataFrame({"a": [1, 2]}, index=[7, 8]))

    assert (tmp_path / "text").read_bytes() == "Größe\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    assert json.loads((tmp_path / "json").read_text()) == {"path": "caf\udce9.png"}
    assert pd.read_parquet(tmp_path / "table").equals(pd.DataFrame({"a": [1, 2]}))
    assert sorted(os.listdir(tmp_path)) == ["bytes", "json", "table", "text"]


def test_a_reader_meanwhile_sees_the_earlier_file(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    write_text(file, "earlier")
    with replacing(file) as unfinished:
        unfinished.write_text("new, first ha")
        assert file.read_text() == "earlier"
        assert unfinished.parent == file.parent
        assert unfinished.name.endswith(UNFINISHED)
    assert file.read_text() == "new, first ha"


@pytest.mark.parametrize("failure", [ValueError, SystemExit])
def test_a_write_that_fails_leaves_the_earlier_file_and_no_other(tmp_path: Path, failure: type[BaseException]) -> None:
    file = tmp_path / "facts.json"
    write_text(file, "earlier")

    def write_half() -> None:
        with replacing(file) as unfinished:
            unfinished.write_text("half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["earlier"]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    with replacing(file) as one, replacing(file) as other:
        one.write_text("one")
        other.write_text("other")
    assert file.read_text() == "one"  # the outer block ends last
    assert os.listdir(tmp_path) == ["facts.json"]


def test_a_folder_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "mistyped" / "file", "text")
    assert not os.listdir(tmp_path)


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "maps" / "key"

    def write_half() -> None:
        with replacing_folder(folder) as unfinished:
            (unfinished / "points").write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write_half()
    assert not os.listdir(folder.parent)

    with replacing_folder(folder) as unfinished:
        (unfinished / "points").write_text("first")
        assert not folder.exists()
    assert (folder / "points").read_text() == "first"

    with replacing_folder(folder) as unfinished:  # another process that made the same
        (unfinished / "points").write_text("second")
    assert os.listdir(folder.parent) == ["key"]
    assert (folder / "points").read_text() == "first"


def test_what_a_killed_writer_left_is_cleared_and_what_is_being_written_stays(tmp_path: Path) -> None:
    name = unfinished_beside(tmp_path / "a").name
    ours = f"-{os.getpid():x}-"
    assert ours in name
    killed = tmp_path / name.replace(ours, "-3ffffff-")  # above any process id
    killed.mkdir()
    (killed / "inside").write_text("x")
    living, foreign, old = (
        tmp_path / name,
        tmp_path / f"b.0000-1-ffff{UNFINISHED}",
        tmp_path / f"c.12ab34cd{UNFINISHED}",
    )
    for path in (living, foreign, old, tmp_path / "kept"):
        path.write_text("x")
    os.utime(old, (0, 0))  # as earlier versions named them
    assert sorted(clear_leftovers(tmp_path.iterdir())) == sorted([killed, old])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([living.name, foreign.name, "kept"])
