"""Cells, genotypes and listed settings as samplers see them."""

import itertools
from collections import Counter

import numpy as np
import pytest
from ConfigSpace import CategoricalHyperparameter
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from spaces import nasbench101, nasbench201
from spaces.cell_spaces import CELL_SPACES
from spaces.darts_cell import OPERATION_SETS, PUBLISHED, parse_genotype, sample_genotype
from spaces.encodings import (
    DartsCnn,
    Hyperparameters,
    Listed,
    NasBench1Shot1,
    NasBench101,
    NasBench201,
    Scale,
    encoding_of,
)
from spaces.errors import InvalidValue, UnknownName
from spaces.hyperparameters import from_plain
from spaces.nasbench1shot1 import count_raw, enumerate_choices, sample_choice, space, unique_cells
from spaces.nasbench101 import OPERATIONS, Cell, enumerate_cells
from tests.contracts import encoding as contract

SEEDS = st.integers(0, 2**32 - 1)


def hash_of(config):
    return nasbench101.parse_cell(config["cell"]).hash


SCALES = {"rate": Scale(1e-3, 10.0), "beta": Scale(1e-4, 1.0, complement=True)}


def listed(count=60, seed=0):
    rng = np.random.default_rng(seed)
    return Listed(SCALES, np.stack([10 ** rng.uniform(-3, 1, count), 1 - 10 ** rng.uniform(-4, 0, count)], axis=1))


SPACE = from_plain({"rate": {"range": [1e-3, 1.0], "log": True}, "kind": {"choices": ["a", "b"]}})
ENCODINGS = {
    **{name: (encoding_of(name), hash_of) for name in CELL_SPACES},
    "nasbench201": (NasBench201(), lambda config: config["cell"]),
    **{name: (DartsCnn(name), lambda config: parse_genotype(config["genotype"]).identity) for name in OPERATION_SETS},
    "listed": (listed(), lambda config: tuple(config.values())),
    "hyperparameters": (Hyperparameters(SPACE), lambda config: tuple(config.items())),
}


@pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", ENCODINGS)
@given(seed=SEEDS)
@settings(max_examples=40)
def test_contract(name, law, seed):
    law(*ENCODINGS[name], seed)


@pytest.mark.parametrize("name", [*CELL_SPACES, *OPERATION_SETS])
def test_all_hyperparameters_of_cells_are_categories_with_a_choice(name):
    encoding, _ = ENCODINGS[name]
    assert all(isinstance(one, CategoricalHyperparameter) for one in encoding.space.values())
    assert all(len(one.choices) > 1 for one in encoding.space.values())
    assert encoding.default is None


# --- NAS-Bench-101 -------------------------------------------------------------------------------------


def test_the_usual_encoding():
    edges = {f"edge_{x}_{y}" for x, y in itertools.combinations(range(7), 2)}
    assert set(NasBench101().space) == edges | {"op_1", "op_2", "op_3", "op_4", "op_5"}
    assert tuple(NasBench101().space["edge_2_5"].choices) == (0, 1)
    assert tuple(NasBench101().space["op_1"].choices) == OPERATIONS


def test_what_is_no_valid_cell():
    encoding = NasBench101()
    values = encoding.encode({"cell": CHAIN})
    assert encoding.decode(values) == {"cell": str(nasbench101.parse_cell(CHAIN))}
    assert encoding.decode(values | {"edge_0_1": 0}) is None
    edges = [name for name in values if name.startswith("edge")]
    assert encoding.decode(values | dict.fromkeys(edges, 1)) is None
    into_output = [name for name in edges if name.endswith("_6")]
    only_one = dict.fromkeys(edges, 1) | dict.fromkeys(into_output, 0) | {"edge_0_6": 1}  # pruning leaves this one
    assert encoding.decode(values | only_one) is not None


CHAIN = str(
    Cell(tuple(tuple(int(y == x + 1) for y in range(7)) for x in range(7)), OPERATIONS[:1] * 4 + OPERATIONS[2:])
)


@pytest.mark.parametrize("n", [4, 5])
def test_a_sub_space_is_all_cells_of_at_most_n_vertices(n):
    encoding, cells = NasBench101(n), enumerate_cells(n)
    for row in range(0, len(cells), 7):
        values = encoding.encode({"cell": str(cells[row])})
        again = nasbench101.parse_cell(encoding.decode(values)["cell"])
        assert (again.vertices, again.hash) == (n, cells[row].hash)
    there = {cells[row].hash for row in range(len(cells))}
    rng = np.random.default_rng(0)
    config = encoding.draw(rng)
    for _ in range(300):
        assert hash_of(config) in there
        config = encoding.mutate(config, rng)
    if n == 4:
        assert {hash_of(encoding.draw(rng)) for _ in range(5000)} == there


def test_a_cell_is_pruned_before_it_is_too_large():
    small = NasBench101(4)
    loose = NasBench101(6).decode(NasBench101(6).encode({"cell": str(enumerate_cells(4)[20])}))
    assert hash_of(small.decode(small.encode(loose))) == hash_of(loose)
    with pytest.raises(InvalidValue, match="has 7 vertices, and the space's cells have at most 4"):
        small.encode({"cell": CHAIN})


@pytest.mark.parametrize("vertices", [3, 8, 7.5, "7"])
def test_vertices_out_of_range(vertices):
    with pytest.raises(InvalidValue, match="must be from 4 to 7"):
        NasBench101(vertices)


# --- NAS-Bench-1Shot1 ----------------------------------------------------------------------------------


def test_categories_of_s1():
    made = NasBench1Shot1("s1").space
    assert set(made) == {"parents_3", "parents_4", "parents_output", "op_1", "op_2", "op_3", "op_4"}
    assert tuple(made["parents_3"].choices) == ("0,1", "0,2", "1,2")
    assert tuple(made["op_4"].choices) == OPERATIONS


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
def test_the_encodings_are_the_choices(name):
    encoding = NasBench1Shot1(name)
    assert np.prod([len(one.choices) for one in encoding.space.values()]) == count_raw(space(name))
    some = itertools.islice(enumerate_choices(space(name)), 5, None, 4001)
    texts = {str(choice.cell()) for choice in some}
    assert {encoding.decode(encoding.encode({"cell": text}))["cell"] for text in texts} == texts


def test_a_cell_written_otherwise_is_encoded_as_the_same_architecture():
    encoding = NasBench1Shot1("s1")
    pruned = unique_cells(space("s1"))
    for row in range(0, len(pruned), 150):
        assert hash_of(encoding.decode(encoding.encode({"cell": str(pruned[row])}))) == pruned[row].hash


def test_a_cell_outside_the_space():
    with pytest.raises(InvalidValue, match="lies outside space s1"):
        NasBench1Shot1("s1").encode({"cell": CHAIN})
    with pytest.raises(UnknownName):
        NasBench1Shot1("s4")


def test_draws_are_those_of_the_space():
    ours, theirs = (
        NasBench1Shot1("s2").draw(np.random.default_rng(3)),
        sample_choice(np.random.default_rng(3), space("s2")),
    )
    assert ours == {"cell": str(theirs.cell())}
    assert DartsCnn("darts").draw(np.random.default_rng(3)) == {
        "genotype": str(sample_genotype(np.random.default_rng(3), "darts"))
    }


@given(seed=SEEDS)
def test_a_mutation_changes_one_category(seed):
    for encoding in (NasBench1Shot1("s3"), DartsCnn("released"), NasBench201()):
        rng = np.random.default_rng(seed)
        config = encoding.draw(rng)
        before, after = encoding.encode(config), encoding.encode(encoding.mutate(config, rng))
        assert sum(before[name] != after[name] for name in before) == 1


def test_mutations_are_uniform():
    encoding = NasBench1Shot1("s1")
    rng = np.random.default_rng(2)
    config = encoding.draw(rng)
    before = encoding.encode(config)
    counts = Counter()
    for _ in range(4000):
        after = encoding.encode(encoding.mutate(config, rng))
        counts.update((name, after[name]) for name in before if before[name] != after[name])
    others = {name: len(one.choices) - 1 for name, one in encoding.space.items()}
    assert len(counts) == sum(others.values())
    assert chisquare(list(counts.values()), [4000 / 7 / others[name] for name, _ in counts]).pvalue > 1e-3


# --- NAS-Bench-201 and DARTS ---------------------------------------------------------------------------


def test_categories_of_nasbench201():
    made = NasBench201().space
    assert set(made) == {"op_0_1", "op_0_2", "op_1_2", "op_0_3", "op_1_3", "op_2_3"}
    assert tuple(made["op_2_3"].choices) == nasbench201.OPERATIONS


def test_categories_of_the_darts_space():
    made = DartsCnn("paper").space
    assert len(made) == 22
    assert {"normal_2_op_1", "normal_2_op_2", "normal_3_states"} < set(made)
    assert "normal_2_states" not in made
    assert len(made["reduction_5_states"].choices) == 10
    assert len(made["normal_4_op_1"].choices) == 7


def test_a_published_genotype_and_its_operations():
    text = str(PUBLISHED["DARTS_V2"])
    encoding = DartsCnn("darts")
    again = encoding.decode(encoding.encode({"genotype": text}))
    assert parse_genotype(again["genotype"]).identity == parse_genotype(text).identity
    with pytest.raises(InvalidValue, match=r"skip_connect.*is not among the operations 'paper'"):
        DartsCnn("paper").encode({"genotype": text})
    with pytest.raises(UnknownName):
        DartsCnn("papers")


# --- lists ---------------------------------------------------------------------------------------------


def test_decoding_gives_the_nearest_setting():
    made = Listed(SCALES, np.array([[0.01, 0.9], [1.0, 0.9], [1.0, 0.999]]))
    assert set(made.space) == {"rate", "one_minus_beta"}
    assert made.decode({"rate": 0.05, "one_minus_beta": 0.1}) == {"rate": 0.01, "beta": 0.9}
    assert made.decode({"rate": 0.2, "one_minus_beta": 0.1}) == {"rate": 1.0, "beta": 0.9}
    assert made.decode({"rate": 0.2, "one_minus_beta": 0.005}) == {"rate": 1.0, "beta": 0.999}
    assert made.encode({"rate": 1.0, "beta": 0.999})["one_minus_beta"] == pytest.approx(0.001)


def test_a_mutation_is_near():
    made = listed(400)
    rng = np.random.default_rng(0)
    points = np.log([made.space["rate"].upper / made.space["rate"].lower, 1e4])

    def distance(one, other):
        logs = [np.log([config["rate"], 1 - config["beta"]]) / points for config in (one, other)]
        return np.square(logs[0] - logs[1]).sum()

    for _ in range(20):
        config = made.draw(rng)
        nearest = sorted(distance(config, made.config(row)) for row in range(400))
        assert distance(config, made.mutate(config, rng)) <= nearest[8] + 1e-12


def test_every_setting_is_its_own_nearest():
    made = listed(300, seed=4)
    for row in range(300):
        assert made.row(made.decode(made.encode(made.config(row)))) == row


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ([[0.1, 0.9]], "two or more settings of 2 values"),
        ([[0.1, 0.9], [0.1, 0.9]], "must all be different"),
        ([[0.1, 0.9], [11.0, 0.9]], "rate = 11.0: must be from 0.001 to 10"),
        ([[0.1, 0.9], [np.nan, 0.9]], "rate = nan"),
        ([[0.1, 0.9], [1.0, 0.99999999]], "one minus beta"),
    ],
)
def test_lists_that_are_none(values, rule):
    with pytest.raises(InvalidValue, match=rule):
        Listed(SCALES, np.array(values))


def test_a_setting_that_was_not_recorded():
    with pytest.raises(InvalidValue, match="none of the 60 settings"):
        listed().encode({"rate": 0.5, "beta": 0.9})


def test_unknown_spaces_are_named():
    with pytest.raises(UnknownName, match=r"Did you mean 'nasbench101-6'?"):
        encoding_of("nasbench101-66")
