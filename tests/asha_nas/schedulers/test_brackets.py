"""Brackets are those of the papers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from asha_nas.schedulers import Bracket, halving, hyperband


def test_they_are_those_of_table_1_of_hyperband():
    assert hyperband(5, 3) == (
        Bracket(0, (81, 27, 9, 3, 1)),
        Bracket(1, (27, 9, 3, 1)),
        Bracket(2, (9, 3, 1)),
        Bracket(3, (6, 2)),
        Bracket(4, (5,)),
    )


@given(rungs=st.integers(1, 9), eta=st.integers(2, 5))
def test_hyperband_is_exact_at_every_size(rungs, eta):
    brackets = hyperband(rungs, eta)
    assert len(brackets) == rungs
    for s, bracket in zip(reversed(range(rungs)), brackets, strict=True):
        assert bracket.rung == rungs - 1 - s
        assert len(bracket.sizes) == s + 1  # every bracket reaches the highest rung
        assert bracket.sizes[-1] == rungs // (s + 1)
        assert all(low == eta * high for low, high in pairwise(bracket.sizes))


@given(configs=st.integers(1, 500), rungs=st.integers(1, 6), eta=st.integers(2, 5))
def test_halving_ends_where_nobody_is_left(configs, rungs, eta):
    sizes = halving(configs, rungs, eta).sizes
    assert sizes[0] == configs
    assert min(sizes) >= 1
    assert all(high == low // eta for low, high in pairwise(sizes))
    assert len(sizes) == rungs or sizes[-1] < eta
