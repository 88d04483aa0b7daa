"""NAS-Bench-201's cells: official text there and back, all 15,625 of them, hashes, mutation, topologies."""

import csv
import gzip
import hashlib
import os
import random
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench201 import (
    EDGES,
    OPERATIONS,
    Cell,
    Cells,
    count_topologies,
    enumerate_cells,
    hash_cells,
    mutate,
    parse_cell,
    sample_cell,
    topology,
)

TEXT = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|skip_connect~2|"
CELL = Cell(("nor_conv_3x3", "none", "avg_pool_3x3", "skip_connect", "nor_conv_1x1", "skip_connect"))
cells = st.tuples(*[st.sampled_from(OPERATIONS)] * 6).map(Cell)


def _published():
    folders = [os.environ.get("ASHA_NAS_DATA"), Path(__file__).parents[2].parent / "shared" / "data"]
    files = [Path(folder) / "nasbench201" / "nasbench201.csv.gz" for folder in folders if folder]
    return next((file for file in files if file.exists()), None)


def test_operations_and_edges_are_in_the_official_order():
    assert OPERATIONS == ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    assert EDGES == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def test_text_is_the_official_one():
    assert str(CELL) == TEXT
    assert parse_cell(f" {TEXT}\n") == CELL
    assert Cell(list(CELL.operations)) == CELL


@given(cells)
def test_text_reads_back(cell):
    assert parse_cell(str(cell)) == cell


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("|none~0|", "has 1 nodes between"),
        (TEXT.replace("|+|none", "|+none"), "node 2 must be 2 edges"),
        (TEXT.replace("|avg_pool_3x3~1", ""), "node 2 must be 2 edges"),
        ("+|none~0|none~1|+|none~0|none~1|none~2|", "node 1 must be 1 edge between"),
        ("|+|none~0|none~1|+|none~0|none~1|none~2|", "node 1 must be 1 edge between"),
        (TEXT.replace("3x3~1", "3x3~0"), "edge 1 of node 2 must be OPERATION~1"),
        (TEXT.replace("3x3~1", "3x3"), "edge 1 of node 2"),
        (TEXT.replace("3x3~1", "3x3~x"), "edge 1 of node 2"),
        (7, "must be text"),
    ],
)
def test_bad_text_is_refused_by_place(text, message):
    with pytest.raises(InvalidValue, match=message):
        parse_cell(text)


def test_bad_operations_are_refused():
    with pytest.raises(UnknownName, match="Did you mean 'nor_conv_3x3'"):
        parse_cell(TEXT.replace("nor_conv_3x3", "conv_3x3"))
    with pytest.raises(UnknownName, match="operation 'conv'"):
        Cell(("conv",) * 6)
    with pytest.raises(InvalidValue, match="must be 6"):
        Cell(("none",) * 5)


def test_hash_tells_encodings_apart_and_is_that_of_the_text():
    every = enumerate_cells()
    hashes = hash_cells(every)
    assert hashes.shape == (15625, 16) and hashes.dtype == np.uint8
    assert len({row.tobytes() for row in hashes}) == 15625
    assert CELL.hash == hashlib.md5(TEXT.encode()).hexdigest()
    for row in (0, 1, 777, 15624):
        assert hashes[row].tobytes().hex() == every[row].hash
    assert hash_cells(every[:0]).shape == (0, 16)


def test_enumeration_lists_every_cell_once_in_order():
    every = enumerate_cells()
    assert len(every) == 15625
    assert [every[row].operations for row in range(0, 15625, 111)] == list(product(OPERATIONS, repeat=6))[::111]
    assert len(np.unique(every.operations, axis=0)) == 15625


def test_many_cells_index_like_an_array():
    some = Cells.of([CELL, Cell(("none",) * 6), Cell(("avg_pool_3x3",) * 6)])
    assert some.operations.dtype == np.uint8 and some.operations[0].tolist() == [3, 0, 4, 1, 2, 1]
    assert some[0] == CELL and some[np.int64(-1)].operations == ("avg_pool_3x3",) * 6
    assert len(some[1:]) == 2
    assert some[np.array([2, 0])][1] == CELL
    assert some[np.array([False, True, False])][0].operations == ("none",) * 6
    assert len(Cells.of([])) == 0


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((2, 6), dtype=np.int64), "must be uint8 of shape"),
        (np.zeros((2, 5), dtype=np.uint8), "must be uint8 of shape"),
        (np.full((1, 6), 5, dtype=np.uint8), "codes must be 0 to 4"),
    ],
)
def test_bad_arrays_are_refused(codes, message):
    with pytest.raises(InvalidValue, match=message):
        Cells(codes)


def test_sampling_is_uniform_on_every_edge_and_seeded():
    rng = np.random.default_rng(0)
    drawn = [sample_cell(rng).operations for _ in range(3000)]
    for first, second in ((0, 5), (2, 3)):
        pairs = Counter((operations[first], operations[second]) for operations in drawn)
        assert len(pairs) == 25 and chisquare(list(pairs.values())).pvalue > 1e-3
    assert sample_cell(np.random.default_rng(4)) == sample_cell(np.random.default_rng(4))


def test_mutation_changes_one_edge_uniformly():
    rng = np.random.default_rng(1)
    changes = Counter()
    for _ in range(3000):
        mutated = mutate(CELL, rng)
        changed = [edge for edge in range(6) if mutated.operations[edge] != CELL.operations[edge]]
        assert len(changed) == 1
        changes[changed[0], mutated.operations[changed[0]]] += 1
    assert len(changes) == 24 and chisquare(list(changes.values())).pvalue > 1e-3


def test_graph_has_labelled_arrows():
    graph = CELL.graph("best")
    assert graph.title == "best" and graph.vertices == ("input", "1", "2", "output")
    assert [(arrow.source, arrow.target) for arrow in graph.arrows] == list(EDGES)
    assert tuple(arrow.label for arrow in graph.arrows) == CELL.operations


def test_topologies_are_as_many_as_published():
    assert count_topologies() == 6466
    assert count_topologies(exact=True) == 4930


def test_topology_leaves_out_skips_and_zeros():
    conv = "(0)@nor_conv_1x1"
    direct = Cell(("none", "none", "none", "nor_conv_1x1", "none", "none"))
    behind = Cell(("nor_conv_1x1", "none", "none", "none", "skip_connect", "none"))
    assert topology(direct, exact=True) == topology(behind, exact=True) == conv
    assert topology(Cell(("none",) * 6), exact=True) == "#"
    beside = Cell(("none", "none", "none", "skip_connect", "none", "none"))
    assert topology(beside) == "#+#+0" and topology(beside, exact=True) == "0"


def _evaluated(cell, weights, x):
    """The cell as plain numbers: an operation is an affine-free function that keeps zero."""
    nodes = [x, 0.0, 0.0, 0.0]
    for (source, node), name in zip(EDGES, cell.operations, strict=True):
        if name == "skip_connect":
            nodes[node] += nodes[source]
        elif name != "none":
            nodes[node] += weights[name] * np.tanh(nodes[source]) ** 3
    return nodes[3]


def test_exact_topologies_are_the_different_functions():
    """Cells evaluated on numbers: exactly the cells with equal expressions agree."""
    weights = {"nor_conv_1x1": 1.31, "nor_conv_3x3": -0.77, "avg_pool_3x3": 2.03}
    every = enumerate_cells()
    rows = random.Random(0).sample(range(len(every)), 4000)
    by_topology = {}
    for row in rows:
        value = tuple(round(_evaluated(every[row], weights, x), 9) for x in (0.9, 2.3))
        by_topology.setdefault(topology(every[row], exact=True), set()).add(value)
    assert all(len(values) == 1 for values in by_topology.values())
    assert len({value for values in by_topology.values() for value in values}) == len(by_topology)


@pytest.mark.skipif(_published() is None, reason="no nasbench201/nasbench201.csv.gz in ASHA_NAS_DATA or ../shared/data")
def test_published_table_lists_exactly_our_cells():
    with gzip.open(_published(), "rt", encoding="utf-8") as file:
        texts = [row["cell"] for row in csv.DictReader(file)]
    assert all(str(parse_cell(text)) == text for text in texts)
    every = enumerate_cells()
    assert sorted(texts) == sorted(str(every[row]) for row in range(len(every)))
