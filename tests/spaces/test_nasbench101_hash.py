"""The hash is the published one, equal exactly for the same architectures, and the same in bulk."""

import itertools
from hashlib import md5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import InvalidValue
from spaces.nasbench101 import (
    OPERATIONS,
    Cell,
    Cells,
    count_parameters_batch,
    hash_cell,
    hash_cells,
    sample_encoding,
)

cells = st.builds(
    lambda seed, vertices: sample_encoding(np.random.default_rng(seed), vertices),
    st.integers(0, 2**32 - 1),
    st.integers(2, 7),
)


def reference(cell):
    """The hash again, word by word after its definition, on matrices and text."""
    matrix = np.array(cell.matrix)
    paths = np.linalg.matrix_power(np.eye(len(matrix), dtype=int) + matrix, len(matrix))
    kept = [v for v in range(len(matrix)) if paths[0, v] and paths[v, -1]]
    matrix = matrix[np.ix_(kept, kept)]
    labels = [-1, *[OPERATIONS.index(cell.operations[v - 1]) for v in kept[1:-1]], -2]
    digest = lambda text: md5(text.encode()).hexdigest()  # noqa: E731
    state = [digest(str((int(matrix[v].sum()), int(matrix[:, v].sum()), label))) for v, label in enumerate(labels)]
    for _ in labels:
        parts = [
            [
                "".join(sorted(state[x] for x in np.flatnonzero(matrix[:, v]))),
                "".join(sorted(state[y] for y in np.flatnonzero(matrix[v]))),
                state[v],
            ]
            for v in range(len(labels))
        ]
        state = [digest("|".join(part)) for part in parts]
    return digest(str(sorted(state)))


def renumber(cell, order):
    """Give vertex v the number ``order[v]``; ``None`` if an edge would run backwards."""
    matrix = np.zeros((cell.vertices, cell.vertices), dtype=int)
    operations = [""] * cell.vertices
    for x in range(cell.vertices):
        operations[order[x]] = cell.labels[x]
        for y in range(cell.vertices):
            matrix[order[x], order[y]] = cell.matrix[x][y]
    return None if np.tril(matrix).any() else Cell(matrix.tolist(), operations[1:-1])


def numberings(cell):
    for inner in itertools.permutations(range(1, cell.vertices - 1)):
        renamed = renumber(cell, (0, *inner, cell.vertices - 1))
        if renamed is not None:
            yield renamed


@pytest.mark.parametrize(
    ("matrix", "operations", "published"),
    [
        ([[0, 1], [0, 0]], [], "043721b9c7fe8c5fad811d47d83132ec"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0], "b49ac8c578b4561d79ac7087988f1c61"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [1], "d1269d9156ddc027c40473008192958a"),
        ([[0, 1, 1], [0, 0, 1], [0, 0, 0]], [2], "6f6257bc3b12d87b8736e81cd4b7ed8b"),
    ],
)
def test_small_cells_have_their_published_hashes(matrix, operations, published):
    assert Cell(matrix, [OPERATIONS[label] for label in operations]).hash == published


@given(cells)
def test_one_cell_and_its_pruned_form_hash_as_defined(cell):
    assert cell.hash == hash_cell(cell) == reference(cell)
    assert cell.pruned().hash == cell.hash


@given(cells)
def test_the_numbering_of_inner_vertices_does_not_matter(cell):
    assert {renamed.hash for renamed in numberings(cell)} == {cell.hash}


@given(st.lists(cells, min_size=1, max_size=20))
def test_hashing_in_bulk_is_hashing_one_by_one(drawn):
    hashes = hash_cells(Cells.of(drawn))
    assert hashes.dtype == np.uint8
    assert [bytes(row).hex() for row in hashes] == [cell.hash for cell in drawn]


def test_no_cells_at_all():
    assert hash_cells(Cells.of([])).shape == (0, 16)
    assert count_parameters_batch(Cells.of([])).shape == (0,)


def test_hashes_are_equal_exactly_for_isomorphic_cells():
    """Every valid encoding of up to 4 vertices, and 2000 of 5, against all renumberings of the pruned cell."""
    rng = np.random.default_rng(0)
    drawn = [sample_encoding(rng, 5) for _ in range(2000)]
    for n in (2, 3, 4):
        ends = list(itertools.combinations(range(n), 2))
        for edges in itertools.product((0, 1), repeat=len(ends)):
            matrix = np.zeros((n, n), dtype=int)
            matrix[tuple(zip(*ends, strict=True))] = edges
            for operations in itertools.product(OPERATIONS, repeat=n - 2):
                try:
                    drawn.append(Cell(matrix.tolist(), operations))
                except InvalidValue:
                    continue
    classes = {}
    for cell in drawn:
        canonical = min(str(renamed) for renamed in numberings(cell.pruned()))
        classes.setdefault(canonical, set()).add(cell.hash)
    assert all(len(hashes) == 1 for hashes in classes.values())
    assert len(set().union(*classes.values())) == len(classes) > 200


def test_a_cell_without_a_path_is_refused_in_bulk():
    good = Cells.of([Cell([[0, 1], [0, 0]], [])] * 2)
    bad = Cells(good.vertices, np.array([1, 0], dtype=np.uint32), good.operations)
    with pytest.raises(InvalidValue, match="adjacency of cell 1 = 0: its output cannot be reached"):
        hash_cells(bad)
