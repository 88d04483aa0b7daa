"""Who gets how much of a cluster: nothing lies idle that is wanted, and over time nobody starves."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asha_nas import sharing
from asha_nas.sharing import Capacity, Claim, Need, allocate, charge, dominant, entry, fitting

TINY = 1e-6


def claim(study, wanted=100, priority=1, cpus=1.0, gpus=0.0, served=0.0, most=None, workers=0):
    return Claim(study, priority, Need(cpus, gpus, wanted, max(wanted, most or 0), workers), served)


def used(given_out, claims, resource):
    return sum(given_out[each.study] * getattr(each.need, resource) for each in claims)


def has_room(capacity, given_out, claims, one):
    """Whether one more job of a study fits beside what is given out."""
    return all(
        used(given_out, claims, resource) + getattr(one.need, resource) <= getattr(capacity, resource) - TINY
        for resource in ("cpus", "gpus")
    )


@st.composite
def needs(draw):
    wanted = draw(st.integers(0, 12))
    return Need(
        draw(st.sampled_from([0.5, 1.0, 2.0, 4.0])),
        draw(st.sampled_from([0.0, 0.0, 0.25, 1 / 3, 0.5, 1.0, 2.0])),
        wanted,
        wanted + draw(st.integers(0, 12)),
        draw(st.integers(0, 12)),
    )


@st.composite
def tables(draw, least=0):
    """Claims of different studies."""
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=least, max_size=6, unique=True))
    weights = st.integers(1, 5)
    return [Claim(name, draw(weights), draw(needs()), draw(st.floats(0, 1000))) for name in names]


capacities = st.builds(Capacity, st.integers(0, 32).map(float), st.integers(0, 8).map(float))


@given(capacities, tables())
def test_no_more_than_there_is_and_no_more_than_anyone_might_run(capacity, claims):
    found = allocate(capacity, claims)
    assert set(found) == {each.study for each in claims}
    assert used(found, claims, "cpus") <= capacity.cpus + TINY
    assert used(found, claims, "gpus") <= capacity.gpus + TINY
    assert all(0 <= found[each.study] <= each.need.most for each in claims)


@given(capacities, tables())
def test_nothing_lies_idle_that_a_study_might_use(capacity, claims):
    found = allocate(capacity, claims)
    for each in claims:
        assert found[each.study] == each.need.most or not has_room(capacity, found, claims, each)


@given(capacities, tables())
def test_what_is_wanted_goes_before_what_might_be(capacity, claims):
    """A study that might run more than it wants takes nothing from those that want it."""
    content = [dataclasses.replace(each, need=dataclasses.replace(each.need, most=each.need.wanted)) for each in claims]
    plain, found = allocate(capacity, content), allocate(capacity, claims)
    assert all(found[study] >= jobs for study, jobs in plain.items())


@given(capacities, tables(), st.randoms(use_true_random=False))
def test_every_driver_computes_the_same_whatever_the_order(capacity, claims, random):
    shuffled = list(claims)
    random.shuffle(shuffled)
    assert allocate(capacity, shuffled) == allocate(capacity, claims)


@given(capacities, tables(least=1))
def test_every_study_has_a_job_where_there_is_room_for_one_of_each(capacity, claims):
    wanting = [each for each in claims if each.need.wanted]
    ones = {each.study: 1 for each in wanting}
    if used(ones, wanting, "cpus") <= capacity.cpus and used(ones, wanting, "gpus") <= capacity.gpus:
        found = allocate(capacity, claims)
        assert all(found[each.study] >= 1 for each in wanting)


@given(st.integers(0, 40), st.integers(1, 7), st.floats(0, 1000))
def test_equal_claims_differ_by_one_at_most(slots, count, served):
    claims = [claim(f"s{number}", served=served + number) for number in range(count)]
    found = allocate(Capacity(float(slots), 0.0), claims)
    assert sum(found.values()) == slots
    assert max(found.values()) - min(found.values()) <= 1


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 20))
def test_a_weight_is_a_proportion(heavy, light, times):
    slots = (heavy + light) * times
    found = allocate(Capacity(float(slots), 0.0), [claim("a", priority=heavy), claim("b", priority=light)])
    assert found == {"a": heavy * times, "b": light * times}


@given(st.integers(2, 60), st.integers(1, 100))
def test_any_weight_is_about_a_proportion(slots, weight):
    found = allocate(Capacity(float(slots), 0.0), [claim("a", priority=weight), claim("b")])
    assert found["b"] >= 1
    assert abs(found["a"] - slots * weight / (weight + 1)) <= 1


def test_the_example_of_the_paper():
    """Ghodsi et al., section 4.1: 9 CPUs, 18 GB (here GPUs); jobs of <1, 4> and <3, 1>."""
    claims = [claim("a", cpus=1.0, gpus=4.0), claim("b", cpus=3.0, gpus=1.0)]
    assert allocate(Capacity(9.0, 18.0), claims) == {"a": 3, "b": 2}


def test_those_who_want_little_leave_the_rest_to_others():
    claims = [claim("a", wanted=1), claim("b"), claim("c", wanted=2)]
    assert allocate(Capacity(10.0, 0.0), claims) == {"a": 1, "b": 7, "c": 2}


def test_who_waits_for_a_rung_keeps_its_idle_workers_until_they_are_wanted():
    waiting = claim("a", wanted=1, most=8)
    assert allocate(Capacity(8.0, 0.0), [waiting]) == {"a": 8}
    assert allocate(Capacity(8.0, 0.0), [waiting, claim("b", wanted=3)]) == {"a": 5, "b": 3}
    assert allocate(Capacity(8.0, 0.0), [waiting, claim("b", wanted=8)]) == {"a": 1, "b": 7}


def test_a_job_that_does_not_fit_lets_others_pass():
    claims = [claim("a", cpus=8.0), claim("b", cpus=3.0)]
    assert allocate(Capacity(7.0, 0.0), claims) == {"a": 0, "b": 2}
    assert allocate(Capacity(0.0, 0.0), claims) == {"a": 0, "b": 0}
    assert allocate(Capacity(8.0, 0.0), [claim("a", gpus=1.0), claim("b")]) == {"a": 0, "b": 8}


def test_thirds_of_a_gpu():
    assert allocate(Capacity(8.0, 1.0), [claim("a", gpus=1 / 3, cpus=0.1)]) == {"a": 3}
    assert fitting(Capacity(8.0, 1.0), 0.1, 1 / 3) == 3
    assert fitting(Capacity(7.5, 4.0), 2.0, 0.0) == 3
    assert fitting(Capacity(0.3, 0.0), 0.1, 0.0) == 3


def test_of_more_studies_than_slots_the_least_served_go_first():
    claims = [claim("a", served=90.0), claim("b", served=200.0), claim("c", served=31.0), claim("d", served=59.0)]
    assert allocate(Capacity(2.0, 0.0), claims) == {"a": 0, "b": 0, "c": 1, "d": 1}
    assert allocate(Capacity(1.0, 0.0), claims) == {"a": 0, "b": 0, "c": 1, "d": 0}


def test_a_slot_stays_for_a_turn():
    """A second more or less does not have workers stopped and started."""
    assert allocate(Capacity(1.0, 0.0), [claim("a", served=29.0), claim("b", served=0.0)])["a"] == 1
    assert allocate(Capacity(1.0, 0.0), [claim("a", served=30.0), claim("b", served=0.0)])["b"] == 1
    assert allocate(Capacity(1.0, 0.0), [claim("a", served=30.0), claim("b", served=29.0)])["b"] == 1
    assert allocate(Capacity(1.0, 0.0), [claim("a", served=30.0), claim("b", served=30.0)])["a"] == 1


def test_charging_and_coming_in():
    capacity = Capacity(10.0, 4.0)
    assert dominant(capacity, claim("a", cpus=1.0, gpus=1.0).need) == 0.25
    assert charge(capacity, claim("a", workers=2, served=5.0), 10.0) == pytest.approx(7.0)
    assert charge(capacity, claim("a", workers=2, served=5.0, priority=4), 10.0) == pytest.approx(5.5)
    assert charge(capacity, claim("a", workers=99), 10.0) == 10.0
    assert charge(Capacity(0.0, 0.0), claim("a", workers=1), 10.0) == 10.0
    assert charge(Capacity(0.0, 0.0), claim("a", workers=0), 10.0) == 0.0
    others = [claim("a", served=1.0), claim("b", served=70.0), claim("c", served=50.0)]
    assert entry(others[0], others) == 50.0
    assert entry(claim("a", served=60.0), others) == 60.0
    assert entry(claim("a", served=1.0), []) == 1.0


def play(capacity, claims, seconds, step=2.0):
    """Rounds of drivers that have at once what they are allotted; gives the job-seconds that each study has had."""
    claims, had = list(claims), dict.fromkeys((each.study for each in claims), 0.0)
    for _ in range(int(seconds / step)):
        found = allocate(capacity, claims)
        for number, each in enumerate(claims):
            mine = dataclasses.replace(each, need=dataclasses.replace(each.need, workers=found[each.study]))
            claims[number] = dataclasses.replace(mine, served=charge(capacity, mine, step))
            had[each.study] += found[each.study] * step
    return had


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=5))
def test_a_single_slot_goes_round_by_priority(weights):
    claims = [claim(f"s{number}", priority=weight) for number, weight in enumerate(weights)]
    seconds = 10 * sharing.TURN_SECONDS * sum(weights)
    had = play(Capacity(1.0, 0.0), claims, seconds)
    for each in claims:
        assert had[each.study] == pytest.approx(seconds * each.priority / sum(weights), rel=0.15)


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 7))
def test_slots_that_do_not_divide_go_round(slots, count):
    claims = [claim(f"s{number}") for number in range(count)]
    seconds = 10 * sharing.TURN_SECONDS * count
    had = play(Capacity(float(slots), 0.0), claims, seconds)
    for each in claims:
        assert had[each.study] == pytest.approx(seconds * slots / count, rel=0.15)


@settings(max_examples=30)
@given(st.integers(1, 5), st.lists(st.integers(1, 20), min_size=2, max_size=6))
def test_nobody_starves(slots, weights):
    """Within a turn of each of the others, everyone has had one."""
    claims = [claim(f"s{number}", priority=weight) for number, weight in enumerate(weights)]
    had = play(Capacity(float(slots), 0.0), claims, sharing.TURN_SECONDS * sum(weights) + 2.0 * len(weights))
    assert all(had.values())


def test_jobs_of_different_sizes_take_turns_of_like_length():
    """One wants the whole cluster for each job, the other a quarter for each of many."""
    claims = [claim("large", cpus=1.0, gpus=4.0), claim("small", cpus=1.0, gpus=1.0)]
    had = play(Capacity(16.0, 4.0), claims, 3000.0)
    assert 4 * had["large"] == pytest.approx(had["small"], rel=0.1)


def test_a_study_that_begins_does_not_push_others_out_for_what_they_had_before():
    old = claim("old", served=36_000.0)
    new = dataclasses.replace(claim("new"), served=entry(claim("new"), [old]))
    had = play(Capacity(1.0, 0.0), [old, new], 600.0)
    assert had["old"] == pytest.approx(had["new"], rel=0.25)


def test_no_slot_changes_hands_more_often_than_its_turns_are_long():
    claims, changes, before = [claim("a"), claim("b"), claim("c")], 0, None
    capacity = Capacity(1.0, 0.0)
    for _ in range(600):
        found = allocate(capacity, claims)
        changes += before is not None and found != before
        before = found
        for number, each in enumerate(claims):
            mine = dataclasses.replace(each, need=dataclasses.replace(each.need, workers=found[each.study]))
            claims[number] = dataclasses.replace(mine, served=charge(capacity, mine, 1.0))
    assert 15 <= changes <= 600 / sharing.TURN_SECONDS
