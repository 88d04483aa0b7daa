"""Every one-shot optimizer keeps the protocol's guarantees, in every space that it searches."""

from functools import partial

import pytest

from tests.contracts import one_shot_optimizer as contract
from trials.search_recipe import OPTIMIZERS

SEARCHES = [(optimizer, space) for optimizer in OPTIMIZERS for space in ("s1", "s3")]
SEARCHES += [("random-ws", "s2"), ("enas", "s2"), ("random-ws", "darts-cnn")]


@pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(("optimizer", "space"), SEARCHES)
def test_contract(optimizer, space, law):
    law(partial(contract.search, optimizer, space))


def test_gdas_with_soft_edges_too():
    for law in contract.LAWS:
        law(partial(contract.search, "gdas", "s2", edges="soft"))
