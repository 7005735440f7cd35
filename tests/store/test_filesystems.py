"""Network shares are found by the kind of file system, and SQLite refuses them with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from avion_core.errors import StoreError
from avion_core.store.database import open_database
from avion_core.store.filesystems import network_share


class Mount(NamedTuple):
    mountpoint: str
    fstype: str
    opts: str = "rw,relatime"


@pytest.fixture
def mounts(monkeypatch):
    """Make the machine have these mounts."""
    return lambda *found: monkeypatch.setattr(psutil, "disk_partitions", lambda **_: list(found))


def test_this_machine_is_read(tmp_path):
    assert network_share(Path("/")) is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "lustre", "SMBFS"])
def test_shares_are_known(mounts, tmp_path, kind):
    mounts(Mount("/", "ext4"), Mount(str(tmp_path), kind))
    assert network_share(tmp_path / "not" / "there" / "yet") == kind
    assert network_share(tmp_path.parent) is None


def test_the_nearest_mount_decides(mounts, tmp_path):
    mounts(Mount(str(tmp_path), "nfs4"), Mount(str(tmp_path / "local"), "xfs"), Mount("/", "nfs"))
    (tmp_path / "local").mkdir()
    assert network_share(tmp_path / "local" / "home") is None
    assert network_share(tmp_path / "other") == "nfs4"


def test_a_later_mount_hides_an_earlier_one(mounts, tmp_path):
    mounts(Mount(str(tmp_path), "nfs4"), Mount(str(tmp_path), "ext4"))
    assert network_share(tmp_path) is None


def test_a_link_to_a_share_is_followed(mounts, tmp_path):
    (tmp_path / "share").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "share")
    mounts(Mount("/", "ext4"), Mount(str(tmp_path / "share"), "cifs"))
    assert network_share(tmp_path / "home") == "cifs"


def test_windows_says_remote(mounts, tmp_path):
    mounts(Mount(str(tmp_path), "NTFS", "rw,remote"))
    assert network_share(tmp_path) == "NTFS"


def test_a_database_on_a_share_is_refused_with_the_ways_out(mounts, tmp_path, monkeypatch):
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    mounts(Mount("/", "ext4"), Mount(str(tmp_path), "nfs4"))
    with pytest.raises(StoreError) as raised:
        open_database(tmp_path / "home")
    said = str(raised.value)
    assert said.startswith("A SQLite database cannot be kept on a network share (nfs4): ")
    for hint in ("--home or AVION_HOME", "AVION_DATABASE_URL=sqlite:////", "postgresql+psycopg://"):
        assert hint in said
    assert not (tmp_path / "home").exists()


def test_a_home_on_a_share_with_its_database_elsewhere_is_fine(mounts, tmp_path, monkeypatch):
    mounts(Mount("/", "ext4"), Mount(str(tmp_path / "home"), "nfs4"))
    monkeypatch.setenv("AVION_DATABASE_URL", f"sqlite:///{tmp_path}/local.sqlite3")
    open_database(tmp_path / "home")
    assert (tmp_path / "local.sqlite3").exists()
