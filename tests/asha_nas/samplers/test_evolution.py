"""Aging evolution: who joins, who leaves, and who becomes a parent."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asha_nas.samplers import Evolution, Independent
from asha_nas.schedulers import Outcome
from spaces.errors import InvalidValue
from tests.asha_nas.samplers.plays import CRASHED, DIVERGED, SWITCHES, Lineage, job, play, switches, tell


def grown(losses, **options):
    """An evolution of Lineage whose first trials had these losses."""
    sampler = Evolution(Lineage(), 0, population=len(losses), **options)
    ids = [tell(sampler, trial, loss)["id"] for trial, loss in enumerate(losses)]
    return sampler, ids


outcomes = st.one_of(st.integers(0, 3).map(lambda loss: Outcome(float(loss))), st.sampled_from([CRASHED, DIVERGED]))


@given(st.lists(st.tuples(st.integers(0, 9), outcomes), max_size=60), st.integers(1, 5))
def test_exactly_the_oldest_leaves_when_a_new_one_joins(ends, size):
    sampler, budgets, expected, joined = Evolution(Lineage(), 0, population=size), Counter(), [], set()
    for trial, outcome in ends:  # a trial that is told again was trained further
        budgets[trial] += 1
        sampler.learn(job(trial, {"id": trial}, budgets[trial]), outcome)
        if outcome.diverged:
            expected = [(other, loss) for other, loss in expected if other != trial]
        elif outcome.loss is not None and trial in joined:
            expected = [(other, outcome.loss if other == trial else loss) for other, loss in expected]
        elif outcome.loss is not None:
            joined.add(trial)
            expected = [*expected, (trial, outcome.loss)][-size:]
        assert [(member.trial, member.loss) for member in sampler.population] == expected


def test_age_is_the_order_of_results_not_of_proposals():
    sampler = Evolution(Lineage(), 0, population=2)
    configs = [sampler.propose(number).config for number in range(3)]
    for trial in (2, 0, 1):
        tell(sampler, trial, 0, config=configs[trial])
    assert [member.trial for member in sampler.population] == [0, 1]


def test_the_first_are_those_of_random_search():
    sampler, random = Evolution(SWITCHES, 7, population=5), Independent(SWITCHES.draw, 7)
    for number in range(5):
        assert sampler.propose(number) == random.propose(number)
        tell(sampler, number, 1.0)
    assert sampler.propose(5).origin == "mutation"


@pytest.mark.parametrize("sample", [1, 2, 5])
def test_a_parent_is_the_best_of_a_sample_with_replacement(sample):
    sampler, ids = grown([3, 1, 0, 2], sample=sample)
    count = 4000
    parents = Counter(sampler.propose(4 + number).config["parent"] for number in range(count))
    by_rank = [parents[ids[trial]] / count for trial in (2, 1, 3, 0)]
    worse = np.array([1.0, 3 / 4, 2 / 4, 1 / 4, 0]) ** sample  # that all of a sample are worse than the k best
    np.testing.assert_allclose(by_rank, worse[:-1] - worse[1:], atol=0.03)


def test_a_sample_may_be_larger_than_the_population_is_yet():
    sampler = Evolution(Lineage(), 0, population=1, sample=50)
    parent = tell(sampler, 0, 1.0)
    assert {sampler.propose(1 + number).config["parent"] for number in range(20)} == {parent["id"]}


def test_a_failure_never_becomes_a_parent_and_drives_nobody_out():
    sampler, ids = grown([1, 1, 1])
    for trial in range(3, 40):
        tell(sampler, trial, CRASHED if trial % 2 else DIVERGED)
    assert [member.config["id"] for member in sampler.population] == ids
    assert {sampler.propose(40 + number).config["parent"] for number in range(50)} == set(ids)


@pytest.mark.parametrize("outcome", [CRASHED, DIVERGED])
def test_where_all_fail_it_goes_on_at_random(outcome):
    sampler = Evolution(Lineage(), 0, population=3)
    for trial in range(10):
        tell(sampler, trial, outcome)
    assert sampler.propose(10).origin == "random"


def test_before_any_result_it_draws():
    sampler = Evolution(Lineage(), 0, population=2)
    made = [sampler.propose(number) for number in range(8)]  # more workers than the population has members
    assert {one.origin for one in made} == {"random"} and len({one.config["id"] for one in made}) == 8
    tell(sampler, 5, 1.0, config=made[5].config)
    assert sampler.propose(8).config["parent"] == made[5].config["id"]


def test_the_result_at_the_highest_budget_counts():
    sampler, ids = grown([1, 2, 3], sample=100)
    tell(sampler, 2, 0.5, budget=9, config={"id": ids[2]})
    assert sampler.propose(3).config["parent"] == ids[2]
    tell(sampler, 2, CRASHED, budget=27, config={"id": ids[2]})
    assert sampler.propose(3).config["parent"] == ids[2]
    tell(sampler, 2, DIVERGED, budget=81, config={"id": ids[2]})
    assert sampler.propose(3).config["parent"] == ids[0]


def test_who_has_left_does_not_come_back():
    sampler, ids = grown([0, 1])
    tell(sampler, 2, 1)
    tell(sampler, 0, -1, budget=9, config={"id": ids[0]})
    assert [member.trial for member in sampler.population] == [1, 2]


@pytest.mark.parametrize("workers", [1, 10])
def test_it_beats_random_search(workers):
    options = {"population": 20, "sample": 5}
    ours = [min(play(Evolution(SWITCHES, seed, **options), switches, 120, workers)) for seed in range(5)]
    random = [min(play(Independent(SWITCHES.draw, seed), switches, 120, workers)) for seed in range(5)]
    assert max(ours) <= min(random)
    assert np.mean(ours) < np.mean(random) - 0.05


@pytest.mark.parametrize("options", [{"population": 0}, {"sample": 0}])
def test_what_is_no_size(options):
    with pytest.raises(InvalidValue, match="must be at least 1"):
        Evolution(SWITCHES, 0, **options)
