"""Ladders: the papers' examples, edges, and values that make none."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asha_nas.schedulers import LADDERS, ladder, survivors
from spaces.errors import InvalidValue, UnknownName


@pytest.mark.parametrize(
    ("r", "R", "eta", "geometric", "released"),
    [
        (1, 300, 4, (1, 4, 16, 64, 256, 300), (1, 4, 18, 75, 300)),
        (1, 256, 4, (1, 4, 16, 64, 256), (1, 4, 16, 64, 256)),
        (1, 243, 3, (1, 3, 9, 27, 81, 243), (1, 3, 9, 27, 81, 243)),  # int(log(243) / log(3)) is 4
        (1, 1000, 10, (1, 10, 100, 1000), (1, 10, 100, 1000)),
        (1, 81, 3, (1, 3, 9, 27, 81), (1, 3, 9, 27, 81)),
        (1, 1, 4, (1,), (1,)),
        (300, 300, 4, (300,), (300,)),  # r = R: one rung
        (100, 300, 4, (100, 300), (300,)),  # η > R / r
        (75, 300, 4, (75, 300), (75, 300)),
        (76, 300, 4, (76, 300), (300,)),
        (2, 100, 3, (2, 6, 18, 54, 100), (3, 11, 33, 100)),
        (1, 5, 2, (1, 2, 4, 5), (1, 2, 5)),
    ],
)
def test_examples(r, R, eta, geometric, released):
    assert ladder(r, R, eta) == ladder(r, R, eta, "geometric") == geometric
    assert ladder(r, R, eta, "released") == released


@given(r=st.integers(1, 500), more=st.integers(0, 2000), eta=st.integers(2, 12), kind=st.sampled_from(LADDERS))
def test_every_ladder_ascends(r, more, eta, kind):
    rungs = ladder(r, r + more, eta, kind)
    assert all(low < high for low, high in pairwise(rungs))
    assert rungs[0] >= r
    assert rungs[-1] == r + more
    if kind == "geometric":
        assert all(rung == r * eta**k for k, rung in enumerate(rungs[:-1]))
    else:
        assert all(low == high // eta for low, high in pairwise(rungs))
        assert rungs[0] // eta < r


@pytest.mark.parametrize(
    ("r", "R", "eta", "message"),
    [
        (0, 300, 4, "r = 0: the lowest rung must train at least 1 epoch\nSet r = 1 or more."),
        (-1, 300, 4, "r = -1: the lowest rung must train at least 1 epoch\nSet r = 1 or more."),
        (301, 300, 4, "r = 301: must not exceed R = 300\nLower r or raise R."),
        (1, 0, 4, "r = 1: must not exceed R = 0\nLower r or raise R."),
        (1, 300, 1, "eta = 1: the reduction factor must be an integer >= 2\nThe papers use 3 or 4."),
        (1, 300, 0, "eta = 0: the reduction factor must be an integer >= 2\nThe papers use 3 or 4."),
    ],
)
@pytest.mark.parametrize("kind", LADDERS)
def test_values_that_make_no_ladder(r, R, eta, message, kind):
    with pytest.raises(InvalidValue) as caught:
        ladder(r, R, eta, kind)
    assert str(caught.value) == message


def test_an_unknown_ladder():
    with pytest.raises(UnknownName) as caught:
        ladder(1, 300, 4, "geometrical")
    assert str(caught.value) == ("unknown ladder 'geometrical'\nDid you mean 'geometric'? Known: geometric, released")


def test_survivors():
    assert survivors(700, 6, 4) == (700, 175, 43, 10, 2, 0)
    assert survivors(3, 1, 4) == (3,)
    assert survivors(3, 3, 4) == (3, 0, 0)
