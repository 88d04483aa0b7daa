"""Cells of NAS-Bench-101: checked, pruned, written and read, packed, and drawn."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.drawing import draw
from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench101 import (
    INPUT,
    MAX_EDGES,
    MAX_VERTICES,
    OPERATIONS,
    OUTPUT,
    Cell,
    Cells,
    parse_cell,
    sample_encoding,
)

CONV3, CONV1, POOL = OPERATIONS
CHAIN = Cell(((0, 1, 0), (0, 0, 1), (0, 0, 0)), (CONV3,))
DANGLING = Cell(  # vertex 1 leads nowhere, vertex 3 comes from nowhere
    [[0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], [POOL, CONV1, CONV3]
)

cells = st.builds(
    lambda seed, vertices: sample_encoding(np.random.default_rng(seed), vertices),
    st.integers(0, 2**32 - 1),
    st.integers(2, 7),
)


def test_constants():
    assert OPERATIONS == ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
    assert (INPUT, OUTPUT, MAX_VERTICES, MAX_EDGES) == ("input", "output", 7, 9)


def test_lists_become_tuples_of_integers():
    listed = Cell([[False, np.int64(1), 0], np.array([0, 0, 1]), (0, 0, 0)], [CONV3])
    assert listed == CHAIN
    assert hash(listed) == hash(CHAIN)
    assert str(listed) == "010001000:input,conv3x3-bn-relu,output"
    assert (CHAIN.vertices, CHAIN.edges, CHAIN.labels) == (3, 2, ("input", CONV3, "output"))


def test_pruning_keeps_what_lies_on_a_path():
    assert (DANGLING.vertices, DANGLING.edges) == (5, 4)
    assert DANGLING.pruned() == Cell(CHAIN.matrix, (CONV1,))
    assert CHAIN.pruned() is CHAIN
    direct = Cell([[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], [CONV1, CONV1])
    assert direct.pruned() == Cell([[0, 1], [0, 0]], [])


def test_nine_edges_count_after_pruning():
    matrix = np.triu(np.ones((7, 7), dtype=int), 1)
    with pytest.raises(InvalidValue, match="has 21 edges between input and output"):
        Cell(matrix, [POOL] * 5)
    matrix[3:6, 6] = 0  # vertices 3, 4 and 5 lead nowhere
    cell = Cell(matrix, [POOL] * 5)
    assert (cell.edges, cell.pruned().edges, cell.pruned().vertices) == (18, 6, 4)
    five = np.triu(np.ones((5, 5), dtype=int), 1)
    with pytest.raises(InvalidValue, match="has 10 edges"):
        Cell(five, [POOL] * 3)
    five[0, 4] = 0
    assert Cell(five, [POOL] * 3).edges == 9


@pytest.mark.parametrize(
    ("matrix", "operations", "message"),
    [
        ([[0]], [], "must be square, with 2 to 7 rows"),
        (np.zeros((8, 8)), [POOL] * 6, "must be square, with 2 to 7 rows"),
        ([[0, 1], [0, 0, 0]], [], "must be square"),
        (3, [], "must be rows of 0 and 1"),
        ([0, 1], [], "must be rows of 0 and 1"),
        ([[0, [1]], [0, 0]], [], "must be rows of 0 and 1"),
        ([[0, 2], [0, 0]], [], "must hold 0 and 1 alone"),
        (["01", "00"], [], "must hold 0 and 1 alone"),
        ([[0, 1], [1, 0]], [], "edge = '1→0': must run from a vertex to a later one"),
        ([[0, 1, 0], [0, 1, 1], [0, 0, 0]], [POOL], "edge = '1→1'"),
        ([[0, 1, 0], [0, 0, 0], [0, 0, 0]], [POOL], "cannot be reached"),
        (CHAIN.matrix, [], "number of operations = 0: must be 1"),
        (CHAIN.matrix, [POOL, POOL], "number of operations = 2: must be 1"),
        (CHAIN.matrix, POOL, "must be a list of names"),
    ],
)
def test_bad_cells_are_refused(matrix, operations, message):
    with pytest.raises(InvalidValue, match=re.escape(message)):
        Cell(matrix, operations)


def test_unknown_operations_are_named():
    with pytest.raises(UnknownName, match="operation 'maxpool3'\nDid you mean 'maxpool3x3'"):
        Cell(CHAIN.matrix, ["maxpool3"])
    with pytest.raises(UnknownName, match="operation '0'"):
        Cell(CHAIN.matrix, [0])


@given(cells)
def test_text_is_read_back(cell):
    assert parse_cell(str(cell)) == cell
    assert parse_cell(f" {str(cell).replace(',', ', ')}\n") == cell


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (7, "must be text"),
        ("0100", "has no ':'"),
        (":input,output", "square number of digits"),
        ("010:input,output", "square number of digits"),
        ("0200:input,output", "square number of digits"),
        ("0100:input", "must be 2, as the matrix has 2 rows, not 1"),
        ("0100:output,input", "must begin with 'input' and end with 'output'"),
        ("0000:input,output", "cannot be reached"),
        ("0" * 81 + ":" + ",".join(["input", *[POOL] * 7, "output"]), "2 to 7 rows"),
    ],
)
def test_bad_text_is_refused(text, message):
    with pytest.raises(InvalidValue, match=message) as caught:
        parse_cell(text)
    assert str(caught.value).count("\n") <= 1
    with pytest.raises(UnknownName, match="operation 'input'"):
        parse_cell("010001000:input,input,output")


@given(st.lists(cells, max_size=6))
def test_cells_are_packed_and_unpacked(drawn):
    packed = Cells.of(drawn)
    assert len(packed) == len(drawn)
    assert [packed[i] for i in range(len(packed))] == drawn
    assert [packed[np.int64(i)] for i in range(-len(packed), 0)] == drawn
    mask = np.arange(len(drawn)) % 2 == 0
    for some in (packed[::2], packed[mask], packed[np.flatnonzero(mask)]):
        assert isinstance(some, Cells)
        assert [some[i] for i in range(len(some))] == drawn[::2]


def test_the_compact_form_is_as_documented():
    packed = Cells.of([DANGLING, CHAIN])
    assert packed.vertices.tolist() == [5, 3]
    assert packed.adjacency.tolist() == [1 << 0 | 1 << 1 | 1 << 8 | 1 << 9, 1 << 0 | 1 << 2]
    assert packed.operations.tolist() == [[2, 1, 0, 255, 255], [0, 255, 255, 255, 255]]


def test_arrays_of_another_form_are_refused():
    good = Cells.of([CHAIN])
    for changed in ((good.vertices.astype(int), good.adjacency, good.operations), (*[good.vertices] * 3,)):
        with pytest.raises(InvalidValue, match="must have shape"):
            Cells(*changed)
    with pytest.raises(IndexError):
        good[1]


def test_a_graph_labels_vertices_and_leaves_arrows_bare(tmp_path):
    graph = DANGLING.graph("cell")
    assert (graph.title, graph.vertices) == ("cell", ("input", POOL, CONV1, CONV3, "output"))
    assert [(arrow.source, arrow.target, arrow.label) for arrow in graph.arrows] == [
        *((0, 1, ""), (0, 2, "")),
        *((2, 4, ""), (3, 4, "")),
    ]
    draw([graph, CHAIN.graph()], tmp_path / "cell.svg")
    assert (tmp_path / "cell.svg").stat().st_size > 1000
