"""Neighbours of values and of configurations, where some hyperparameters are conditional and some values forbidden."""

from collections import Counter

import numpy as np
import pytest
from ConfigSpace import (
    AndConjunction,
    Configuration,
    ConfigurationSpace,
    EqualsCondition,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
    GreaterThanCondition,
    InCondition,
    NotEqualsCondition,
    OrConjunction,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from spaces.encodings import Hyperparameters
from spaces.hyperparameters import compose, config_space, from_plain, neighbour

FORMS = (
    {"range": [1e-4, 1.0], "log": True},
    {"range": [-1.0, 1.0]},
    {"range": [2, 5]},
    {"range": [1, 300], "log": True},
    {"choices": ["a", "b", "c"]},
    {"choices": [0, 1]},
    {"ordered": [1, 2, 4, 8]},
    {"constant": 7},
)


def condition(draw, child, parent):
    """A condition of a random kind on a random value of the parent."""
    value = parent.default_value
    kinds = [EqualsCondition, NotEqualsCondition, lambda c, p, v: InCondition(c, p, [v])]
    if parent.ORDERABLE:
        kinds.append(GreaterThanCondition)
    return draw(st.sampled_from(kinds))(child, parent, value)


@st.composite
def spaces(draw):
    """Up to eight hyperparameters, of which some depend on one or two before them, and some values are forbidden."""
    forms = draw(st.lists(st.sampled_from(FORMS), min_size=1, max_size=8))
    space = from_plain({f"h{i}": form for i, form in enumerate(forms)})
    names = [f"h{i}" for i in range(len(forms))]
    both = draw(st.sampled_from([AndConjunction, OrConjunction]))  # ConfigSpace takes one of each kind for the same
    for i, name in enumerate(names):
        parents = draw(st.lists(st.sampled_from(names[:i]), max_size=2, unique=True)) if i else []
        conditions = [condition(draw, space[name], space[parent]) for parent in parents]
        if len(conditions) == 2:
            conditions = [both(*conditions)]
        try:
            space.add(conditions)
        except ValueError:  # ConfigSpace's own default configuration does not know of some combinations
            assume(False)
    pairs = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=2))
    for left, right in pairs:
        if left != right and space[left].size > 1 and space[right].size > 1:
            values = [hp.sample_value(seed=np.random.RandomState(draw(st.integers(0, 9)))) for hp in
                      (space[left], space[right])]  # fmt: skip
            values = [value.item() if isinstance(value, np.generic) else value for value in values]
            clauses = [
                ForbiddenEqualsClause(space[name], value) for name, value in zip((left, right), values, strict=True)
            ]
            try:
                space.add(ForbiddenAndConjunction(*clauses))
            except ValueError:  # it would forbid the default
                assume(False)
    return space


@given(spaces(), st.integers(0, 2**31))
def test_a_neighbour_is_legal_and_differs_in_one_value_and_what_depends_on_it(space, seed):
    rng = np.random.default_rng(seed)
    encoding = Hyperparameters(space)
    config = encoding.draw(rng)
    assume(is_legal(space, config))
    for _ in range(5):
        child = encoding.mutate(config, rng)
        assert dict(Configuration(space, values=dict(child))) == child  # legal: active ones only, no clause broken
        assert all(type(value) in (int, float, str, bool) for value in child.values())
        free = [name for name in config if space[name].size > 1]
        assert (child != config) == bool(free)
        changed = [name for name in config if name in child and child[name] != config[name]]
        assert len(changed) == (1 if free else 0)
        gone_or_new = set(config) ^ set(child)
        assert gone_or_new <= descendants(space, changed)
        config = child


def is_legal(space, config):
    """ConfigSpace may draw what it does not accept where a child has several parents, one of them conditional."""
    try:
        return dict(Configuration(space, values=config)) == config
    except ValueError:
        return False


def descendants(space, names):
    found, todo = set(), list(names)
    while todo:
        for child in space.children_of[todo.pop()]:
            if child.name not in found:
                found.add(child.name)
                todo.append(child.name)
    return found


@given(spaces(), st.integers(0, 2**31))
def test_composing_agrees_with_configspace_on_what_is_active(space, seed):
    space.seed(seed)
    config = dict(space.sample_configuration())
    assume(is_legal(space, config))
    known = {name: config.get(name, space[name].default_value) for name in space}
    asked = []

    def choose(one):
        asked.append(one.name)
        return known[one.name]

    assert compose(space, choose) == config
    assert set(asked) == set(config)


def many(form, value, count=600):
    space = from_plain({"h": form})
    rng = np.random.default_rng(0)
    return [neighbour(space["h"], value, rng) for _ in range(count)]


def test_any_other_category_alike():
    found = Counter(many({"choices": ["a", "b", "c", "d"]}, "b"))
    assert set(found) == {"a", "c", "d"}
    assert all(150 < n < 250 for n in found.values())


def test_the_next_lower_or_higher_ordinal():
    form = {"ordered": [1, 2, 4, 8]}
    assert set(many(form, 1)) == {2}
    assert set(many(form, 8)) == {4}
    found = Counter(many(form, 4))
    assert set(found) == {2, 8}
    assert all(250 < n < 350 for n in found.values())


def test_an_integer_moves_and_stays_in_its_range():
    assert set(many({"range": [3, 4]}, 3)) == {4}
    found = many({"range": [1, 9]}, 1)
    assert 1 not in found and set(found) <= set(range(2, 10))
    assert found.count(2) > found.count(3) > found.count(5)
    assert {type(value) for value in found} == {int}


@pytest.mark.parametrize(
    ("form", "at", "scale"),
    [
        ({"range": [-10.0, 10.0]}, 0.0, lambda x: x / 20),
        ({"range": [1e-4, 1.0], "log": True}, 1e-2, lambda x: np.log(x / 1e-2) / np.log(1e4)),
    ],
)
def test_a_float_moves_by_a_fifth_of_its_range_or_its_logarithm(form, at, scale):
    found = scale(np.array(many(form, at, 4000)))
    assert abs(found.mean()) < 0.02
    assert 0.17 < found.std() < 0.2  # 0.2, less what truncation at 2.5 standard deviations takes
    assert abs(found).max() <= 0.5


def test_a_float_at_its_bound_stays_inside():
    found = many({"range": [0.0, 1.0]}, 1.0)
    assert min(found) >= 0 and max(found) < 1


def test_every_active_hyperparameter_is_as_likely_to_change():
    encoding = Hyperparameters(config_space("cs3"))
    rng = np.random.default_rng(0)
    config = encoding.draw(rng)
    changed = Counter(
        next(name for name in config if config[name] != child[name])
        for child in (encoding.mutate(config, rng) for _ in range(2700))
    )
    assert len(changed) == 9 and all(220 < n < 380 for n in changed.values())


def test_a_switch_brings_its_children_and_takes_them():
    space = from_plain({"kind": {"choices": ["sgd", "adam"]}, "momentum": {"range": [0.0, 1.0]}})
    space.add(EqualsCondition(space["momentum"], space["kind"], "sgd"))
    encoding, rng = Hyperparameters(space), np.random.default_rng(0)
    drawn = [encoding.mutate({"kind": "adam"}, rng) for _ in range(200)]
    assert all(config["kind"] == "sgd" for config in drawn)
    assert 0.4 < np.mean([config["momentum"] for config in drawn]) < 0.6  # drawn at random, not the default
    assert len({config["momentum"] for config in drawn}) == 200
    lost = [encoding.mutate({"kind": "sgd", "momentum": 0.5}, rng) for _ in range(200)]
    assert 60 < lost.count({"kind": "adam"}) < 140


def test_where_no_single_change_is_allowed_it_is_drawn_anew():
    space = from_plain({"a": {"choices": [0, 1]}, "b": {"choices": [0, 1]}})
    for a, b in ((0, 1), (1, 0)):
        space.add(ForbiddenAndConjunction(ForbiddenEqualsClause(space["a"], a), ForbiddenEqualsClause(space["b"], b)))
    assert Hyperparameters(space).mutate({"a": 0, "b": 0}, np.random.default_rng(0)) == {"a": 1, "b": 1}


def test_the_only_configuration_is_its_own_neighbour():
    one = ConfigurationSpace({"a": [0, 1], "b": 3})
    one.add(ForbiddenInClause(one["a"], [1]))
    for space in (one, from_plain({"b": {"constant": 3}})):
        config = dict(space.get_default_configuration())
        assert Hyperparameters(space).mutate(config, np.random.default_rng(0)) == config
