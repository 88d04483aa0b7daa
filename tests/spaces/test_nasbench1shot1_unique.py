"""The sizes of the three spaces: raw, under the paper's definitions, and as different architectures."""

import os
from pathlib import Path

import numpy as np
import pytest

from spaces.nasbench1shot1 import (
    SPACES,
    choices_of,
    count_raw,
    count_unique,
    count_with_loose_ends,
    count_without_loose_ends,
    enumerate_choices,
    space,
    unique_cells,
    unique_hashes,
)
from spaces.nasbench101 import Cells
from spaces.nasbench101.batch import hash_cells


def _nasbench101():
    folders = [os.environ.get("ASHA_NAS_DATA"), Path(__file__).parents[2].parent / "shared" / "data"]
    files = [Path(folder) / "nasbench101" / "cells.npz" for folder in folders if folder]
    return next((file for file in files if file.exists()), None)


def test_counts_of_encodings():
    """6,240, 363,648 and 3,702 are printed in table 1 of the paper; so is 29,160, as S2's with loose ends."""
    assert [count_raw(one) for one in SPACES.values()] == [14580, 29160, 1312200]
    assert [count_with_loose_ends(one) for one in SPACES.values()] == [6240, 16632, 363648]
    assert [count_without_loose_ends(one) for one in SPACES.values()] == [3702, 12474, 135900]


def test_counts_of_architectures_are_the_published_ones():
    assert [count_unique(one) for one in SPACES.values()] == [2685, 7773, 55854]


@pytest.mark.parametrize("named", SPACES.values(), ids=SPACES)
def test_unique_cells_are_pruned_sorted_and_identified(named):
    cells, hashes = unique_cells(named), unique_hashes(named)
    texts = [row.tobytes().hex() for row in hashes]
    assert texts == sorted(set(texts)) and len(cells) == len(texts)
    for row in np.random.default_rng(0).choice(len(cells), 100, replace=False):
        cell = cells[row]
        assert cell.hash == texts[row] and cell.pruned() is cell
        assert choices_of(cell, named).cell().hash == texts[row]
    assert unique_cells(named) is cells
    with pytest.raises(ValueError, match="read-only"):
        cells.adjacency[0] = 0


def test_unique_cells_are_those_of_every_choice_one_by_one():
    """The short cut by wirings against brute force: all raw choices of S1, hashed with their loose ends."""
    listed = Cells.of(choice.cell() for choice in enumerate_choices(space("s1")))
    assert len(listed) == 14580
    assert np.array_equal(np.unique(hash_cells(listed), axis=0), unique_hashes(space("s1")))


def test_choices_that_read_block_1_alone_make_three_architectures():
    """Why a uniform choice is not a uniform architecture: a tenth of S1's choices make 3 of its 2,685."""
    made = [choice.cell().hash for choice in enumerate_choices(space("s1")) if choice.output == (0, 1)]
    assert len(made) == 1458 and len(set(made)) == 3


@pytest.mark.skipif(_nasbench101() is None, reason="no nasbench101/cells.npz in ASHA_NAS_DATA or ../shared/data")
def test_every_architecture_is_in_nasbench101():
    with np.load(_nasbench101()) as published:
        known = {row.tobytes() for row in published["hash"]}
    assert len(known) == 423624
    assert all(row.tobytes() in known for named in SPACES.values() for row in unique_hashes(named))
