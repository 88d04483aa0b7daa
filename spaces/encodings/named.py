"""The encodings of the spaces of cells whose figures are in tables, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from spaces.encodings.nasbench1shot1 import NasBench1Shot1
from spaces.encodings.nasbench101 import NasBench101
from spaces.encodings.nasbench201 import NasBench201
from spaces.encodings.protocol import Encoding
from spaces.errors import UnknownName

_ENCODINGS: Final[Mapping[str, Callable[[], Encoding]]] = MappingProxyType(
    {
        "nasbench101": NasBench101,
        **{f"nasbench101-{n}": partial(NasBench101, n) for n in (4, 5, 6)},
        **{name: partial(NasBench1Shot1, name) for name in ("s1", "s2", "s3")},
        "nasbench201": NasBench201,
    }
)


def encoding_of(space: str) -> Encoding:
    """Return the encoding of a space of cells; configurations are ``{"cell": str(cell)}``.

    Args:
        space: a name in :data:`spaces.cell_spaces.CELL_SPACES`.

    Raises:
        UnknownName: there is no such space.
    """
    if space not in _ENCODINGS:
        raise UnknownName("space", str(space), _ENCODINGS)
    return _ENCODINGS[space]()
