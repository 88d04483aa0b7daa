"""ASHA: every decision against a naive reference, its invariants, and what it costs."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asha_nas.samplers import Independent
from asha_nas.schedulers import (
    ASHA,
    DONE,
    LADDERS,
    PROMOTIONS,
    WAIT,
    Answer,
    Job,
    Outcome,
    ProtocolError,
    ladder,
    survivors,
)


def sampler(rng):
    return {"x": int(rng.integers(10**6))}


class Naive:
    """What is to be decided, looked up in plain lists of everything that happened. O(n) and obvious."""

    def __init__(self, rungs, eta, configs, max_epochs, promotion):
        self.rungs, self.eta, self.configs = rungs, eta, configs
        self.max_epochs, self.promotion = max_epochs, promotion
        self.results = [[] for _ in rungs]  # per rung: (loss, trial), infinite loss for diverged ones
        self.promoted = [[] for _ in rungs]  # per rung: trials, in the order of promotion
        self.started = 0
        self.epochs = 0
        self.in_flight = 0

    def candidates(self, k):
        """Trials of rung k that may go up, best first."""
        ranked = sorted(self.results[k])
        quota = len(ranked) // self.eta
        # Algorithm 2: candidates = top_k(rung, |rung|/η); promotable = those not yet promoted.
        eligible = ranked[:quota]
        if self.promotion == "capped":
            eligible = ranked if len(self.promoted[k]) < quota else []
        return [t for loss, t in eligible if t not in self.promoted[k] and math.isfinite(loss)]

    def decide(self):
        """(trial, rung, start, stop), or the answer."""
        for k in reversed(range(len(self.rungs) - 1)):
            promotable = self.candidates(k)
            if promotable and self.fits(self.rungs[k + 1] - self.rungs[k]):
                return self.hand_out(promotable[0], k + 1, self.rungs[k], self.rungs[k + 1])
        if (self.configs is not None and self.started >= self.configs) or not self.fits(self.rungs[0]):
            return self.nothing()
        return self.hand_out(self.started, 0, 0, self.rungs[0])

    def fits(self, epochs):
        return self.max_epochs is None or self.epochs + epochs <= self.max_epochs

    def hand_out(self, trial, rung, start, stop):
        self.epochs += stop - start
        self.in_flight += 1
        if rung == 0:
            self.started += 1
        else:
            self.promoted[rung - 1].append(trial)
        return trial, rung, start, stop

    def nothing(self):
        return WAIT if self.in_flight else DONE

    def tell(self, job, outcome):
        self.in_flight -= 1
        if outcome.diverged:
            self.results[job.rung].append((math.inf, job.trial))
        elif outcome.loss is not None:
            self.results[job.rung].append((outcome.loss, job.trial))


@st.composite
def settings_of_asha(draw):
    eta = draw(st.integers(2, 5))
    r = draw(st.integers(1, 3))
    R = draw(st.integers(r, 60))
    bounds = draw(st.sampled_from(["configs", "epochs", "both", "none"]))
    return {
        "rungs": ladder(r, R, eta, draw(st.sampled_from(LADDERS))),
        "eta": eta,
        "promotion": draw(st.sampled_from(PROMOTIONS)),
        "configs": draw(st.integers(1, 60)) if bounds in ("configs", "both") else None,
        "max_epochs": draw(st.integers(0, 400)) if bounds in ("epochs", "both") else None,
    }


LOSSES = st.integers(0, 4).map(float) | st.floats(allow_nan=False, allow_infinity=False)


class AshaMachine(RuleBasedStateMachine):
    """Any sequence of asks and tells, decided by ASHA and by the reference."""

    @initialize(options=settings_of_asha())
    def start(self, options):
        self.options = options
        self.asha = ASHA(Independent(sampler, 3), **options)
        self.naive = Naive(**options)
        self.jobs = []
        self.in_flight = []
        self.outcomes = {}  # by (trial, rung)

    @rule(times=st.integers(1, 6))
    def ask(self, times):
        for _ in range(times):
            answer, expected = self.asha.ask(), self.naive.decide()
            if not isinstance(answer, Job):
                assert answer is expected
                assert (answer is DONE) == (not self.in_flight)
                return
            assert (answer.trial, answer.rung, answer.start, answer.stop) == expected
            self.jobs.append(answer)
            self.in_flight.append(answer)

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 10**6), loss=LOSSES)
    def tell_a_loss(self, which, loss):
        self.end(which, Outcome(loss))

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 10**6))
    def tell_divergence(self, which):
        self.end(which, Outcome(None, diverged=True))

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 10**6))
    def tell_a_crash(self, which):
        self.end(which, Outcome(None))

    @precondition(lambda self: self.in_flight)
    @rule(losses=st.lists(LOSSES, min_size=1, max_size=10))
    def tell_all(self, losses):
        while self.in_flight:
            self.end(0, Outcome(losses[len(self.in_flight) % len(losses)]))

    def end(self, which, outcome):
        job = self.in_flight.pop(which % len(self.in_flight))
        self.outcomes[job.trial, job.rung] = outcome
        self.asha.tell(job, outcome)
        self.naive.tell(job, outcome)

    @invariant()
    def each_trial_and_rung_at_most_once(self):
        places = [(job.trial, job.rung) for job in self.jobs]
        assert len(places) == len(set(places))

    @invariant()
    def no_more_go_up_than_the_rule_allows(self):
        if self.options["promotion"] == "capped":
            went_up = Counter(job.rung - 1 for job in self.jobs if job.rung > 0)
            for k, promoted in went_up.items():
                results = [o for (_, rung), o in self.outcomes.items()
                           if rung == k and (o.loss is not None or o.diverged)]  # fmt: skip
                assert promoted <= len(results) // self.options["eta"]

    @invariant()
    def only_trials_with_a_loss_go_up(self):
        for job in self.jobs:
            if job.rung > 0:
                assert self.outcomes[job.trial, job.rung - 1].loss is not None

    @invariant()
    def bounds_are_kept(self):
        configs, epochs = self.options["configs"], self.options["max_epochs"]
        assert configs is None or sum(job.rung == 0 for job in self.jobs) <= configs
        assert epochs is None or sum(job.epochs for job in self.jobs) <= epochs

    def teardown(self):
        """End everything in flight with equal losses; the two must agree to the last job."""
        if not hasattr(self, "asha"):
            return
        for _ in range(200):
            self.ask(1)
            if not self.in_flight:
                break
            self.end(0, Outcome(1.0))


AshaMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
TestDecisions = AshaMachine.TestCase


def play(asha, losses, workers, pick):
    """Run a study to its end; `pick(n)` says which of n jobs in flight ends next. Gives its jobs in order."""
    jobs, in_flight = [], []
    while True:
        while len(in_flight) < workers and isinstance(answer := asha.ask(), Job):
            jobs.append(answer)
            in_flight.append(answer)
        if not in_flight:
            return jobs
        job = in_flight.pop(pick(len(in_flight)))
        asha.tell(job, losses(job))


def counts(jobs, rungs):
    reached = Counter(job.rung for job in jobs)
    return tuple(reached[k] for k in range(rungs))


@settings(max_examples=40)
@given(
    configs=st.integers(1, 120),
    eta=st.integers(2, 5),
    kind=st.sampled_from(LADDERS),
    workers=st.integers(1, 30),
    seed=st.integers(0, 10**6),
)
def test_capped_rungs_end_with_the_planned_numbers(configs, eta, kind, workers, seed):
    rng = random.Random(seed)
    rungs = ladder(1, 50, eta, kind)
    asha = ASHA(Independent(sampler, 0), rungs=rungs, eta=eta, configs=configs)
    jobs = play(asha, lambda job: Outcome(float(rng.randrange(5))), workers, rng.randrange)
    assert counts(jobs, len(rungs)) == survivors(configs, len(rungs), eta)


@settings(max_examples=40)
@given(configs=st.integers(1, 80), eta=st.integers(2, 4), seed=st.integers(0, 10**6))
def test_eager_rungs_hold_at_least_the_planned_numbers_and_the_final_best(configs, eta, seed):
    rng = random.Random(seed)
    asha = ASHA(Independent(sampler, 0), rungs=(1, eta), eta=eta, configs=configs, promotion="eager")
    loss_of = {}

    def losses(job):
        return Outcome(loss_of.setdefault(job.trial, float(rng.randrange(20))))

    jobs = play(asha, losses, 5, rng.randrange)
    went_up = {job.trial for job in jobs if job.rung == 1}
    best = sorted(range(configs), key=lambda trial: (loss_of[trial], trial))[: configs // eta]
    assert went_up >= set(best)


def started(promotion, losses, eta=2, rungs=(1, 2, 4)):
    """An ASHA whose first trials have these results at rung 0: numbers, 'crash' or 'nan'."""
    asha = ASHA(Independent(sampler, 0), rungs=rungs, eta=eta, configs=len(losses), promotion=promotion)
    jobs = [asha.ask() for _ in losses]
    outcomes = {"crash": Outcome(None), "nan": Outcome(None, diverged=True)}
    for job, loss in zip(jobs, losses, strict=True):
        asha.tell(job, outcomes.get(loss) or Outcome(float(loss)))
    return asha


def ups(asha):
    """What is handed out until there is no job, as (trial, rung)."""
    found = []
    while isinstance(job := asha.ask(), Job):
        found.append((job.trial, job.rung))
    return found


@pytest.mark.parametrize("promotion", PROMOTIONS)
@pytest.mark.parametrize(
    ("losses", "promoted"),
    [
        ([3, 1, 2, 4], [(1, 1), (2, 1)]),
        ([1, 1, 1, 1], [(0, 1), (1, 1)]),  # ties go by the trial's number
        ([2, 1], [(1, 1)]),
        ([1], []),
        ([1, "crash", "crash", "crash"], []),  # crashed ones do not count: 1 // 2 = 0
        ([1, "nan", "nan", "nan"], [(0, 1)]),  # diverged ones do: 4 // 2 = 2, but none of them goes up
        (["nan"] * 4, []),
        ([5, "nan", 4, "crash", 3], [(4, 1), (2, 1)]),
    ],
)
def test_who_goes_up(promotion, losses, promoted):
    assert ups(started(promotion, losses)) == promoted


def test_the_deepest_rung_goes_first():
    asha = ASHA(Independent(sampler, 0), rungs=(1, 2, 4), eta=2, configs=8)
    first = [asha.ask() for _ in range(6)]
    for job in first[:4]:
        asha.tell(job, Outcome(float(job.trial)))
    second = [asha.ask(), asha.ask()]
    assert [(job.trial, job.rung, job.start, job.stop) for job in second] == [(0, 1, 1, 2), (1, 1, 1, 2)]
    for job in (*second, *first[4:]):
        asha.tell(job, Outcome(float(job.trial)))
    # Now trial 0 may go up from rung 1, trial 2 from rung 0, and trials 6 and 7 may start.
    assert ups(asha)[:4] == [(0, 2), (2, 1), (6, 0), (7, 0)]


def test_a_late_better_trial_goes_up_too_only_when_eager():
    """The paper's mispromotion: trial 1 went up early, then better ones came."""
    late = {}
    for promotion in PROMOTIONS:
        asha = ASHA(Independent(sampler, 0), rungs=(1, 4), eta=4, configs=8, promotion=promotion)
        jobs = [asha.ask() for _ in range(8)]
        for job in jobs[:4]:
            asha.tell(job, Outcome(10.0 + job.trial))
        assert (asha.ask().trial, asha.ask()) == (0, WAIT)
        asha.tell(jobs[4], Outcome(1.0))
        late[promotion] = asha.ask()
    assert late["capped"] is WAIT
    assert (late["eager"].trial, late["eager"].rung) == (4, 1)


def test_where_a_promotion_does_not_fit_lower_ones_and_new_configurations_do():
    asha = ASHA(Independent(sampler, 0), rungs=(1, 2, 9), eta=2, configs=None, max_epochs=12)
    first = [asha.ask() for _ in range(6)]
    for job in first[:4]:
        asha.tell(job, Outcome(float(job.trial)))
    second = [asha.ask(), asha.ask()]
    for job in (*second, *first[4:]):
        asha.tell(job, Outcome(float(job.trial)))
    # 8 are handed out, 4 are left. Trial 0 may go up from rung 1, but needs 7 epochs.
    assert ups(asha) == [(2, 1), (6, 0), (7, 0), (8, 0)]
    assert asha.ask() is WAIT


def test_a_study_ends_when_nothing_fits_any_more():
    asha = ASHA(Independent(sampler, 0), rungs=(2, 5), eta=2, configs=None, max_epochs=7)
    jobs = play(asha, lambda job: Outcome(float(job.trial)), 2, lambda n: 0)
    # Trial 0 may go up, which takes 3 epochs, and a new one takes 2; one is left.
    assert [(job.trial, job.rung) for job in jobs] == [(0, 0), (1, 0), (2, 0)]
    assert [asha.ask() for _ in range(3)] == [DONE] * 3


@pytest.mark.parametrize("max_epochs", range(10))
def test_one_rung_starts_as_many_as_fit(max_epochs):
    asha = ASHA(Independent(sampler, 0), rungs=(3,), eta=2, configs=None, max_epochs=max_epochs)
    assert len(ups(asha)) == max_epochs // 3


def test_configurations_depend_on_seed_and_number_alone():
    def configs(seed, promotion, workers):
        asha = ASHA(Independent(sampler, seed), rungs=(1, 2, 4), eta=2, configs=30, promotion=promotion)
        rng = random.Random(workers)
        jobs = play(asha, lambda job: Outcome(rng.random()), workers, rng.randrange)
        return {job.trial: job.config["x"] for job in jobs}

    assert configs(5, "capped", 1) == configs(5, "eager", 7)
    assert configs(5, "capped", 1) != configs(6, "capped", 1)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_outcome_is_finite_or_says_that_it_diverged(bad):
    with pytest.raises(ProtocolError, match="diverged=True"):
        Outcome(bad)
    with pytest.raises(ProtocolError):
        Outcome(1.0, diverged=True)


class Counted(float):
    """A loss that counts how often it is compared."""

    comparisons = 0

    def __lt__(self, other):
        Counted.comparisons += 1
        return float.__lt__(self, other)

    def __eq__(self, other):
        Counted.comparisons += 1
        return float.__eq__(self, other)

    __hash__ = float.__hash__


@pytest.mark.parametrize("promotion", PROMOTIONS)
@pytest.mark.parametrize("order", ["random", "falling", "rising"])
def test_a_decision_costs_the_logarithm_of_the_number_of_trials(promotion, order):
    """Losses compared per job stay below a fixed multiple of log2(n); an O(n) rule would need hundreds."""
    rng = random.Random(0)
    configs = 3000
    rank = {"random": lambda t: rng.random(), "falling": lambda t: -t, "rising": lambda t: t}[order]
    asha = ASHA(Independent(lambda _: {}, 0), rungs=(1, 3, 9, 27), eta=3, configs=configs, promotion=promotion)
    Counted.comparisons = 0
    jobs = play(asha, lambda job: Outcome(Counted(rank(job.trial))), 20, rng.randrange)
    # Each ask looks at up to 3 rungs; eager bisects in each, and a tuple comparison costs one == and one <.
    assert Counted.comparisons < 12 * len(jobs) * math.log2(configs)


# --- brackets: asynchronous Hyperband ---------------------------------------------------------------------


def test_brackets_get_equal_shares_of_epochs():
    asha = ASHA(Independent(sampler, 0), rungs=(1, 3, 9), eta=3, configs=None, brackets=3, max_epochs=3000)
    spent = {0: 0, 1: 0, 2: 0}
    while not isinstance(job := asha.ask(), Answer):
        spent[job.bracket] += job.epochs
        asha.tell(job, Outcome(float(job.number * 7919 % 1000)))
    assert max(spent.values()) - min(spent.values()) <= 9
    assert sum(spent.values()) == 3000


def test_a_bracket_compares_its_own_trials_only():
    asha = ASHA(Independent(sampler, 0), rungs=(1, 3, 9), eta=3, configs=60, brackets=2)
    trials, results = {}, {}
    while not isinstance(job := asha.ask(), Answer):
        assert trials.setdefault(job.trial, job.bracket) == job.bracket
        if job.start == 0:
            assert job.rung == job.bracket
        else:  # in the top third of its own rung and bracket at that time, or there is room for it
            rung = results[job.bracket, job.rung - 1]
            assert sorted(rung).index((float(-job.trial), job.trial)) < len(rung)
        results.setdefault((job.bracket, job.rung), []).append((float(-job.trial), job.trial))
        asha.tell(job, Outcome(float(-job.trial)))
    for (bracket, rung), found in results.items():
        above = sum(1 for (b, k), ups in results.items() if (b, k) == (bracket, rung + 1) for _ in ups)
        if rung < 2:
            assert above == len(found) // 3


def test_from_scratch_a_promotion_starts_at_0():
    asha = ASHA(Independent(sampler, 0), rungs=(1, 2, 4), eta=2, configs=8, from_scratch=True)
    jobs = []
    while not isinstance(job := asha.ask(), Answer):
        jobs.append(job)
        asha.tell(job, Outcome(float(job.trial)))
    assert {(job.rung, job.start, job.stop) for job in jobs} == {(0, 0, 1), (1, 0, 2), (2, 0, 4)}
    assert asha._desk.epochs == 8 * 1 + 4 * 2 + 2 * 4


# --- who is finished -----------------------------------------------------------------------------------


@given(
    losses=st.lists(st.floats(0, 1) | st.sampled_from([0.25, 0.5]), min_size=24, max_size=24),
    told=st.integers(0, 24),
    workers=st.integers(1, 5),
    eta=st.integers(2, 4),
)
@settings(max_examples=200)
def test_whoever_is_not_finished_does_go_up_if_all_that_follows_is_worse(losses, told, workers, eta):
    """So nobody is named too late: for each trial that is kept there is a course in which its checkpoint is used."""
    core = ASHA(Independent(sampler, 0), rungs=(1, 4, 16), eta=eta, configs=16)
    in_flight, jobs, ended = [], [], 0

    def fill():
        while len(in_flight) < workers and isinstance(job := core.ask(), Job):
            in_flight.append(job)
            jobs.append(job)

    for loss in losses[:told]:
        fill()
        if not in_flight:
            break
        core.tell(in_flight.pop(0), Outcome(loss))
        ended += 1
    begun = {job.trial for job in jobs}
    waiting = begun - {job.trial for job in in_flight} - set(core.finished())
    before = len(jobs)
    while True:
        fill()
        if not in_flight:
            break
        ended += 1
        core.tell(in_flight.pop(0), Outcome(10.0 + ended))
    assert waiting <= {job.trial for job in jobs[before:]}


def test_the_best_of_a_rung_are_all_that_is_kept_of_it():
    core = ASHA(Independent(sampler, 0), rungs=(1, 4, 16), eta=4, configs=64)
    rng = random.Random(3)
    begun, kept = set(), []
    while isinstance(job := core.ask(), Job):
        begun.add(job.trial)
        core.tell(job, Outcome(rng.random()))
        kept.append(len(begun) - len(core.finished()))
    assert max(kept) <= 16 + 4
    assert kept[-1] == 0


def test_a_study_that_nothing_bounds_finishes_only_failures_and_the_top():
    core = ASHA(Independent(sampler, 0), rungs=(1, 4), eta=2, configs=None)
    outcomes = iter([Outcome(0.5), Outcome(0.4), Outcome(0.3), Outcome(None), Outcome(None, diverged=True)])
    jobs = []
    for outcome in outcomes:
        jobs.append(core.ask())
        core.tell(jobs[-1], outcome)
    assert [(job.trial, job.rung) for job in jobs] == [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0)]
    assert list(core.finished()) == [1, 2, 3]
