"""TFRecord files: records of bytes, each between checksums. Read block by block, never held whole.

A record is its length as uint64, the masked CRC-32C of these 8 bytes, its bytes, and their masked
CRC-32C, all little-endian (TensorFlow's documentation of ``tf.data.TFRecordDataset``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spaces.table import crc32c
from spaces.table.errors import SourceDamaged

BLOCK: Final = 1 << 24
"""Bytes read at a time."""
LONGEST: Final = 1 << 20
"""A record that says it is longer is taken for damage: those of NAS-Bench-101 have fewer than 500 bytes."""

_HEAD: Final = 12
_TAIL: Final = 4
_AGAIN: Final = "Fetch the file again: an interrupted or faulty download leaves such a file."

Progress = Callable[[int, int | None], None]
"""Told the bytes done so far and their total, ``None`` if not known."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that follow one another in a file."""

    first: int
    """Number of the first one in the file, from 0."""
    records: list[bytes]
    """Their bytes."""
    offsets: list[int]
    """Where each begins in the file, its length and checksum included."""


def begins(head: bytes) -> bool:
    """Tell whether a file whose first bytes are these (12 or more) begins like a TFRecord file."""
    return len(head) >= _HEAD and _length(head[:_HEAD]) is not None


def _length(head: bytes) -> int | None:
    """Return the length in a record's first 12 bytes, ``None`` if their checksum is wrong."""
    stored = int.from_bytes(head[8:], "little")
    expected = crc32c.masked(np.array([crc32c.checksum(head[:8])], dtype=np.uint32))[0]
    return int.from_bytes(head[:8], "little") if stored == expected else None


def read_records(
    path: Path, *, verify: bool = True, progress: Progress | None = None, digest: Any = None
) -> Iterator[Batch]:
    """Read a file from its beginning to its end.

    Args:
        path: The file.
        verify: Whether to compare every record with its checksum; lengths always are.
        progress: Told the bytes read, after each block.
        digest: An object of ``hashlib`` that is given all bytes.

    Raises:
        SourceDamaged: names the record and the byte at which the file is cut short or altered.
    """
    frames = _Frames(path)
    try:
        with path.open("rb") as file:
            total = os.fstat(file.fileno()).st_size
            rest = b""
            while block := file.read(BLOCK):
                if digest is not None:
                    digest.update(block)
                yield frames.split(rest + block, verify)
                rest = frames.rest
                if progress is not None:
                    progress(frames.offset + len(rest), total)
    except OSError as error:
        raise SourceDamaged(
            path, f"cannot be read ({error.strerror or error})", "Mend that, then try again."
        ) from error
    if rest:
        found = f"ends inside record {frames.number:,}, which begins at byte {frames.offset:,}: it is cut short"
        raise SourceDamaged(path, found, _AGAIN)


class _Frames:
    """Where in a file the reader is, and the lengths it has met."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        """Records before ``rest``."""
        self.offset = 0
        """Bytes of the file before ``rest``."""
        self.rest = b""
        """Begin of a record whose end has not been read yet."""
        self._lengths: dict[bytes, int] = {}

    def split(self, data: bytes, verify: bool) -> Batch:
        """Take the records out of ``data`` and keep what remains."""
        starts: list[int] = []
        at, size = 0, len(data)
        lengths = self._lengths
        while at + _HEAD <= size:
            length = lengths.get(data[at : at + _HEAD])
            if length is None:
                length = self._new_length(data[at : at + _HEAD], self.number + len(starts), self.offset + at)
            if at + _HEAD + length + _TAIL > size:
                break
            starts.append(at)
            at += _HEAD + length + _TAIL
        edges = np.array([*starts, at], dtype=np.int64)
        if verify and starts:
            self._verify(np.frombuffer(data, np.uint8), edges)
        spans = zip(starts, [*starts[1:], at], strict=False)
        records = [data[start + _HEAD : stop - _TAIL] for start, stop in spans] if starts else []
        batch = Batch(self.number, records, (edges[:-1] + self.offset).tolist())
        self.number += len(starts)
        self.offset += at
        self.rest = data[at:]
        return batch

    def _new_length(self, head: bytes, number: int, offset: int) -> int:
        length = _length(head)
        if length is None or length > LONGEST:
            what = "its length does not match its checksum" if length is None else f"it claims {length:,} bytes"
            raise SourceDamaged(self.path, f"record {number:,} at byte {offset:,} is damaged: {what}", _AGAIN)
        self._lengths[head] = length
        return length

    def _verify(self, data: NDArray[np.uint8], edges: NDArray[np.int64]) -> None:
        stops = edges[1:] - _TAIL
        expected = crc32c.masked(crc32c.checksums(data, edges[:-1] + _HEAD, stops))
        stored = np.lib.stride_tricks.sliding_window_view(data, _TAIL)[stops].view("<u4")[:, 0]
        wrong = np.flatnonzero(expected != stored)
        if wrong.size:
            number, offset = self.number + int(wrong[0]), self.offset + int(edges[wrong[0]])
            found = f"record {number:,} at byte {offset:,} is damaged: its bytes do not match their checksum"
            raise SourceDamaged(self.path, found, _AGAIN)
