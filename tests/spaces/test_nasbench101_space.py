"""The whole space: every published hash and parameter count, every cell found, sub-spaces of the papers' sizes."""

import os
from pathlib import Path

import numpy as np
import pytest

from spaces.errors import InvalidValue
from spaces.nasbench101 import (
    Cells,
    at_most_vertices,
    count_parameters,
    count_parameters_batch,
    edges_into_output,
    enumerate_cells,
    hash_cells,
)


@pytest.fixture(scope="module")
def published():
    """The arrays of cells.npz: all cells in ascending order of hashes, hash by hash and count by count."""
    candidates = [os.environ.get("ASHA_NAS_DATA"), Path(__file__).parents[2].parent / "shared" / "data"]
    for folder in filter(None, candidates):
        path = Path(folder) / "nasbench101" / "cells.npz"
        if path.is_file():
            with np.load(path) as arrays:
                return {name: arrays[name] for name in ("num_vertices", "adj_bits", "ops", "hash", "params")}
    pytest.skip("no nasbench101/cells.npz in ASHA_NAS_DATA or ../shared/data")
    return None


@pytest.fixture(scope="module")
def space(published):
    return Cells(published["num_vertices"], published["adj_bits"], published["ops"])


@pytest.fixture(scope="module")
def small():
    return enumerate_cells(max_vertices=6)


def test_every_cell_has_its_published_hash(published, space):
    assert len(space) == 423_624
    assert np.array_equal(hash_cells(space), published["hash"])


def test_every_cell_has_its_published_parameter_count(published, space):
    assert np.array_equal(count_parameters_batch(space), published["params"])


def test_cells_one_by_one_have_theirs(published, space):
    rows = np.random.default_rng(0).choice(len(space), 3000, replace=False).tolist()
    assert [space[row].hash for row in rows] == [bytes(published["hash"][row]).hex() for row in rows]
    assert [count_parameters(space[row]) for row in rows] == published["params"][rows].tolist()


def test_enumeration_finds_exactly_the_published_cells(published, space):
    found = enumerate_cells()
    assert len(found) == len(space)
    # The same encodings in the same order; that these have the published hashes is another test.
    assert np.array_equal(found.vertices, space.vertices)
    assert np.array_equal(found.adjacency, space.adjacency)
    assert np.array_equal(found.operations, space.operations)


def test_small_spaces_have_their_published_sizes_and_order(small):
    assert [int(at_most_vertices(small, n).sum()) for n in range(2, 8)] == [1, 7, 91, 2532, 64_542, 64_542]
    hashes = hash_cells(small).view(">u8").astype(object)
    numbers = hashes[:, 0] * 2**64 + hashes[:, 1]
    assert (numbers[1:] > numbers[:-1]).all()
    assert [small[row].pruned().vertices for row in range(500)] == small.vertices[:500].tolist()


def test_enumeration_with_fewer_edges_is_a_part_of_it(small):
    few = enumerate_cells(max_vertices=6, max_edges=6)
    edges = np.bitwise_count(small.adjacency)
    assert np.bitwise_count(few.adjacency).max() == 6
    assert np.array_equal(hash_cells(few), hash_cells(small[edges <= 6]))
    assert len(enumerate_cells(2, 1)) == len(enumerate_cells(7, 1)) == 1


def test_sub_spaces_by_edges_into_the_output_have_the_sizes_of_the_paper(space):
    # Yu, Ranftl & Salzmann, appendix C.2, table 6; the remaining cell joins the input to the output alone.
    assert [int(edges_into_output(space, k).sum()) for k in range(6)] == [1, 120_933, 201_441, 90_782, 10_467, 0]


def test_edges_into_the_output_are_counted_cell_by_cell(small):
    rows = np.random.default_rng(0).choice(len(small), 300, replace=False)
    counts = [sum(row[-1] for row in small[row_].matrix[1:-1]) for row_ in rows.tolist()]
    for k in range(6):
        assert edges_into_output(small[rows], k).tolist() == [count == k for count in counts]


def test_limits_are_checked(small):
    for limits in ((1, 9), (8, 9), (7, 0), (7, 10)):
        with pytest.raises(InvalidValue, match="must be from"):
            enumerate_cells(*limits)
    with pytest.raises(InvalidValue, match="n = 8"):
        at_most_vertices(small, 8)
    with pytest.raises(InvalidValue, match="k = 6"):
        edges_into_output(small, 6)
