"""Synchronous halving: who goes on, when, and what happens to brackets that lose jobs."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asha_nas.samplers import Independent
from asha_nas.schedulers import DONE, WAIT, Job, Outcome, SynchronousHalving, halving, hyperband, ladder

CRASHED, DIVERGED = Outcome(None), Outcome(None, diverged=True)


def make(brackets, iterations=None, **options):
    sampler = Independent(lambda rng: {"x": float(rng.random())}, 0)
    return SynchronousHalving(sampler, rungs=(1, 3, 9), brackets=brackets, iterations=iterations, **options)


def ask(core, count):
    return [core.ask() for _ in range(count)]


def run(core, outcome, workers=1, end=lambda in_flight: in_flight[0]):
    """All jobs, in the order of asking; `outcome` is a function of the job."""
    jobs, in_flight = [], []
    while True:
        while len(in_flight) < workers and isinstance(answer := core.ask(), Job):
            jobs.append(answer)
            in_flight.append(answer)
        if not in_flight:
            assert answer is DONE
            return jobs
        job = end(in_flight)
        in_flight.remove(job)
        core.tell(job, outcome(job))


def test_the_best_go_on_when_all_are_in_and_not_before():
    core = make([halving(9, 3, 3)], 1)
    jobs = ask(core, 9)
    assert core.ask() is WAIT
    for job in jobs[:8]:
        core.tell(job, Outcome(float(8 - job.trial)))
        assert core.ask() is WAIT
    core.tell(jobs[8], Outcome(100.0))
    second = ask(core, 3)
    assert [(job.trial, job.rung, job.start, job.stop) for job in second] == [(7, 1, 1, 3), (6, 1, 1, 3), (5, 1, 1, 3)]
    assert core.ask() is WAIT
    for job in second:
        core.tell(job, Outcome(-float(job.trial)))
    last = core.ask()
    assert (last.trial, last.rung, last.start, last.stop) == (7, 2, 3, 9)
    core.tell(last, Outcome(0.0))
    assert core.ask() is DONE


def test_equal_losses_go_by_trial_number():
    core = make([halving(9, 3, 3)], 1)
    for job in reversed(ask(core, 9)):
        core.tell(job, Outcome(0.5))
    assert [job.trial for job in ask(core, 3)] == [0, 1, 2]


def test_training_from_scratch_starts_at_0_at_each_budget():
    jobs = run(make([halving(9, 3, 3)], 1, from_scratch=True), lambda job: Outcome(float(job.trial)))
    assert {(job.rung, job.start, job.stop) for job in jobs} == {(0, 0, 1), (1, 0, 3), (2, 0, 9)}


def test_while_a_bracket_waits_the_next_one_begins():
    core = make(hyperband(3, 3))
    first = ask(core, 9)
    assert {job.bracket for job in first} == {0}
    assert core.ask().bracket == 1
    for job in first:
        core.tell(job, Outcome(float(job.trial)))
    promoted = ask(core, 3)
    assert [(job.bracket, job.trial, job.rung) for job in promoted] == [(0, 0, 1), (0, 1, 1), (0, 2, 1)]
    begun = core.ask()
    assert (begun.bracket, begun.rung, begun.start, begun.stop) == (1, 1, 0, 3)


@pytest.mark.parametrize("workers", [1, 2, 7, 1000])
def test_every_number_of_workers_runs_the_same_jobs_by_bracket(workers):
    jobs = run(make(hyperband(3, 3), 6), lambda job: Outcome(float(job.trial)), workers)
    counts = {}
    for job in jobs:
        counts[job.bracket, job.rung] = counts.get((job.bracket, job.rung), 0) + 1
    one = {(0, 0): 9, (0, 1): 3, (0, 2): 1, (1, 1): 3, (1, 2): 1, (2, 2): 3}
    assert counts == {**one, **{(bracket + 3, rung): n for (bracket, rung), n in one.items()}}


@pytest.mark.parametrize("outcome", [CRASHED, DIVERGED])
@pytest.mark.parametrize("workers", [1, 4, 50])
def test_brackets_of_which_all_failed_end_there(outcome, workers):
    jobs = run(make(hyperband(3, 3), 3), lambda job: outcome, workers)
    assert [job.rung for job in jobs] == [0] * 9 + [1] * 3 + [2] * 3


@pytest.mark.parametrize("outcome", [CRASHED, DIVERGED])
def test_a_bracket_whose_last_job_is_lost_goes_on_with_the_others(outcome):
    core = make([halving(9, 3, 3)], 1)
    jobs = ask(core, 9)
    for job in jobs[:-1]:
        core.tell(job, Outcome(float(job.trial)))
    core.tell(jobs[-1], outcome)
    second = ask(core, 3)
    assert [job.trial for job in second] == [0, 1, 2]
    for job in second:
        core.tell(job, outcome)
    assert core.ask() is DONE


def test_if_fewer_have_a_result_than_may_go_on_all_of_them_do():
    core = make([halving(9, 3, 3)], 1)
    for job in ask(core, 9):
        core.tell(job, Outcome(1.0) if job.trial in (4, 6) else CRASHED)
    assert [job.trial for job in ask(core, 2)] == [4, 6]
    assert core.ask() is WAIT


def test_a_job_that_does_not_fit_is_passed_over():
    core = make(hyperband(3, 3), None, max_epochs=18)  # bracket 0: 9 jobs of 1 epoch, then 3 of 2 more each
    first = ask(core, 9)
    for job in first:
        core.tell(job, Outcome(float(job.trial)))
    assert sum(job.epochs for job in first + ask(core, 3)) == 15
    last = core.ask()  # of bracket 1, to 3 epochs
    assert (last.bracket, last.epochs) == (1, 3)
    assert core.ask() is WAIT


@given(
    workers=st.integers(1, 12),
    ends=st.lists(st.integers(0, 11), min_size=1, max_size=20),
    losses=st.lists(st.one_of(st.integers(0, 3).map(float), st.none()), min_size=1, max_size=40),
)
def test_whoever_goes_on_was_among_the_best_of_its_stage(workers, ends, losses):
    turn = iter(range(10**9))
    found = {}

    def outcome(job):
        loss = losses[(job.trial * 7 + job.rung) % len(losses)]
        found[job.trial, job.rung] = (loss, job.bracket)
        return Outcome(loss)

    jobs = run(
        make(hyperband(3, 3), 5), outcome, workers, lambda flying: flying[ends[next(turn) % len(ends)] % len(flying)]
    )
    sizes = {n: hyperband(3, 3)[n % 3] for n in range(5)}
    for number, bracket in sizes.items():
        for stage, size in enumerate(bracket.sizes):
            rung = bracket.rung + stage
            here = [job.trial for job in jobs if (job.bracket, job.rung) == (number, rung)]
            if stage:
                below = sorted(
                    (loss, trial)
                    for (trial, k), (loss, b) in found.items()
                    if (k, b) == (rung - 1, number) and loss is not None
                )
                assert here == [trial for _, trial in below[:size]]
            else:
                assert len(here) == size


@pytest.mark.parametrize("workers", [1, 16, 300])
def test_bohb_of_nas_bench_1shot1_makes_280_runs(workers):
    rungs = ladder(25, 100, 2, "released")
    core = SynchronousHalving(
        Independent(lambda rng: {}, 0), rungs=rungs, brackets=hyperband(3, 2), iterations=64, from_scratch=True
    )
    jobs = run(core, lambda job: Outcome(float(job.trial * 7919 % 1000)), workers)
    assert Counter(job.stop for job in jobs) == {25: 88, 50: 86, 100: 106}
    assert len(jobs) == 280 and sum(job.epochs for job in jobs) == 17_100
