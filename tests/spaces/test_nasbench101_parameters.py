"""Channels and parameters, worked out by hand, and the same in bulk."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import InvalidValue
from spaces.nasbench101 import (
    OPERATIONS,
    Cell,
    Cells,
    count_parameters,
    count_parameters_batch,
    sample_encoding,
    vertex_channels,
)

CONV3, CONV1, POOL = OPERATIONS
DIRECT = Cell([[0, 1], [0, 0]], [])
FORK = Cell(  # 1 feeds 2 and 3; 2, 3 and 4 feed the output, as does the input
    [
        [0, 1, 0, 0, 1, 1],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ],
    [POOL, CONV3, CONV1, CONV3],
)

cells = st.builds(
    lambda seed, vertices: sample_encoding(np.random.default_rng(seed), vertices),
    st.integers(0, 2**32 - 1),
    st.integers(2, 7),
)


def test_channels_by_hand():
    assert vertex_channels(3, 16, DIRECT.matrix) == (3, 16)
    assert vertex_channels(4, 9, FORK.matrix) == (4, 3, 3, 3, 3, 9)
    assert vertex_channels(4, 10, FORK.matrix) == (4, 4, 4, 3, 3, 10)
    assert vertex_channels(4, 11, FORK.matrix) == (4, 4, 4, 4, 3, 11)


def test_parameters_by_hand():
    network = {"channels": 10, "stacks": 2, "cells_per_stack": 1, "classes": 7, "channels_in": 1}
    stem, dense = 9 * 10 + 20, 20 * 7 + 7
    # The cell of each stack: 10 channels to 10, and 10 to 20.
    projected = (10 * 10 + 20) + (10 * 20 + 40)
    assert count_parameters(DIRECT, **network) == stem + projected + dense
    # Vertices 1 to 4 have (4, 4, 3, 3) channels, and (7, 7, 7, 6).
    projections = (10 + 2) * (4 + 3 + 10) + (10 + 2) * (7 + 6 + 20)
    convolutions = (9 * 16 + 8) + (9 + 6) + (81 + 6) + (9 * 49 + 14) + (49 + 14) + (9 * 36 + 12)
    assert count_parameters(FORK, **network) == stem + projections + convolutions + dense


@given(cells)
def test_channels_into_the_output_add_up(cell):
    matrix = cell.pruned().matrix
    channels = vertex_channels(7, 64, matrix)
    assert (channels[0], channels[-1]) == (7, 64)
    feeding = [channels[v] for v in range(1, len(matrix) - 1) if matrix[v][-1]]
    if feeding:
        assert sum(feeding) == 64
        assert max(feeding) - min(feeding) <= 1
        assert feeding == sorted(feeding, reverse=True)
    for v in range(1, len(matrix) - 1):
        read = [channels[y] for y in range(v + 1, len(matrix) - 1) if matrix[v][y]]
        assert channels[v] >= max(read, default=1) - (matrix[v][-1] != 0)


@given(st.lists(cells, min_size=1, max_size=8), st.integers(5, 140), st.integers(1, 4), st.integers(1, 4))
def test_counting_in_bulk_is_counting_one_by_one(drawn, channels, stacks, cells_per_stack):
    network = {"channels": channels, "stacks": stacks, "cells_per_stack": cells_per_stack, "classes": 3}
    counted = [count_parameters(cell, **network) for cell in drawn]
    assert count_parameters_batch(Cells.of(drawn), **network).tolist() == counted
    assert [count_parameters(cell.pruned(), **network) for cell in drawn] == counted


def test_bad_numbers_are_refused():
    for name in ("channels", "stacks", "cells_per_stack", "classes", "channels_in"):
        for count in (lambda **number: count_parameters(FORK, **number), _bulk):
            with pytest.raises(InvalidValue, match=f"{name} = 0: must be at least 1"):
                count(**{name: 0})
    for count in (lambda **number: count_parameters(FORK, **number), _bulk):
        with pytest.raises(InvalidValue, match="channels_out = 2: must be at least 3"):
            count(channels=2)
    with pytest.raises(InvalidValue, match="channels_in = 0"):
        vertex_channels(0, 4, DIRECT.matrix)
    with pytest.raises(InvalidValue, match="channels_out = 0"):
        vertex_channels(1, 0, DIRECT.matrix)


def test_channels_of_a_cell_that_is_not_pruned_are_refused():
    dangling = [[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    with pytest.raises(InvalidValue, match="vertex = 1: cannot reach the output\nPrune"):
        vertex_channels(8, 8, dangling)


def _bulk(**network):
    return count_parameters_batch(Cells.of([DIRECT, FORK]), **network)
