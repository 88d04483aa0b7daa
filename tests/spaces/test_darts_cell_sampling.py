"""Genotypes are drawn uniformly, reproducibly, and counted exactly."""

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from spaces.darts_cell import (
    OPERATION_SETS,
    OPERATIONS,
    count_genotypes,
    resolve_operations,
    sample_genotype,
)
from spaces.errors import InvalidValue, UnknownName


def assert_uniform(counts, categories):
    assert len(counts) == categories
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_operation_sets_are_those_of_the_papers():
    assert OPERATIONS == (
        "none",
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    )
    assert {name: len(operations) for name, operations in OPERATION_SETS.items()} == {
        "paper": 7,
        "released": 8,
        "darts": 7,
    }
    assert set(OPERATIONS) - set(OPERATION_SETS["paper"]) == {"skip_connect"}
    assert set(OPERATIONS) - set(OPERATION_SETS["darts"]) == {"none"}


def test_every_wiring_of_a_cell_is_equally_likely():
    rng = np.random.default_rng(0)
    drawn = [sample_genotype(rng, ["sep_conv_3x3"]) for _ in range(5000)]
    assert_uniform(Counter(genotype.normal for genotype in drawn), 180)
    assert_uniform(Counter(genotype.reduction for genotype in drawn), 180)


def test_operations_are_equally_likely_on_every_edge_and_independent():
    rng = np.random.default_rng(1)
    drawn = [sample_genotype(rng, "paper") for _ in range(4000)]
    for node in range(4):
        pairs = Counter(tuple(edge.operation for edge in genotype.normal.nodes[node]) for genotype in drawn)
        assert_uniform(pairs, 49)
    across = Counter((g.normal.nodes[3][0].operation, g.reduction.nodes[3][0].operation) for g in drawn)
    assert_uniform(across, 49)


def test_operations_are_independent_of_sources():
    rng = np.random.default_rng(2)
    drawn = [sample_genotype(rng, ("none", "skip_connect")).normal.nodes[3] for _ in range(4000)]
    assert_uniform(Counter(drawn), 10 * 4)


def test_sources_ascend_and_the_seed_decides():
    rng = np.random.default_rng(3)
    for _ in range(50):
        genotype = sample_genotype(rng, "released")
        assert all(a.source < b.source for cell in (genotype.normal, genotype.reduction) for a, b in cell.nodes)
    assert sample_genotype(np.random.default_rng(5)) == sample_genotype(np.random.default_rng(5))
    # Studies are repeated from their seed: if this text changes, old seeds give other architectures.
    assert str(sample_genotype(np.random.default_rng(0))).startswith(
        "normal:dil_conv_3x3@0+sep_conv_5x5@1,max_pool_3x3@0+avg_pool_3x3@2"
    )


def test_count_is_exact():
    nodes = [
        len(set(itertools.product(itertools.combinations(range(state), 2), range(3), range(3))))
        for state in range(2, 6)
    ]
    operations = ("none", "skip_connect", "sep_conv_3x3")
    assert count_genotypes(operations) == (nodes[0] * nodes[1] * nodes[2] * nodes[3]) ** 2
    assert count_genotypes("paper") == count_genotypes("darts") == (180 * 7**8) ** 2 == 1076746950455072400
    assert count_genotypes("released") == (180 * 8**8) ** 2


def test_bad_operations_are_refused():
    with pytest.raises(UnknownName, match="operation set 'papers'\nDid you mean 'paper'"):
        sample_genotype(np.random.default_rng(0), "papers")
    with pytest.raises(UnknownName, match="operation 'conv'"):
        resolve_operations(["conv"])
    for operations in ([], ["none", "none"]):
        with pytest.raises(InvalidValue, match="one or more different operations"):
            count_genotypes(operations)
