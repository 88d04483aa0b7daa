"""How long a worker may be silent."""

import pytest

from asha_nas.engines.ray_tune.silence import LEAST_SECONDS, LONGEST_EPOCHS, Silence


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_bound_that_is_given(clock):
    silence = Silence(30.0, clock)
    assert silence.silent(["a", "b"]) == []
    clock.now += 20
    silence.report("a")
    clock.now += 11
    assert silence.silent(["a", "b", "c"]) == ["b"]
    assert silence.silent(["a", "b", "c"]) == [], "it is named once"
    clock.now += 20
    assert silence.silent(["a", "c"]) == ["a"]
    clock.now += 20
    assert silence.silent(["a", "b", "c"]) == ["c"], "what was not running begins anew"


def test_what_is_learned(clock):
    silence = Silence(clock=clock)
    silence.silent(["a", "b"])
    clock.now += 10**6
    assert silence.bound is None and silence.silent(["a", "b"]) == [], "nobody knows how long the first one takes"
    silence.report("a")
    assert silence.bound == LONGEST_EPOCHS * 10**6

    quick = Silence(clock=clock)
    quick.silent(["a"])
    clock.now += 1
    quick.report("a")
    assert quick.bound == LEAST_SECONDS
    clock.now += LEAST_SECONDS + 1
    assert quick.silent(["a"]) == ["a"]


def test_a_job_that_has_ended_says_nothing_of_the_next(clock):
    silence = Silence(5.0, clock)
    silence.silent(["a"])
    silence.report("a")
    clock.now += 6
    assert silence.silent([]) == []
    silence.report("b")
    clock.now += 4
    assert silence.silent(["b"]) == []
