"""The container of a table: one file of named columns, written whole or not at all.

Layout, all numbers little-endian::

    8 bytes   magic
    uint32    format version
    uint32    length of the header
    …         header: JSON, UTF-8; `columns` lists name, dtype, shape, offset and SHA-256 of each
    32 bytes  SHA-256 of everything before
    …         zeros up to a multiple of 64; here offsets begin
    …         columns, each at a multiple of 64, zeros between them

The part up to the digest has the same form in every version, so a file of a later version is told
from a damaged one. :func:`write` gives the file its name only when all bytes are safe on the disk;
:func:`read` maps it into memory and believes the header only with its digest and the file's size.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import secrets
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from spaces.table.errors import NotATable, TableDamaged, TableMissing, TableNotWritten, TableTooNew

MAGIC: Final = b"\x93NASTBL\n"
"""First bytes of every table; neither text nor any other known format."""
VERSION: Final = 1
"""Version that this program writes, and the highest it reads."""
ALWAYS_VERIFIED: Final = 1 << 20
"""Files of fewer bytes are compared with their digests whenever they are opened."""

_FRAME: Final = struct.Struct("<8sII")
_DIGEST: Final = 32
_ALIGNMENT: Final = 64
_BLOCK: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Part:
    """One column, and what its entry in the header says besides."""

    name: str
    """Unique in its file."""
    array: NDArray[Any]
    """Any shape; unsigned integers, signed integers or floats."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Values that JSON can hold."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was read."""

    header: dict[str, Any]
    """The header without its columns."""
    parts: dict[str, Part]
    """The columns by name; arrays are read-only views of the mapped file."""
    bytes: int
    """Size of the file."""


def write(path: Path, header: Mapping[str, Any], parts: Sequence[Part]) -> None:
    """Write a file in place of the one at ``path``, if any; folders on the way are made.

    Raises:
        TableNotWritten: the folder cannot take it. What was there is untouched, and nothing else is left.
    """
    arrays = [_little(part.array) for part in parts]
    entries: list[dict[str, Any]] = []
    offset = 0
    for part, array in zip(parts, arrays, strict=True):
        digest = hashlib.sha256(array.data.cast("B")).hexdigest()
        own = {"name": part.name, "dtype": array.dtype.str, "shape": array.shape, "offset": offset, "sha256": digest}
        entries.append({**part.about, **own})
        offset += _padded(array.nbytes)
    text = json.dumps({**header, "columns": entries}, ensure_ascii=False, allow_nan=False).encode()
    head = _FRAME.pack(MAGIC, VERSION, len(text)) + text
    head += hashlib.sha256(head).digest()
    try:
        _replace(path, [head, *(array.data.cast("B") for array in arrays)])
    except OSError as error:
        raise TableNotWritten(path, error) from error


def _little(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _replace(path: Path, pieces: Sequence[bytes | memoryview]) -> None:
    """Write ``pieces``, each padded, beside ``path``; then give the file its name with one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with temporary.open("xb") as file:
            for block in _blocks(pieces):
                _write_block(file, block)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _blocks(pieces: Sequence[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        for start in range(0, len(piece), _BLOCK):
            yield piece[start : start + _BLOCK]
        if number < last:
            yield bytes(_padded(len(piece)) - len(piece))


def _write_block(file: BinaryIO, block: bytes | memoryview) -> None:
    file.write(block)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable: it lives in the folder, not in the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path, verify: bool = False) -> Opened:
    """Map a file into memory.

    Args:
        path: The file.
        verify: Whether to compare every column with its digest, which reads the whole file. Files of less
            than 1 MB always are.

    Raises:
        TableMissing: there is no file.
        NotATable: it does not begin like a table.
        TableDamaged: it is cut short or altered.
        TableTooNew: a later version wrote it.
    """
    mapped, size = _map(path)
    if mapped[: len(MAGIC)] != MAGIC:
        raise NotATable(path)
    if size < _FRAME.size:
        raise TableDamaged(path, f"it ends after {size} bytes")
    _, version, length = _FRAME.unpack_from(mapped)
    stop = _FRAME.size + length
    if hashlib.sha256(mapped[:stop]).digest() != mapped[stop : stop + _DIGEST]:
        raise TableDamaged(path, "its header is cut short or altered")
    if version > VERSION:
        raise TableTooNew(path, version, VERSION)
    try:
        header = json.loads(mapped[_FRAME.size : stop])
        entries = header.pop("columns")
        parts = {entry["name"]: _column(mapped, entry, _padded(stop + _DIGEST)) for entry in entries}
        end = max(_padded(stop + _DIGEST) + entry["offset"] + parts[entry["name"]].array.nbytes for entry in entries)
    except (ValueError, KeyError, TypeError) as error:
        found = f"it has {size:,} bytes, fewer than its columns need" if isinstance(error, _TooShort) else str(error)
        raise TableDamaged(path, found) from error
    if size != end:
        raise TableDamaged(path, f"it has {size:,} bytes instead of {end:,}")
    if verify or size < ALWAYS_VERIFIED:
        _verify(path, parts)
    return Opened(header, parts, size)


class _TooShort(ValueError):
    """A column reaches beyond the end of the file."""


def _map(path: Path) -> tuple[mmap.mmap | bytes, int]:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except (FileNotFoundError, NotADirectoryError):
        raise TableMissing(path) from None
    except (OSError, ValueError) as error:
        raise NotATable(path, f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return mapped, size


def _column(mapped: mmap.mmap | bytes, entry: dict[str, Any], start: int) -> Part:
    dtype = np.dtype(entry["dtype"])
    shape = tuple(entry["shape"])
    offset, count = start + entry["offset"], math.prod(shape)
    if offset + count * dtype.itemsize > len(mapped):
        raise _TooShort
    array = np.frombuffer(mapped, dtype, count, offset).reshape(shape)
    own = ("name", "dtype", "shape", "offset")
    return Part(entry["name"], array, {key: value for key, value in entry.items() if key not in own})


def _verify(path: Path, parts: Mapping[str, Part]) -> None:
    for part in parts.values():
        if hashlib.sha256(part.array.reshape(-1).data.cast("B")).hexdigest() != part.about["sha256"]:
            raise TableDamaged(path, f"column {part.name!r} is altered")
