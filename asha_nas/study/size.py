"""Sizes as people write them."""

from __future__ import annotations

import re

from spaces.errors import InvalidValue

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
"""Bytes in each, as disks are sold: powers of ten."""

_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_size(text: str) -> int:
    """Bytes, >= 1, that a text such as ``20GB``, ``1.5 TB`` or ``500000`` means.

    Raises:
        InvalidValue: it means none.
    """
    found = _FORM.fullmatch(text)
    unit = UNITS.get(found[2].upper()) if found else None
    size = 0 if found is None or unit is None else round(float(found[1]) * unit)
    if size < 1:
        rule = "must be a number of bytes above 0, with or without kB, MB, GB or TB"
        raise InvalidValue("quota", text, rule, "Write 20GB, for example.")
    return size
