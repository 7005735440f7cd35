"""Which disk a folder is on: SQLite's locks do not hold between machines, so a share is no place for its file."""

from __future__ import annotations

from pathlib import Path

import psutil

_SHARES = """
    nfs nfs4 cifs smb smb2 smb3 smbfs afpfs ncpfs 9p davfs glusterfs beegfs lustre gpfs ceph cephfs afs
    fuse.sshfs fuse.davfs2 fuse.glusterfs fuse.ceph fuse.ceph-fuse fuse.rclone fuse.s3fs fuse.gcsfuse
"""
SHARED = frozenset(_SHARES.split())
"""File systems that several machines write to at once, by the names of /proc/mounts and of macOS."""


def network_share(path: Path) -> str | None:
    """The kind of network share that a path lies on ("nfs4"), or None for a disk of this machine.

    The path need not exist yet: the nearest folder above it that does decides.
    """
    wanted = path.absolute()
    while not wanted.exists() and wanted != wanted.parent:
        wanted = wanted.parent
    wanted = wanted.resolve()
    mounts = [mount for mount in psutil.disk_partitions(all=True) if wanted.is_relative_to(mount.mountpoint)]
    if not mounts:
        return None
    # Of two mounts at one place, the later one hides the earlier.
    nearest = max(enumerate(mounts), key=lambda numbered: (len(Path(numbered[1].mountpoint).parts), numbered[0]))[1]
    remote = nearest.fstype.lower() in SHARED or "remote" in nearest.opts.split(",")  # so says Windows of its shares
    return nearest.fstype if remote else None
