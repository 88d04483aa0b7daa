"""Cells are drawn uniformly, each in its sense, and changes of them are as frequent as they should be."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from spaces.errors import InvalidValue
from spaces.nasbench101 import (
    OPERATIONS,
    Cell,
    Cells,
    at_most_vertices,
    enumerate_cells,
    mutate,
    sample_encoding,
    sample_unique,
)

CHAIN = Cell([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], [OPERATIONS[0], OPERATIONS[2]])


def assert_uniform(counts, categories):
    assert len(counts) == categories
    assert chisquare(list(counts.values())).pvalue > 1e-3


def valid_encodings(n):
    ends = list(itertools.combinations(range(n), 2))
    for edges in itertools.product((0, 1), repeat=len(ends)):
        matrix = [[0] * n for _ in range(n)]
        for (x, y), edge in zip(ends, edges, strict=True):
            matrix[x][y] = edge
        for operations in itertools.product(OPERATIONS, repeat=n - 2):
            try:
                yield Cell(matrix, operations)
            except InvalidValue:
                continue


def test_encodings_are_uniform():
    rng = np.random.default_rng(0)
    possible = set(valid_encodings(4))
    counts = Counter(sample_encoding(rng, 4) for _ in range(10 * len(possible)))
    assert set(counts) <= possible
    assert_uniform({cell: counts[cell] for cell in possible}, len(possible))


def test_architectures_are_uniform():
    rng = np.random.default_rng(1)
    space = enumerate_cells(max_vertices=4)
    four = space[at_most_vertices(space, 4)]
    assert_uniform(Counter(sample_unique(rng, four) for _ in range(5000)), 91)


@given(st.integers(0, 2**32 - 1), st.integers(3, 7), st.floats(0.1, 2.5))
def test_a_mutation_is_valid_and_differs(seed, vertices, rate):
    rng = np.random.default_rng(seed)
    cell = sample_encoding(rng, vertices)
    changed = mutate(cell, rng, rate)
    assert changed.vertices == vertices
    assert changed != cell
    assert changed == Cell(changed.matrix, changed.operations)
    again = np.random.default_rng(seed)
    assert mutate(sample_encoding(again, vertices), again, rate) == changed


def test_mutations_are_as_frequent_as_documented():
    """All valid outcomes of one cell of four vertices, against their probabilities given that it changed."""
    rate = 0.8
    weights = {}
    for cell in valid_encodings(4):
        flips = sum(
            a != b
            for row, other in zip(cell.matrix, CHAIN.matrix, strict=True)
            for a, b in zip(row, other, strict=True)
        )
        changes = sum(a != b for a, b in zip(cell.operations, CHAIN.operations, strict=True))
        edge, operation = rate / 4, rate / 2
        weights[cell] = (
            edge**flips * (1 - edge) ** (6 - flips) * (operation / 2) ** changes * (1 - operation) ** (2 - changes)
        )
    del weights[CHAIN]
    rng = np.random.default_rng(2)
    draws = 20_000
    counts = Counter(mutate(CHAIN, rng, rate) for _ in range(draws))
    assert set(counts) <= set(weights)
    total = sum(weights.values())
    likely = {cell: weight for cell, weight in weights.items() if draws * weight / total >= 5}
    expected = [draws * weight / total for weight in likely.values()]
    rest = draws - sum(expected)
    found = [counts[cell] for cell in likely]
    assert chisquare([*found, draws - sum(found)], [*expected, rest]).pvalue > 1e-3


def test_a_single_operation_always_changes_to_either_of_the_others():
    rng = np.random.default_rng(3)
    path = Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [OPERATIONS[0]])
    counts = Counter(mutate(path, rng).operations[0] for _ in range(400))
    assert set(counts) == {OPERATIONS[1], OPERATIONS[2]}
    assert binomtest(counts[OPERATIONS[1]], 400).pvalue > 1e-3


def test_bad_arguments_are_refused():
    rng = np.random.default_rng(0)
    for vertices in (1, 8):
        with pytest.raises(InvalidValue, match="must be from 2 to 7"):
            sample_encoding(rng, vertices)
    with pytest.raises(InvalidValue, match="number of cells = 0"):
        sample_unique(rng, Cells.of([]))
    with pytest.raises(InvalidValue, match="nothing to change"):
        mutate(Cell([[0, 1], [0, 0]], []), rng)
    for rate in (0.0, -1.0, 4.0, float("nan")):
        with pytest.raises(InvalidValue, match="rate"):
            mutate(CHAIN, rng, rate)
