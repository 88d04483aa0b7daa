"""Every scheduler core keeps the protocol's guarantees."""

import itertools

import pytest
from hypothesis import given, settings

from asha_nas import samplers
from asha_nas.samplers import DefaultFirst, Independent
from asha_nas.schedulers import (
    ASHA,
    DONE,
    FullTraining,
    Outcome,
    Piece,
    ProtocolError,
    Sweep,
    SynchronousHalving,
    halving,
    hyperband,
    ladder,
)
from spaces.encodings import Hyperparameters
from spaces.hyperparameters import from_plain
from tests.contracts import scheduler as contract


def sampler(rng):
    return {"x": int(rng.integers(1000)), "y": float(rng.random())}


def asha(rungs="geometric", promotion="capped", **bounds):
    bounds = {"configs": None, **bounds}
    return lambda: ASHA(Independent(sampler, 7), rungs=ladder(1, 20, 3, rungs), eta=3, promotion=promotion, **bounds)


def halved(brackets, iterations, **options):
    sampler_of_7 = Independent(sampler, 7)
    return SynchronousHalving(sampler_of_7, rungs=(1, 3, 9), brackets=brackets, iterations=iterations, **options)


def learning(sampler, categories=False, **options):
    """A sampler that learns, in a small space."""
    numbers = {"x": {"range": [0, 1000]}, "y": {"range": [0.0, 1.0]}}
    space = {f"c{i}": {"choices": list("abc")} for i in range(3)} if categories else numbers
    return getattr(samplers, sampler)(Hyperparameters(from_plain(space)), 7, **options)


CORES = {
    "asha-configs": asha(configs=17),
    "asha-eager-configs": asha("released", "eager", configs=17),
    "asha-epochs": asha("released", max_epochs=60),
    "asha-eager-both": asha("geometric", "eager", configs=12, max_epochs=45),
    "asha-unbounded": asha(),
    "asha-one-rung": lambda: ASHA(Independent(sampler, 0), rungs=(5,), eta=2, configs=6),
    "asha-brackets": asha(configs=17, brackets=3),
    "asha-brackets-scratch": asha("released", max_epochs=60, brackets=2, from_scratch=True),
    "halving": lambda: halved([halving(9, 3, 3)], 2),
    "hyperband": lambda: halved(hyperband(3, 3), 4),
    "hyperband-scratch": lambda: halved(hyperband(3, 3), 3, from_scratch=True),
    "hyperband-epochs-scratch": lambda: halved(hyperband(3, 3), None, max_epochs=65, from_scratch=True),
    "asha-brackets-epochs": asha("released", "eager", configs=12, max_epochs=70, brackets=3),
    "hyperband-epochs": lambda: halved(hyperband(3, 3), None, max_epochs=70),
    "hyperband-unbounded": lambda: halved(hyperband(3, 3), None),
    "bohb": lambda: SynchronousHalving(
        DefaultFirst({"x": 3, "y": 0.5}, learning("KDE", samples=8)),
        rungs=(1, 3),
        brackets=hyperband(2, 3),
        iterations=6,
        from_scratch=True,
    ),
    "async-bohb": lambda: ASHA(learning("KDE", samples=8), rungs=(1, 3, 9), eta=3, configs=20, brackets=2),
    "evolution": lambda: FullTraining(learning("Evolution", population=5, sample=2), R=5, configs=25),
    "reinforce": lambda: FullTraining(learning("Reinforce", categories=True), R=5, configs=25),
    "asha-eager-eta-2": lambda: ASHA(Independent(sampler, 0), rungs=(1, 2, 4, 8), eta=2, configs=12, promotion="eager"),
    "random-configs": lambda: FullTraining(Independent(sampler, 7), R=5, configs=9),
    "random-epochs": lambda: FullTraining(Independent(sampler, 7), R=5, configs=None, max_epochs=33),
    "sweep-unbounded-by-losses": lambda: Sweep([Piece({"n": n}, n % 3, (1, 3, 9)[n % 3]) for n in range(11)]),
    "random-unbounded": lambda: FullTraining(Independent(sampler, 7), R=5, configs=None),
}


@pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("core", CORES)
@settings(max_examples=15)
@given(play=contract.plays())
def test_contract(core, law, play):
    law(CORES[core], play)


SLOW = {
    "hpbandster": ("hpbandster", lambda: SynchronousHalving(
        learning("HpBandSter", samples=2), rungs=(1, 3), brackets=hyperband(2, 3), iterations=5,
    )),
    "tpe": ("optuna", lambda: FullTraining(learning("TPE", startup=3), R=5, configs=8)),
    "smac": ("smac", lambda: FullTraining(learning("SMAC", startup=4, challengers=20), R=5, configs=6)),
}  # fmt: skip


@pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("core", SLOW)
def test_contract_of_libraries_that_take_their_time(core, law):
    library, make = SLOW[core]
    pytest.importorskip(library, reason=f"{core} needs {library}")
    ends = tuple((3 * i, contract.DIVERGED if i == 5 else Outcome(float(i % 4))) for i in range(7))
    law(make, contract.Play(3, ends))


@pytest.mark.parametrize("core", [name for name in CORES if "unbounded" not in name])
@settings(max_examples=15)
@given(play=contract.plays())
def test_a_bounded_study_ends(core, play):
    table = contract.Table(CORES[core](), play).finish()
    assert table.answers[-1] == (DONE, 0)


class _Leaky:
    """A core with a defect of choice; the suite must find it."""

    def __init__(self, defect):
        self.defect = defect
        self.core = ASHA(Independent(sampler, 7), rungs=(1, 3, 9), eta=3, configs=9)
        self.waits = 0
        self.told = []

    def ask(self):
        answer = self.core.ask()
        if self.defect == "waits count" and answer is contract.WAIT:
            self.waits += 1
            if self.waits == 2:
                return self.core._desk.hand_out(99, {}, 0, 0, 1)
        if self.defect == "impatient" and answer is contract.WAIT:
            return DONE
        if self.defect == "never done" and answer is DONE:
            return contract.WAIT
        return answer

    def tell(self, job, outcome):
        self.told.append(job.trial)
        if self.defect == "failures promoted" and outcome.loss is None:
            outcome = Outcome(-1e9)
        try:
            self.core.tell(job, outcome)
        except ProtocolError:
            if self.defect != "told twice":
                raise

    def finished(self):
        if self.defect == "finished too early":
            return self.told
        return self.core.finished() if self.defect != "never finished" else []


@pytest.mark.parametrize(
    ("defect", "law"),
    [
        ("waits count", contract.waiting_changes_nothing),
        ("impatient", contract.done_is_final),
        ("never done", contract.wait_ends),
        ("failures promoted", contract.a_trial_is_one_thread),
        ("told twice", contract.told_once),
        ("finished too early", contract.finished_is_final),
        ("never finished", contract.who_failed_is_finished),
        ("never finished", contract.in_the_end_all_are_finished),
    ],
)
def test_the_suite_finds_defects(defect, law):
    ends = tuple((3 * i, contract.CRASHED if i % 3 == 0 else Outcome(float(i))) for i in range(9))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        law(lambda: _Leaky(defect), contract.Play(4, ends))


def test_a_core_with_hidden_state_is_found():
    shared = itertools.count()

    def make():
        return ASHA(Independent(lambda rng: {"x": next(shared)}, 7), rungs=(1, 3), eta=3, configs=9)

    play = contract.Play(2, ((0, Outcome(1.0)),))
    for law in (contract.replaying_any_prefix_gives_the_same_core, contract.two_cores_share_nothing):
        with pytest.raises(AssertionError):
            law(make, play)
