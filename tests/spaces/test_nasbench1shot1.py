"""The three spaces of NAS-Bench-1Shot1: choices as values, decoding, sampling, and from a cell back to a choice."""

from collections import Counter
from itertools import combinations, islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from spaces import nasbench101
from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench1shot1 import (
    ONE_SHOT_OPERATIONS,
    SPACES,
    Choice,
    Space,
    choices_of,
    decode,
    enumerate_choices,
    sample_choice,
    space,
)
from spaces.nasbench101 import OPERATIONS, Cell

CONV3, CONV1, POOL = OPERATIONS
each_space = pytest.mark.parametrize("named", SPACES.values(), ids=SPACES)


@st.composite
def spaces_and_choices(draw):
    named = draw(st.sampled_from(list(SPACES.values())))
    counts = (*named.parents, named.output_parents)
    wiring = [draw(st.sampled_from(list(combinations(range(v), k)))) for v, k in enumerate(counts, start=1)]
    operations = draw(st.tuples(*[st.sampled_from(OPERATIONS)] * named.blocks))
    return named, Choice(operations, wiring[:-1], wiring[-1])


def weights_of(named, choice, rng):
    """Weights that rank exactly what the choice took above the rest, otherwise arbitrary."""
    operations = rng.uniform(-2, 0, (named.blocks, 3))
    for block, name in enumerate(choice.operations):
        operations[block, ONE_SHOT_OPERATIONS.index(name)] += 2.5
    parents = [
        rng.uniform(-2, 0, block) + 2.5 * np.isin(np.arange(block), choice.parents[block - 1])
        for block in named.choosing
    ]
    output = rng.uniform(-2, 0, named.blocks + 1) + 2.5 * np.isin(np.arange(named.blocks + 1), choice.output)
    return operations, parents, output


def test_spaces_are_those_of_table_1():
    assert {name: (one.parents, one.output_parents) for name, one in SPACES.items()} == {
        "s1": ((1, 2, 2, 2), 2),
        "s2": ((1, 1, 2, 2), 3),
        "s3": ((1, 1, 1, 2, 2), 2),
    }
    assert all(sum(one.parents) + one.output_parents == 9 for one in SPACES.values())
    assert [one.choosing for one in SPACES.values()] == [(3, 4), (2, 3, 4), (2, 3, 4, 5)]
    assert space("S2") is SPACES["s2"]
    with pytest.raises(UnknownName, match=r"space 's4'\nDid you mean"):
        space("s4")


@pytest.mark.parametrize(
    ("parents", "output", "message"),
    [
        ((), 1, "choice blocks = 0"),
        ((1,) * 6, 1, "choice blocks = 6"),
        ((2, 1), 1, "parents of vertex 1 = 2"),
        ((1, 0), 1, "parents of vertex 2 = 0"),
        ((1, 1), 4, "parents of vertex 3 = 4"),
        ((1, 2, 2, 2), 3, "parents in all = 10"),
    ],
)
def test_impossible_spaces_are_refused(parents, output, message):
    with pytest.raises(InvalidValue, match=message):
        Space("own", parents, output)


def test_cell_of_a_choice_is_the_one_drawn_by_hand():
    """S1, drawn on paper: block 2 is a loose end, which pruning removes."""
    choice = Choice((CONV3, POOL, CONV1, CONV3), [[0], [0, 1], [0, 1], [1, 3]], [0, 4])
    cell = choice.cell()
    assert cell.matrix == (
        (0, 1, 1, 1, 0, 1),
        (0, 0, 1, 1, 1, 0),
        (0, 0, 0, 0, 0, 0),
        (0, 0, 0, 0, 1, 0),
        (0, 0, 0, 0, 0, 1),
        (0, 0, 0, 0, 0, 0),
    )
    pruned = Cell(((0, 1, 1, 0, 1), (0, 0, 1, 1, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1), (0,) * 5), (CONV3, CONV1, CONV3))
    assert cell.pruned() == pruned and cell.hash == pruned.hash
    assert choice.belongs_to(space("s1")) and not choice.belongs_to(space("s2")) and not choice.belongs_to(space("s3"))


def test_an_unconnected_vertex_does_not_change_the_hash():
    """The released code gives S1's cells a seventh vertex without edges."""
    cell = Choice((CONV3, POOL, CONV1, CONV3), [[0], [0, 1], [0, 1], [1, 3]], [0, 4]).cell()
    rows = [(*row[:5], 0, row[5]) for row in cell.matrix]
    padded = Cell((*rows[:5], (0,) * 7, rows[5]), (*cell.operations, CONV1))
    assert padded.vertices == 7 and padded.hash == cell.hash


@pytest.mark.parametrize(
    ("parents", "output", "message"),
    [
        ([[0], [0, 1]], [0], "must be 3"),
        ([[0], [1, 0], [0]], [0], "parents of vertex 2"),
        ([[0], [1, 1], [0]], [0], "parents of vertex 2"),
        ([[0], [0], [3]], [0], "different vertices from 0 to 2"),
        ([[0], [], [0]], [0], "parents of vertex 2"),
        ([[0], [0], [0]], [-1, 0], "parents of vertex 4"),
    ],
)
def test_impossible_choices_are_refused(parents, output, message):
    with pytest.raises(InvalidValue, match=message):
        Choice((CONV3,) * 3, parents, output)


def test_unknown_operations_are_refused():
    with pytest.raises(UnknownName, match="Did you mean 'conv3x3-bn-relu'"):
        Choice(("conv3x3",), [[0]], [1])


def test_decoding_follows_the_rule_worked_by_hand():
    """S3: argmax in the one-shot order of operations, top-k parents."""
    choice = decode(
        space("s3"),
        [[0.1, 0.3, 0.2], [0.5, 0.4, 0.1], [0, 0, 1], [-3, -2, -1], [2, 1, 1]],
        [[0.2, 0.8], [0.5, 0.1, 0.4], [0.1, 0.4, 0.2, 0.3], [9, -1, 0, 3, 8]],
        [0.3, 0.1, 0.0, 0.0, 0.2, 0.4],
    )
    assert choice == Choice((CONV3, POOL, CONV1, CONV1, POOL), [[0], [1], [0], [1, 3], [0, 4]], [0, 5])


def test_equal_weights_go_to_the_lower_index():
    assert decode(space("s1"), np.zeros((4, 3)), [np.zeros(3), np.zeros(4)], np.zeros(5)) == Choice(
        (POOL,) * 4, [[0], [0, 1], [0, 1], [0, 1]], [0, 1]
    )
    tied = decode(space("s2"), np.zeros((4, 3)), [[0, 1], [0, 1, 1], [1, 0, 1, 1]], [0, 1, 1, 0, 0])
    assert (tied.parents, tied.output) == (((0,), (1,), (1, 2), (0, 2)), (0, 1, 2))


@given(spaces_and_choices(), st.integers(0, 2**32 - 1))
def test_choice_to_weights_and_back(drawn, seed):
    named, choice = drawn
    operations, parents, output = weights_of(named, choice, np.random.default_rng(seed))
    assert decode(named, operations, parents, output) == choice
    soft = [np.exp(row) / np.exp(row).sum() for row in parents]
    assert decode(named, np.exp(operations), soft, np.exp(output)) == choice


@each_space
def test_whatever_the_weights_the_cell_is_in_the_space(named):
    rng = np.random.default_rng(3)
    for _ in range(200):
        # Few different values, so that ties are common.
        parents = [rng.integers(-1, 2, block) for block in named.choosing]
        choice = decode(named, rng.integers(-1, 2, (named.blocks, 3)), parents, rng.integers(-1, 2, named.blocks + 1))
        assert choice.belongs_to(named)
        assert choice.cell().vertices == named.blocks + 2 and choice.cell().edges == 9
        assert choices_of(choice.cell(), named) is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"operation_weights": np.zeros((3, 3))}, r"shape of operation weights = \(3, 3\): must be \(4, 3\)"),
        ({"parent_weights": [np.zeros(3)]}, r"must be 2, one for each of blocks \(3, 4\)"),
        ({"parent_weights": [np.zeros(3), np.zeros(3)]}, "shape of parent weights of block 4"),
        ({"output_weights": np.zeros(4)}, "shape of output weights"),
        ({"output_weights": [0, 0, np.nan, 0, 0]}, "must be finite"),
    ],
)
def test_bad_weights_are_refused(change, message):
    good = {
        "operation_weights": np.zeros((4, 3)),
        "parent_weights": [np.zeros(3), np.zeros(4)],
        "output_weights": np.zeros(5),
    }
    with pytest.raises(InvalidValue, match=message):
        decode(space("s1"), **(good | change))


@given(spaces_and_choices(), st.randoms(use_true_random=False))
def test_a_cell_leads_back_to_a_choice_of_the_same_architecture(drawn, random):
    named, choice = drawn
    cell = choice.cell()
    found = choices_of(cell, named)
    assert found is not None and found.belongs_to(named) and found.cell().hash == cell.hash
    renumbered = _renumbered(cell.pruned(), random)
    assert choices_of(renumbered, named).cell().hash == cell.hash


def _renumbered(cell, random):
    """The same cell with its inner vertices in another order that edges respect."""
    n = cell.vertices
    order, rest = [0], list(range(1, n - 1))
    while rest:
        ready = [v for v in rest if all(not cell.matrix[u][v] for u in rest)]
        order.append(random.choice(ready))
        rest.remove(order[-1])
    order.append(n - 1)
    matrix = tuple(tuple(cell.matrix[x][y] for y in order) for x in order)
    return Cell(matrix, tuple(cell.operations[v - 1] for v in order[1:-1]))


def test_cells_outside_a_space_have_no_choice():
    alone = Cell(((0, 1), (0, 0)), ())
    chain = Cell(((0, 1, 0), (0, 0, 1), (0, 0, 0)), (POOL,))
    for named in SPACES.values():
        assert choices_of(alone, named) is None and choices_of(chain, named) is None
    beside = Cell(((0, 1, 1), (0, 0, 1), (0, 0, 0)), (POOL,))
    found = choices_of(beside, space("s1"))
    assert found.cell().hash == beside.hash and found.operations[0] == POOL
    assert choices_of(beside, space("s2")) is None


def test_choices_are_sampled_uniformly():
    rng = np.random.default_rng(5)
    drawn = [sample_choice(rng, space("s2")) for _ in range(4000)]
    wirings = Counter((choice.parents, choice.output) for choice in drawn)
    assert len(wirings) == 360 and chisquare(list(wirings.values())).pvalue > 1e-3
    operations = Counter(choice.operations for choice in drawn)
    assert len(operations) == 81 and chisquare(list(operations.values())).pvalue > 1e-3
    crossed = Counter((choice.operations[3], choice.output) for choice in drawn)
    assert len(crossed) == 30 and chisquare(list(crossed.values())).pvalue > 1e-3
    assert sample_choice(np.random.default_rng(1), space("s3")) == sample_choice(np.random.default_rng(1), space("s3"))


@each_space
def test_enumeration_lists_different_choices_of_the_space(named):
    listed = list(islice(enumerate_choices(named), 3**named.blocks * 7))
    assert len(set(listed)) == len(listed)
    assert all(choice.belongs_to(named) for choice in listed)
    assert len({(choice.parents, choice.output) for choice in listed}) == 7


def test_names_of_operations_agree():
    assert sorted(ONE_SHOT_OPERATIONS) == sorted(nasbench101.OPERATIONS)
    assert ONE_SHOT_OPERATIONS == ("maxpool3x3", "conv3x3-bn-relu", "conv1x1-bn-relu")
