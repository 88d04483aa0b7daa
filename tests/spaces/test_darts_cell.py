"""Cells and genotypes as values, and which of them are the same architecture."""

import itertools
import json
import pickle
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.darts_cell import OPERATIONS, PUBLISHED, Cell, Edge, Genotype, sample_genotype
from spaces.errors import InvalidValue, UnknownName

SKIPS = Cell.of(*[("skip_connect", source) for source in (0, 1)] * 4)


@st.composite
def cells(draw, operations=OPERATIONS):
    edges = []
    for state in range(2, 6):
        sources = draw(st.permutations(range(state)))[:2]
        edges += [(draw(st.sampled_from(operations)), source) for source in sources]
    return Cell.of(*edges)


def relabelled(cell, order, swaps, none_sources):
    """Renumber nodes by ``order`` where edges allow it; swap edges; move the sources of `none`."""
    new = {0: 0, 1: 1} | {2 + old: 2 + rank for rank, old in enumerate(order)}
    edges = []
    for rank, old in enumerate(order):
        node = [(e.operation, None if e.operation == "none" else new[e.source]) for e in cell.nodes[old]]
        if any(source is not None and source >= 2 + rank for _, source in node):
            return None
        free = [s for s in none_sources if s < 2 + rank and s not in {source for _, source in node}]
        node = [(operation, free.pop() if source is None else source) for operation, source in node]
        edges += node[::-1] if swaps[rank] else node
    return Cell.of(*edges)


def equivalent(a, b):
    """Search for a renaming of nodes that maps one cell to the other: the definition, without forms."""

    def node(cell, i, renaming):
        return Counter(
            ("none", None) if e.operation == "none" else (e.operation, renaming.get(e.source, e.source))
            for e in cell.nodes[i]
        )

    for images in itertools.permutations(range(4)):
        renaming = {2 + i: 2 + image for i, image in enumerate(images)}
        if all(node(a, i, renaming) == node(b, images[i], {}) for i in range(4)):
            return True
    return False


def test_values_are_hashable_comparable_and_picklable():
    genotype = PUBLISHED["DARTS_V2"]
    assert {genotype: 1}[pickle.loads(pickle.dumps(genotype))] == 1
    assert Cell([[Edge("none", 0), Edge("none", 1)] for _ in range(4)]) == Cell.of(*[("none", 0), ("none", 1)] * 4)
    with pytest.raises(AttributeError):
        genotype.normal = SKIPS


def test_an_edge_knows_its_operations_and_sources():
    with pytest.raises(UnknownName, match=r"unknown operation 'sep_conv_3'\nDid you mean 'sep_conv_3x3'"):
        Edge("sep_conv_3", 0)
    for source in (-1, 5, 1.0, True, "1", np.int64(1)):
        with pytest.raises(InvalidValue, match="must be an integer from 0 to 4"):
            Edge("none", source)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: 1}, "sources of node 2 = (1, 1): must be two different states"),
        ({0: 2}, "source of node 2 = 2: must be an earlier state, below 2"),
        ({5: 4}, "source of node 4 = 4: must be an earlier state, below 4"),
    ],
)
def test_a_cell_reads_two_different_earlier_states(change, message):
    sources = [0, 1, 0, 1, 0, 1, 0, 1]
    for place, source in change.items():
        sources[place] = source
    with pytest.raises(InvalidValue, match=re.escape(message)):
        Cell.of(*[("none", source) for source in sources])


def test_a_cell_has_four_nodes_of_two_edges():
    node = (Edge("none", 0), Edge("none", 1))
    with pytest.raises(InvalidValue, match="nodes in a cell = 3"):
        Cell((node,) * 3)
    with pytest.raises(InvalidValue, match="edges of node 5 = 1"):
        Cell((node, node, node, node[:1]))
    with pytest.raises(InvalidValue, match="edges in a cell = 7"):
        Cell.of(*[("none", 0)] * 7)


@given(cells(), st.permutations(range(4)), st.tuples(*[st.booleans()] * 4), st.permutations(range(5)))
def test_identity_ignores_numbering_edge_order_and_sources_of_none(cell, order, swaps, none_sources):
    other = relabelled(cell, order, swaps, none_sources) or relabelled(cell, range(4), swaps, none_sources)
    assert equivalent(cell, other)
    assert other.canonical() == cell.canonical()
    assert Genotype(other, SKIPS).identity == Genotype(cell, SKIPS).identity


@given(cells(), cells(operations=("none", "skip_connect")))
def test_the_canonical_form_is_an_equivalent_cell_and_its_own_form(first, second):
    for cell in (first, second):
        form = cell.canonical()
        assert equivalent(cell, form)
        assert form.canonical() == form


@settings(max_examples=200)
@given(cells(), st.integers(0, 7), st.sampled_from(OPERATIONS), st.integers(0, 4))
def test_one_changed_edge_changes_identity_exactly_when_the_cells_differ(cell, place, operation, source):
    edges = [(edge.operation, edge.source) for node in cell.nodes for edge in node]
    edges[place] = (operation, source)
    try:
        other = Cell.of(*edges)
    except InvalidValue:
        return
    assert (other.canonical() == cell.canonical()) == equivalent(cell, other)


def test_identity_agrees_with_the_definition_on_all_pairs_of_a_dense_sample():
    rng = np.random.default_rng(7)
    sample = [sample_genotype(rng, ("none", "skip_connect")).normal for _ in range(80)]
    forms = {cell: cell.canonical() for cell in sample}
    same = 0
    for a, b in itertools.combinations(sample, 2):
        expected = equivalent(a, b)
        assert (forms[a] == forms[b]) == expected
        same += expected
    assert same >= 5  # the sample is dense enough to say something


def test_identity_tells_normal_from_reduction_and_is_stable():
    genotype = PUBLISHED["DARTS_V2"]
    assert genotype.identity != Genotype(genotype.reduction, genotype.normal).identity
    # Stores hold identities: if these digits change, stored results no longer match.
    assert genotype.identity == "f1ad8cf013ba000a"
    assert len({published.identity for published in PUBLISHED.values()}) == len(PUBLISHED)


def test_plain_values_survive_json():
    genotype = PUBLISHED["PDARTS"]
    plain = json.loads(json.dumps(genotype.to_dict()))
    assert plain["normal"][0] == [["skip_connect", 0], ["dil_conv_3x3", 1]]
    assert plain == genotype.to_dict()


def test_graphs_show_every_edge():
    normal, reduction = PUBLISHED["DARTS_V2"].graphs()
    assert (normal.title, reduction.title) == ("Normal cell", "Reduction cell")
    assert len(normal.vertices) == 7
    labelled = [(a.source, a.target, a.label) for a in normal.arrows if a.label]
    assert labelled[0] == (0, 2, "sep_conv_3x3")
    assert labelled[-1] == (2, 5, "dil_conv_3x3")
    assert [(a.source, a.target) for a in normal.arrows if not a.label] == [(s, 6) for s in range(2, 6)]
