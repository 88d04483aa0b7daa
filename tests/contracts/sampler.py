"""The suite every sampler passes: the guarantees of `asha_nas.schedulers.protocol.Sampler`.

A law is a function of `(make, encoding, play)`. `make(seed)` gives a fresh sampler of the space `encoding`, the same
one for the same seed; a `Play` says how many workers there are, in which order jobs end, how, and which trials go on to
a higher budget. A test module runs every law of `LAWS` over its samplers with `plays()`; see
`tests/asha_nas/samplers/test_contract.py`.
"""

import copy
import dataclasses
import json
import random
from dataclasses import dataclass

import numpy as np
from ConfigSpace import Configuration
from hypothesis import strategies as st

from asha_nas.samplers import DefaultFirst
from asha_nas.schedulers import Job, Outcome, Proposal
from tests.contracts.scheduler import CRASHED, DIVERGED, outcomes

BUDGETS = (1, 3, 9)
SEED = 7


@dataclass(frozen=True)
class Play:
    """How a study goes: the i-th job to end is `which` of those in flight, ends so, and its trial may go on."""

    workers: int
    ends: tuple[tuple[int, Outcome, bool], ...]  # repeated from the start when used up
    trials: int = 20

    def with_outcome(self, outcome):
        """The same, but every job ends in the same way."""
        return dataclasses.replace(self, ends=tuple((which, outcome, on) for which, _, on in self.ends))


def plays(max_workers=5, trials=20):
    """Any number of workers, any order of ends, any outcomes, any promotions."""
    end = st.tuples(st.integers(0, max_workers - 1), outcomes(), st.booleans())
    return st.builds(
        Play, st.integers(1, max_workers), st.lists(end, min_size=1, max_size=30).map(tuple), st.just(trials)
    )


class Table:
    """Runs a sampler by a play, and writes down what happened: proposals, and (job, outcome) learned."""

    def __init__(self, sampler, play):
        self.sampler = sampler
        self.play = play
        self.log = []
        self.in_flight = []
        self.proposed = 0
        self.ended = 0
        self.jobs = 0
        self.over = False

    def turn(self):
        """Fill the free workers, then let one job end."""
        while len(self.in_flight) < self.play.workers and self.proposed < self.play.trials:
            made = self.sampler.propose(self.proposed)
            self.log.append(made)
            self._start(self.proposed, made.config, 0, made.origin)
            self.proposed += 1
        if not self.in_flight:
            self.over = True
            return
        which, outcome, on = self.play.ends[self.ended % len(self.play.ends)]
        job = self.in_flight.pop(which % len(self.in_flight))
        self.sampler.learn(job, outcome)
        self.log.append((job, outcome))
        self.ended += 1
        if on and outcome.loss is not None and job.rung + 1 < len(BUDGETS):
            self._start(job.trial, job.config, job.rung + 1, "")

    def _start(self, trial, config, rung, origin):
        start = BUDGETS[rung - 1] if rung else 0
        self.in_flight.append(Job(self.jobs, trial, config, rung, start, BUDGETS[rung], origin=origin))
        self.jobs += 1

    def finish(self):
        """Turn until every trial has been proposed and every job has ended."""
        while not self.over:
            self.turn()
        return self


def proposals(log):
    return [entry for entry in log if isinstance(entry, Proposal)]


# --- the laws -------------------------------------------------------------------------------------------


def replaying_the_log_gives_the_same_proposals(make, encoding, play):
    """1: a fresh sampler that is fed the log proposes at each of its places what stands there."""
    fresh, number = make(SEED), 0
    for entry in Table(make(SEED), play).finish().log:
        if isinstance(entry, Proposal):
            assert fresh.propose(number) == entry
            number += 1
        else:
            fresh.learn(*entry)


def two_samplers_share_nothing(make, encoding, play):
    """1: two that are driven turn by turn in one process do not feel each other."""
    alone = Table(make(SEED), play).finish()
    first, second = Table(make(SEED), play), Table(make(SEED), play)
    while not (first.over and second.over):
        for table in (first, first, second):
            if not table.over:
                table.turn()
    assert first.log == second.log == alone.log


def global_randomness_is_neither_used_nor_changed(make, encoding, play):
    """1: global generators, and the one that a ConfigSpace has, decide nothing; the global ones stay as they are."""
    alone = Table(make(SEED), play).finish()
    table, before = Table(make(SEED), play), (random.getstate(), np.random.get_state())  # noqa: NPY002
    try:
        turn = 0
        while not table.over:
            np.random.seed(turn)  # noqa: NPY002
            random.seed(turn)
            encoding.space.seed(turn)
            stirred = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
            table.turn()
            assert stirred == (random.getstate(), repr(np.random.get_state()))  # noqa: NPY002
            turn += 1
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
    assert table.log == alone.log


def the_seed_matters(make, encoding, play):
    """1: other seeds make other studies; the same sampler does not propose one configuration for ever."""
    made = [tuple(repr(make(seed).propose(number)) for number in range(20)) for seed in (0, 1, 2)]
    assert len(set(made)) == 3
    assert all(len(set(one)) > 1 for one in made)


def proposals_are_legal_and_plain(make, encoding, play):
    """1: every configuration is one of the space, and survives a log of JSON; its origin is said."""
    for made in proposals(Table(make(SEED), play).finish().log):
        assert json.loads(json.dumps(dict(made.config), allow_nan=False)) == dict(made.config)
        assert all(type(value) in (bool, int, float, str, list, type(None)) for value in made.config.values())
        Configuration(encoding.space, values=encoding.encode(made.config)).check_valid_configuration()
        assert made.origin and isinstance(made.origin, str)


def it_changes_nothing_it_is_given(make, encoding, play):
    """2: neither jobs nor what it proposed before."""
    table, copies = Table(make(SEED), play), []
    while not table.over:
        table.turn()
        copies += copy.deepcopy(table.log[len(copies) :])
    assert copies == table.log


def it_learns_from_failures_alone(make, encoding, play):
    """2: all crashed, all diverged, all equal, all huge: it goes on proposing."""
    for outcome in (CRASHED, DIVERGED, Outcome(0.0), Outcome(-1.7e308)):
        assert len(proposals(Table(make(SEED), play.with_outcome(outcome)).finish().log)) == play.trials


def it_needs_no_results(make, encoding, play):
    """3: before anything has ended it proposes none the less, and not always the same."""
    sampler = make(SEED)
    made = [sampler.propose(number) for number in range(play.trials)]
    assert len({repr(one) for one in made}) > 1


def another_may_propose_the_first(make, encoding, play):
    """3: it learns of a trial that it did not propose, such as the default configuration, and goes on from number 1."""
    default = encoding.draw(np.random.default_rng(99))
    log = Table(DefaultFirst(default, make(SEED)), play).finish().log
    assert log[0] == Proposal(default, "default")
    assert len(proposals(log)) == play.trials


LAWS = (
    replaying_the_log_gives_the_same_proposals,
    two_samplers_share_nothing,
    global_randomness_is_neither_used_nor_changed,
    the_seed_matters,
    proposals_are_legal_and_plain,
    it_changes_nothing_it_is_given,
    it_learns_from_failures_alone,
    it_needs_no_results,
    another_may_propose_the_first,
)
