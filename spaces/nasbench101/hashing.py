"""The hash that NAS-Bench-101 gives its cells, of one graph at a time.

Labels are -1 for the input, -2 for the output, and 0, 1, 2 for the operations. Each vertex begins as
the MD5 of the text of ``(out-degree, in-degree, label)``. In as many rounds as there are vertices,
each becomes the MD5 of three parts joined by ``|``: its predecessors in ascending order, joined by
nothing; its successors likewise; and itself. The cell's hash is the MD5 of the text of the sorted list
of all vertices. Vertices are written as 32 lower-case hexadecimal digits throughout. (Ying et al.,
arXiv 1902.09635, section 2.2, after Ying, *Enumerating unique computational graphs*, arXiv 1902.06192.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

try:
    # A cell takes up to 57 digests of about 100 bytes. Python's own MD5 needs half the time of OpenSSL's
    # for so little, but an interpreter may be built without it.
    from _md5 import md5 as _md5  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    _md5 = partial(hashlib.md5, usedforsecurity=False)

md5: Final[Callable[[bytes], Any]] = _md5
"""``hashlib.md5``, or what does the same in less time."""

LABEL_INPUT: Final = -1
LABEL_OUTPUT: Final = -2


@lru_cache(maxsize=1 << 14)  # a study asks for each of its cells several times, and many cells are pruned to one graph
def hash_graph(targets: tuple[int, ...], operations: tuple[int, ...]) -> str:
    """Return the hash of a graph that needs no pruning, as 32 hexadecimal digits.

    Args:
        targets: for each vertex, the vertices its edges run to, as bits; all to later vertices.
        operations: 0, 1 or 2 for each vertex but the first and the last.
    """
    neighbours = _neighbours(targets)
    labels = (LABEL_INPUT, *operations, LABEL_OUTPUT)
    states = [
        initial_state(len(after), len(before), label) for (before, after), label in zip(neighbours, labels, strict=True)
    ]
    for _ in labels:
        states = [
            md5(f"{_joined(states, before)}|{_joined(states, after)}|{own}".encode()).hexdigest()
            for (before, after), own in zip(neighbours, states, strict=True)
        ]
    return _digest(str(sorted(states)))


@lru_cache(maxsize=512)
def initial_state(out_degree: int, in_degree: int, label: int) -> str:
    """Return the state of a vertex before the first round."""
    return _digest(str((out_degree, in_degree, label)))


def _joined(states: list[str], vertices: tuple[int, ...]) -> str:
    """Join the states of some vertices in ascending order; most vertices have one or two neighbours."""
    if len(vertices) == 1:
        return states[vertices[0]]
    if len(vertices) == 2:
        first, second = states[vertices[0]], states[vertices[1]]
        return first + second if first < second else second + first
    return "".join(sorted([states[x] for x in vertices]))


@lru_cache(maxsize=4096)
def _neighbours(targets: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """List each vertex's predecessors and successors."""
    n = len(targets)
    return tuple(
        (
            tuple([x for x in range(n) if targets[x] >> v & 1]),
            tuple([y for y in range(n) if targets[v] >> y & 1]),
        )
        for v in range(n)
    )


def _digest(text: str) -> str:
    digits: str = md5(text.encode()).hexdigest()
    return digits
