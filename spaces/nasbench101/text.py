"""Reading a cell back from the text of ``str(cell)``."""

from __future__ import annotations

from functools import lru_cache
from math import isqrt
from typing import Final

from spaces.errors import InvalidValue
from spaces.nasbench101.cell import INPUT, OUTPUT, Cell

_FORM: Final = "Write the matrix row by row, a colon, and all labels: 0100…:input,conv3x3-bn-relu,…,output."


def parse_cell(text: str) -> Cell:
    """Read a cell from the text of ``str(cell)``, spaces around it and its labels aside.

    The matrix and the labels are each as in a record of the official file.

    Raises:
        InvalidValue: the text has another form, or the cell breaks a rule of :class:`Cell`.
        UnknownName: a label between the first and the last is no operation.
    """
    if not isinstance(text, str):
        raise InvalidValue("cell", text, "must be text", _FORM)
    return _parse(text)


@lru_cache(maxsize=1 << 10)  # the text of a cell is a trial's configuration, and read wherever its cell is wanted
def _parse(text: str) -> Cell:
    bits, colon, names = text.strip().partition(":")
    if not colon:
        raise InvalidValue("cell", _brief(text), "has no ':' between matrix and labels", _FORM)
    n = isqrt(len(bits))
    if not bits or set(bits) - {"0", "1"} or n * n != len(bits):
        raise InvalidValue("matrix", _brief(bits), "must be a square number of digits 0 and 1", _FORM)
    labels = [name.strip() for name in names.split(",")]
    if len(labels) != n:
        raise InvalidValue(
            "labels", _brief(names), f"must be {n}, as the matrix has {n} rows, not {len(labels)}", _FORM
        )
    if labels[0] != INPUT or labels[-1] != OUTPUT:
        raise InvalidValue("labels", _brief(names), f"must begin with {INPUT!r} and end with {OUTPUT!r}", _FORM)
    rows = tuple(tuple(map(int, bits[start : start + n])) for start in range(0, n * n, n))
    return Cell(rows, tuple(labels[1:-1]))


def _brief(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
