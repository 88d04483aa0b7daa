"""Where checkpoints lie: files that are there whole or not at all, on any file system. Imports nothing heavy.

A folder is a local path or an fsspec URL (``s3://…``, ``gs://…``, ``memory://…``). On a local disk a file is written
under a temporary name, flushed to the disk and renamed; elsewhere it is uploaded under a temporary name and moved, as
not every remote system keeps an upload that breaks off out of sight. Object stores have no rename: there a move is a
copy, which appears when it is whole, and a deletion.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

SUFFIX = ".ckpt"
"""How names of checkpoints end."""
TEMPORARY = ".part"
"""What is appended while one is written."""


def write(folder: str, name: str, content: bytes) -> None:
    """Write a file, making the folder if need be. A file of that name is replaced.

    Raises:
        OSError: the folder cannot take it. What was there before is untouched.
    """
    files, root = url_to_fs(folder)
    path = f"{root}/{name}"
    if isinstance(files, LocalFileSystem):
        _write_locally(Path(path), content)
        return
    files.makedirs(root, exist_ok=True)
    try:
        files.pipe_file(path + TEMPORARY, content)
        files.mv(path + TEMPORARY, path)
    except OSError:
        _delete(files, path + TEMPORARY)
        raise


def _write_locally(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable: it lives in the folder, not in the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(folder: str, name: str) -> bytes:
    """The content of a file.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    files, root = url_to_fs(folder)
    content: bytes = files.cat_file(f"{root}/{name}")
    return content


def exists(path: str) -> bool:
    """Whether a file is there; False where nobody can tell, and for no path at all."""
    if not path:
        return False
    files, root = url_to_fs(path)
    folder = root.rpartition("/")[0]
    try:
        files.invalidate_cache(folder)  # another process writes it
        return bool(files.exists(root))
    except OSError:
        return False


def tree(folder: str) -> dict[str, set[str]]:
    """Names of the files in a folder and all below it, by folder; empty if there is none.

    Raises:
        OSError: it cannot be listed.
    """
    files, root = url_to_fs(folder)
    files.invalidate_cache()
    found: dict[str, set[str]] = {}
    try:
        paths = files.find(root)
    except FileNotFoundError:
        return {}
    for path in paths:
        parent, _, name = str(path).rpartition("/")
        below = parent.removeprefix(str(root)).strip("/")
        found.setdefault(f"{folder}/{below}" if below else folder, set()).add(name)
    return found


def prune(folder: str, keep: Iterable[str]) -> tuple[str, ...]:
    """Delete every checkpoint in ``folder`` that ``keep`` does not name, and what crashed writers left.

    Other files stay. A file that cannot be deleted, or that another process deleted first, is passed over:
    it costs space, not results.

    Returns:
        The names of the deleted files, sorted.
    """
    files, root = url_to_fs(folder)
    files.invalidate_cache(root)  # another process may have written there since it was listed
    kept = set(keep)
    try:
        listed = files.ls(root, detail=False)
    except OSError:
        return ()
    names = {str(path).rstrip("/").rsplit("/", 1)[-1] for path in listed}
    stale = sorted(name for name in names - kept if is_checkpoint(name))
    return tuple(name for name in stale if _delete(files, f"{root}/{name}"))


def is_checkpoint(name: str) -> bool:
    """Whether a file of that name is a checkpoint, or the beginning of one that a crashed writer left."""
    return name.endswith((SUFFIX, SUFFIX + TEMPORARY))


def delete(folder: str, names: Iterable[str]) -> tuple[str, ...]:
    """Delete files; those that cannot be, or are not there, are passed over.

    Returns:
        The names of the deleted ones.
    """
    files, root = url_to_fs(folder)
    return tuple(name for name in names if _delete(files, f"{root}/{name}"))


def _delete(files: Any, path: str) -> bool:
    try:
        files.rm_file(path)
    except OSError:
        return False
    return True


def drop_empty(folder: str) -> None:
    """Delete a local folder if nothing is in it; where folders are only parts of names, there is nothing to do."""
    files, root = url_to_fs(folder)
    if isinstance(files, LocalFileSystem):
        try:
            Path(root).rmdir()
        except OSError:
            return


def free_bytes(folder: str) -> int | None:
    """Bytes that a local folder's disk has room for, be the folder made yet or not; ``None`` where nobody knows."""
    files, root = url_to_fs(folder)
    if not isinstance(files, LocalFileSystem):
        return None
    try:
        there = next(path for path in (Path(root), *Path(root).parents) if path.exists())
        return shutil.disk_usage(there).free
    except OSError:
        return None


def modified(folder: str, name: str) -> float | None:
    """When a file was written, in seconds since 1970, by the clock of who keeps it; ``None`` where that is not told."""
    files, root = url_to_fs(folder)
    try:
        when: float = files.modified(f"{root}/{name}").timestamp()
    except (NotImplementedError, OSError):
        return None
    return when
