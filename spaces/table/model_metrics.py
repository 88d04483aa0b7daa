"""NAS-Bench-101's protocol-buffer message ``ModelMetrics``, of many records at once.

Fields: 1 repeated message {1 epochs, 2 training seconds, 3 train, 4 validation, 5 test accuracy: doubles},
2 trainable parameters (varint), 3 seconds in all (double). In the released files every message has three
points, all their fields, and the fields in this order, so that the bytes between values are always the same;
such messages are decoded side by side. Any other valid message is decoded field by field.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

POINTS: Final = 3
"""Points of a run at which it is evaluated: start, half, end."""
FIELDS: Final = ("epochs", "seconds", "train", "valid", "test")

_POINT: Final = bytes([0x0A, 9 * len(FIELDS)])
_KEYS: Final = bytes(field << 3 | 1 for field in range(1, len(FIELDS) + 1))
_POINT_SIZE: Final = len(_POINT) + 9 * len(FIELDS)
_PARAMETERS_KEY: Final = 2 << 3
_PARAMETERS_AT: Final = POINTS * _POINT_SIZE + 1
_TOTAL_KEY: Final = 3 << 3 | 1
_TOTAL_SIZE: Final = 9


class BadMessage(ValueError):
    """A message is not a ``ModelMetrics`` with what is needed."""

    def __init__(self, index: int, found: str) -> None:
        super().__init__(found)
        self.index = index
        """Which of the messages."""
        self.found = found
        """What is wrong with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """M decoded messages."""

    points: NDArray[np.float64]
    """(M, 3, 5): start, half and end; epochs, seconds, and accuracies in training, validation and test."""
    parameters: NDArray[np.int64]
    """(M,): trainable parameters."""


def decode(messages: Sequence[bytes]) -> Metrics:
    """Decode messages.

    Raises:
        BadMessage: one is cut short, or lacks a field.
    """
    points = np.empty((len(messages), POINTS, len(FIELDS)))
    parameters = np.empty(len(messages), dtype=np.int64)
    sizes = np.array([len(message) for message in messages])
    for size in np.unique(sizes).tolist():
        which = np.flatnonzero(sizes == size)
        joined = b"".join([messages[index] for index in which.tolist()])
        table = np.frombuffer(joined, np.uint8).reshape(len(which), size)
        usual = _usual(table)
        if usual.any():
            points[which[usual]], parameters[which[usual]] = _side_by_side(table[usual])
        for index in which[~usual].tolist():
            points[index], parameters[index] = _one(messages[index], index)
    return Metrics(points, parameters)


def _usual(table: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which messages of one length, (M, L), have the usual form."""
    varint = table.shape[1] - _PARAMETERS_AT - _TOTAL_SIZE
    if not 1 <= varint <= 5:
        return np.zeros(len(table), dtype=np.bool_)
    usual: NDArray[np.bool_] = (table[:, _PARAMETERS_AT - 1] == _PARAMETERS_KEY) & (
        table[:, -_TOTAL_SIZE] == _TOTAL_KEY
    )
    goes_on = table[:, _PARAMETERS_AT : _PARAMETERS_AT + varint] >= 0x80
    usual &= goes_on[:, :-1].all(axis=1) & ~goes_on[:, -1]
    for start in range(0, POINTS * _POINT_SIZE, _POINT_SIZE):
        usual &= (table[:, start : start + 2] == np.frombuffer(_POINT, np.uint8)).all(axis=1)
        keys = table[:, start + 2 : start + _POINT_SIZE : 9]
        usual &= (keys == np.frombuffer(_KEYS, np.uint8)).all(axis=1)
    return usual


def _side_by_side(table: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    count, size = table.shape
    points = table[:, : POINTS * _POINT_SIZE].reshape(count, POINTS, _POINT_SIZE)[:, :, len(_POINT) :]
    doubles = np.ascontiguousarray(points.reshape(count, POINTS, len(FIELDS), 9)[..., 1:]).view("<f8")[..., 0]
    digits = table[:, _PARAMETERS_AT : size - _TOTAL_SIZE].astype(np.int64) & 0x7F
    return doubles, (digits << 7 * np.arange(digits.shape[1])).sum(axis=1)


def _one(message: bytes, index: int) -> tuple[list[list[float]], int]:
    """Decode one message of any valid form; as the format has it, the last value of a field counts."""
    points, parameters = [], None
    try:
        for field, value in _fields(message):
            if field == 1 and isinstance(value, bytes):
                known = {number: double for number, double in _fields(value) if isinstance(double, float)}
                points.append([known[number] for number in range(1, len(FIELDS) + 1)])
            elif field == 2 and isinstance(value, int):
                parameters = value
    except KeyError as error:
        raise BadMessage(index, f"a point lacks its {FIELDS[error.args[0] - 1]}") from error
    except (ValueError, IndexError, struct.error) as error:
        raise BadMessage(index, "its metrics are cut short or altered") from error
    if len(points) != POINTS or parameters is None:
        lacks = "no parameters" if parameters is None else f"{len(points)} points instead of {POINTS}"
        raise BadMessage(index, f"its metrics have {lacks}")
    return points, parameters


def _fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield number and value of each field; 32-bit fields, which no field of ours is, as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            number, at = _varint(message, at)
            yield key >> 3, number
            continue
        if kind == 2:
            size, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(kind, len(message))
        if at + size > len(message):
            raise ValueError("cut short")
        value = message[at : at + size]
        at += size
        yield key >> 3, struct.unpack("<d", value)[0] if kind == 1 else value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than ten bytes")
