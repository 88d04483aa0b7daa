"""CRC-32C (Castagnoli), of one text or of many at once.

The checksum of TFRecord files (RFC 3720, section 12.1; reflected polynomial 0x82F63B78, register
beginning as ones and complemented at the end). Many texts are done side by side: each step of numpy
takes the next four bytes of all of them, with two tables of 2^16 entries. Two facts let texts of
different lengths share the steps: the register beginning as ones is the same as the first four bytes
complemented, and zeros before a text change nothing while the register is zero. So texts are
lined up at their ends.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL: Final = 0x82F63B78
_ONES: Final = 0xFFFFFFFF
_STEP: Final = 64
"""Texts whose lengths agree after rounding up to a multiple of this are done together."""
_TOGETHER: Final = 8192
"""At most so many, to stay in the processor's cache."""


@cache
def _bytes_table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


@cache
def _byte_steps() -> tuple[int, ...]:
    return tuple(_bytes_table().tolist())


@cache
def _pair_tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """What two bytes become after two steps, and after four."""
    table = _bytes_table()
    after = np.arange(1 << 16, dtype=np.uint32)
    tables = []
    for _ in range(2):
        for _ in range(2):
            after = after >> 8 ^ table[after & 0xFF]
        tables.append(after)
    return tables[0], tables[1]


def checksum(text: bytes) -> int:
    """Return the CRC-32C of one text."""
    table, register = _byte_steps(), _ONES
    for byte in text:
        register = register >> 8 ^ table[(register ^ byte) & 0xFF]
    return register ^ _ONES


def masked(checksums: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return checksums as TFRecord files store them: rotated right by 15 bits, plus a constant."""
    return (checksums >> np.uint32(15) | checksums << np.uint32(17)) + np.uint32(0xA282EAD8)


def checksums(data: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the CRC-32C of many pieces of ``data``.

    Args:
        data: (L,) bytes.
        starts: (M,) where each piece begins.
        stops: (M,) where it ends, exclusive; at least its start.

    Returns:
        uint32 (M,).
    """
    found = np.zeros(len(starts), dtype=np.uint32)
    lengths = stops - starts
    for index in np.flatnonzero(lengths < 4).tolist():
        found[index] = checksum(data[starts[index] : stops[index]].tobytes())
    before = np.concatenate([np.zeros(_STEP, np.uint8), data])  # so that every piece has room before it
    widths = np.where(lengths < 4, 0, -(-lengths // _STEP) * _STEP)
    for width in np.unique(widths[widths > 0]).tolist():
        which = np.flatnonzero(widths == width)
        for first in range(0, len(which), _TOGETHER):
            some = which[first : first + _TOGETHER]
            found[some] = _side_by_side(before, stops[some] + _STEP, width, lengths[some])
    return found


def _side_by_side(
    data: NDArray[np.uint8], stops: NDArray[np.int64], width: int, lengths: NDArray[np.int64]
) -> NDArray[np.uint32]:
    texts = np.lib.stride_tricks.sliding_window_view(data, width)[stops - width]  # (M, width), a copy
    spare = (width - lengths)[:, None]
    texts[:, :_STEP][np.arange(_STEP) < spare] = 0
    np.put_along_axis(texts, spare + np.arange(4), np.take_along_axis(texts, spare + np.arange(4), 1) ^ 0xFF, 1)
    pairs = np.ascontiguousarray(texts.view("<u2").T)  # (width / 2, M)
    two, four = _pair_tables()
    registers = np.zeros(len(stops), dtype=np.uint32)
    for low, high in zip(pairs[::2], pairs[1::2], strict=True):
        first = registers.astype(np.uint16) ^ low
        second = (registers >> np.uint32(16)).astype(np.uint16) ^ high
        registers = four.take(first) ^ two.take(second)
    return registers ^ np.uint32(_ONES)
