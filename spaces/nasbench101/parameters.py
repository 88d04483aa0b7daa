"""Channels of a cell's vertices and trainable parameters of the network that NAS-Bench-101 builds of it.

The network (Ying et al., arXiv 1902.09635, section 2 and figure 1): a 3x3 convolution as stem, stacks of
cells with a 2x2 max-pool and doubled channels between stacks, global average pooling and one dense
layer. Every convolution is followed by batch normalization with scale and shift and has no bias; the
dense layer has one.

In a cell each vertex that the input feeds, the output included, reads it through a 1x1 convolution of its
own. Inner vertices add what they read, and the output concatenates the inner vertices that feed it and
adds the projected input, if there is an edge from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue
from spaces.nasbench101.cell import OPERATIONS, Cell
from spaces.nasbench101.cells import Cells
from spaces.nasbench101.pruning import edges_of, prune_cells

_WEIGHTS: Final = {"conv3x3-bn-relu": 9, "conv1x1-bn-relu": 1, "maxpool3x3": 0}
"""Weights of an operation's convolution for each pair of input and output channel; 0: there is none."""
_WEIGHTS_BY_LABEL: Final = np.array([_WEIGHTS[name] for name in OPERATIONS], dtype=np.int64)


def vertex_channels(channels_in: int, channels_out: int, matrix: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the channels of each vertex of a pruned cell.

    The inner vertices that feed the output share its channels equally, the first ones taking one more
    each where the division leaves a remainder; any other inner vertex has as many as the widest vertex
    it feeds. A vertex truncates what it reads from an inner vertex to its own channels.

    Args:
        channels_in: channels of the cell's input, >= 1.
        channels_out: channels of its output, at least the number of inner vertices that feed it.
        matrix: n x n entries of 0 and 1 of a pruned cell: the rows of :attr:`Cell.matrix`.

    Raises:
        InvalidValue: there are too few channels, or a vertex lies on no path from input to output.
    """
    n = len(matrix)
    feeding = [v for v in range(1, n - 1) if matrix[v][n - 1]]
    if channels_in < 1:
        raise InvalidValue("channels_in", channels_in, "must be at least 1")
    if channels_out < max(len(feeding), 1):
        raise _too_few(channels_out, max(len(feeding), 1))
    channels = [channels_in, *[0] * (n - 2), channels_out]
    for rank, v in enumerate(feeding):
        share, remainder = divmod(channels_out, len(feeding))
        channels[v] = share + (rank < remainder)
    for v in range(n - 2, 0, -1):
        if not matrix[v][n - 1]:
            channels[v] = max([channels[y] for y in range(v + 1, n - 1) if matrix[v][y]], default=0)
            if not channels[v]:
                raise InvalidValue("vertex", v, "cannot reach the output", "Prune the cell first.")
    return tuple(channels)


def count_parameters(
    cell: Cell,
    *,
    channels: int = 128,
    stacks: int = 3,
    cells_per_stack: int = 3,
    classes: int = 10,
    channels_in: int = 3,
) -> int:
    """Return the trainable parameters of the network that repeats the pruned cell.

    Args:
        cell: what every cell of the network is.
        channels: of the stem and the first stack, 5 for every cell to fit; they double with each further stack.
        stacks: number of stacks, >= 1.
        cells_per_stack: cells in each, >= 1.
        classes: outputs of the dense layer, >= 1.
        channels_in: channels of an image, >= 1.

    Raises:
        InvalidValue: a number is less than 1, or ``channels`` are too few to share in the cell.
    """
    pruned = cell.pruned()
    total = _fixed(channels, stacks, cells_per_stack, classes, channels_in)
    for width_in, width_out, count in _widths(channels, stacks, cells_per_stack):
        total += count * _cell_parameters(pruned, width_in, width_out)
    return total


def count_parameters_batch(
    cells: Cells,
    *,
    channels: int = 128,
    stacks: int = 3,
    cells_per_stack: int = 3,
    classes: int = 10,
    channels_in: int = 3,
) -> NDArray[np.int64]:
    """Return :func:`count_parameters` of many cells, int64 (N,), with its other arguments and its errors."""
    total = np.full(len(cells), _fixed(channels, stacks, cells_per_stack, classes, channels_in), dtype=np.int64)
    pruned = prune_cells(cells)
    for n in np.unique(pruned.vertices).tolist():
        rows = np.flatnonzero(pruned.vertices == n)
        edges = edges_of(pruned.adjacency[rows], n)
        weights = _WEIGHTS_BY_LABEL[pruned.operations[rows, : n - 2]]
        for width_in, width_out, count in _widths(channels, stacks, cells_per_stack):
            widths = _channels_batch(width_out, edges)
            inner = widths[:, :-1]
            total[rows] += count * (width_in + 2) * (widths * edges[:, 0, 1:]).sum(axis=1)
            total[rows] += count * ((weights * inner + 2 * (weights > 0)) * inner).sum(axis=1)
    return total


def _cell_parameters(cell: Cell, width_in: int, width_out: int) -> int:
    widths = vertex_channels(width_in, width_out, cell.matrix)
    # A projection and a convolution alike have a weight for each pair of channels, a scale and a shift.
    total = sum((width_in + 2) * widths[y] for y, edge in enumerate(cell.matrix[0]) if edge)
    for width, name in zip(widths[1:-1], cell.operations, strict=True):
        if _WEIGHTS[name]:
            total += (_WEIGHTS[name] * width + 2) * width
    return total


def _channels_batch(channels_out: int, edges: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return :func:`vertex_channels` of all vertices but the input, int64 (N, n - 1), for bool (N, n, n)."""
    n = edges.shape[1]
    feeding = edges[:, 1:-1, -1]
    sharing = np.maximum(feeding.sum(axis=1, keepdims=True), 1)
    if (sharing > channels_out).any():
        raise _too_few(channels_out, int(sharing.max()))
    first = np.cumsum(feeding, axis=1) <= channels_out % sharing
    channels = np.full((len(edges), n - 1), channels_out, dtype=np.int64)
    channels[:, :-1] = np.where(feeding, channels_out // sharing + first, 0)
    for v in range(n - 3, -1, -1):
        widest = (channels[:, v + 1 : -1] * edges[:, v + 1, v + 2 : -1]).max(axis=1, initial=0)
        channels[:, v] = np.where(feeding[:, v], channels[:, v], widest)
    return channels


def _too_few(channels_out: int, wanted: int) -> InvalidValue:
    rule = f"must be at least {wanted}, one for each inner vertex that feeds the output"
    return InvalidValue("channels_out", channels_out, rule)


def _widths(channels: int, stacks: int, cells_per_stack: int) -> list[tuple[int, int, int]]:
    """List channels into and out of cells, with the number of such cells in the network."""
    found: dict[tuple[int, int], int] = {}
    for stack in range(stacks):
        width = channels << stack
        for position in range(cells_per_stack):
            pair = (width // 2 if stack and not position else width, width)
            found[pair] = found.get(pair, 0) + 1
    return [(*pair, count) for pair, count in found.items()]


def _fixed(channels: int, stacks: int, cells_per_stack: int, classes: int, channels_in: int) -> int:
    """Check the network's numbers and return the parameters outside its cells: stem and dense layer."""
    given = (
        ("channels", channels),
        ("stacks", stacks),
        ("cells_per_stack", cells_per_stack),
        ("classes", classes),
        ("channels_in", channels_in),
    )
    for name, value in given:
        if value < 1:
            raise InvalidValue(name, value, "must be at least 1")
    last = channels << (stacks - 1)
    return (9 * channels_in + 2) * channels + (last + 1) * classes
