"""The hash of many cells at a time; the same digits as :mod:`spaces.nasbench101.hashing`, several times faster.

Cells of one size go through the rounds together. A vertex needs to know in which order its neighbours'
states stand, so every cell's vertices are ranked once a round, by comparing states two by two. Vertices
with the same number of predecessors and of successors have messages of one length, written together as
the rows of one array.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spaces.nasbench101.cell import MAX_VERTICES
from spaces.nasbench101.cells import Cells
from spaces.nasbench101.hashing import LABEL_INPUT, LABEL_OUTPUT, initial_state, md5
from spaces.nasbench101.pruning import edges_of, prune_cells

_CHUNK: Final = 4096
"""Cells worked on together: enough to share the cost of a NumPy call, few enough for the cache."""

_BAR: Final = ord("|")
_HEX: Final = 32
"""Characters of a state."""
_DIGITS: Final = np.array([f"{byte:02x}".encode() for byte in range(256)]).view(np.uint16)
"""The two characters of each byte."""

_Bytes = NDArray[np.uint8]


def hash_cells(cells: Cells) -> _Bytes:
    """Return each cell's hash as 16 bytes, uint8 (N, 16); ``bytes(row).hex()`` is ``cells[i].hash``.

    Raises:
        InvalidValue: in some cell the output cannot be reached from the input.
    """
    pruned = prune_cells(cells)
    hashes = np.empty((len(cells), 16), dtype=np.uint8)
    for n in range(2, MAX_VERTICES + 1):
        rows = np.flatnonzero(pruned.vertices == n)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            part = pruned[chunk]
            hashes[chunk] = _hash(edges_of(part.adjacency, n), part.operations[:, : n - 2])
    return hashes


@dataclass(frozen=True, slots=True)
class _Alike:
    """The M vertices, of all cells of a chunk, with the same numbers of predecessors and successors."""

    vertices: NDArray[np.intp]
    """(M,): number of the vertex among all N·n of the chunk."""
    before: NDArray[np.intp]
    """(M, in-degree): the predecessors' numbers, likewise."""
    after: NDArray[np.intp]
    """(M, out-degree)."""


def _hash(edges: NDArray[np.bool_], operations: _Bytes) -> _Bytes:
    """Hash N pruned cells of n vertices: bool (N, n, n) and uint8 (N, n - 2) to uint8 (N, 16)."""
    count, n = edges.shape[:2]
    groups = _groups(edges)
    states = _initial(edges, operations)
    for _ in range(n):
        ranks = _ranks(states.reshape(count, n, 16))
        characters = _characters(states).view(f"S{_HEX}")[:, 0]
        following = np.empty_like(states)
        for group in groups:
            following[group.vertices] = _digests(_messages(group, ranks, characters))
        states = following
    return _digests(_listing(states, n))


def _groups(edges: NDArray[np.bool_]) -> list[_Alike]:
    count, n = edges.shape[:2]
    in_degree, out_degree = edges.sum(axis=1).ravel(), edges.sum(axis=2).ravel()
    code = in_degree * n + out_degree
    sources = edges.transpose(0, 2, 1).reshape(count * n, n)
    targets = edges.reshape(count * n, n)
    groups = []
    for each in np.unique(code):
        vertices = np.flatnonzero(code == each)
        first = (vertices // n * n)[:, None]
        # Row by row, nonzero lists as many neighbours as the degree, so the rows line up.
        before = np.nonzero(sources[vertices])[1].reshape(len(vertices), -1) + first
        after = np.nonzero(targets[vertices])[1].reshape(len(vertices), -1) + first
        groups.append(_Alike(vertices, before, after))
    return groups


def _initial(edges: NDArray[np.bool_], operations: _Bytes) -> _Bytes:
    """Return the states before the first round, uint8 (N·n, 16)."""
    count, n = edges.shape[:2]
    labels = np.empty((count, n), dtype=np.int64)
    labels[:, 0], labels[:, -1], labels[:, 1:-1] = LABEL_INPUT, LABEL_OUTPUT, operations
    triples = np.stack([edges.sum(axis=2), edges.sum(axis=1), labels], axis=2).reshape(-1, 3)
    code = (triples[:, 0] * n + triples[:, 1]) * 8 + triples[:, 2]
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    states = [bytes.fromhex(initial_state(*triple)) for triple in triples[first].tolist()]
    return np.frombuffer(b"".join(states), dtype=np.uint8).reshape(-1, 16)[inverse.ravel()]


def _ranks(states: _Bytes) -> NDArray[np.uint8]:
    """Return each vertex's place among its cell's when sorted by state, uint8 (N·n,)."""
    count, n, _ = states.shape
    # The order of the hexadecimal texts is that of the bytes, so of two big-endian numbers.
    numbers = states.view(">u8").astype(np.uint64)
    high, low = (np.ascontiguousarray(numbers[:, :, half].T) for half in range(2))
    ranks = np.zeros((n, count), dtype=np.uint8)
    for x, y in combinations(range(n), 2):
        above = (high[x] > high[y]) | ((high[x] == high[y]) & (low[x] > low[y]))
        ranks[x] += above
        ranks[y] += ~above
    return np.ascontiguousarray(ranks.T).ravel()


def _messages(group: _Alike, ranks: NDArray[np.uint8], characters: NDArray[np.bytes_]) -> _Bytes:
    """Write ``predecessors|successors|itself`` for each vertex of a group: uint8 (M, length)."""
    parts = (_sorted(group.before, ranks), _sorted(group.after, ranks), group.vertices[:, None])
    length = sum(_HEX * part.shape[1] for part in parts) + 2
    messages = np.full((len(group.vertices), length), _BAR, dtype=np.uint8)
    start = 0
    for part in parts:
        width = _HEX * part.shape[1]
        if width:
            messages[:, start : start + width] = characters[part].view(np.uint8)
        start += width + 1
    return messages


def _sorted(neighbours: NDArray[np.intp], ranks: NDArray[np.uint8]) -> NDArray[np.intp]:
    if neighbours.shape[1] < 2:
        return neighbours
    order = np.argsort(ranks[neighbours], axis=1)
    return np.take_along_axis(neighbours, order, axis=1)


def _listing(states: _Bytes, n: int) -> _Bytes:
    """Write each cell's sorted states as Python prints a list of strings: uint8 (N, 36·n)."""
    ranks = _ranks(states.reshape(-1, n, 16)).reshape(-1, n)
    order = np.argsort(ranks, axis=1) + np.arange(len(ranks))[:, None] * n
    template = np.frombuffer(str(["0" * _HEX] * n).encode(), dtype=np.uint8)
    messages = np.tile(template, (len(ranks), 1))
    characters: NDArray[Any] = _characters(states)
    for place in range(n):
        start = 2 + (_HEX + 4) * place
        messages[:, start : start + _HEX] = characters[order[:, place]]
    return messages


def _digests(messages: _Bytes) -> _Bytes:
    """Return the MD5 of each row: uint8 (M, length) to uint8 (M, 16)."""
    rows = messages.view(f"V{messages.shape[1]}")[:, 0].tolist()  # as bytes; slower any other way
    return np.frombuffer(b"".join([md5(row).digest() for row in rows]), dtype=np.uint8).reshape(-1, 16)


def _characters(digests: _Bytes) -> _Bytes:
    """Return digests as lower-case hexadecimal characters: uint8 (M, 16) to uint8 (M, 32)."""
    return _DIGITS[digests].view(np.uint8)
