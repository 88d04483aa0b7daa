"""Every sampler keeps the protocol's guarantees, on spaces of every kind (SMAC: see `test_smac.py`)."""

import importlib.util
import itertools
import subprocess
import sys

import numpy as np
import pytest
from ConfigSpace import (
    ConfigurationSpace,
    EqualsCondition,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    GreaterThanCondition,
)
from hypothesis import given, settings

from asha_nas import samplers
from asha_nas.samplers import KDE, Evolution, HpBandSter, Independent, Reinforce
from asha_nas.schedulers import Outcome, Proposal
from spaces.encodings import Hyperparameters
from spaces.hyperparameters import from_plain
from tests.contracts import sampler as contract

MIXED = {
    "rate": {"range": [1e-4, 1.0], "log": True},
    "width": {"range": [1, 9]},
    "kind": {"choices": ["a", "b", "c"]},
}


def conditional():
    """`momentum` depends on a category, `warmup` on a number that depends on it; some combinations are forbidden."""
    space = from_plain({
        "optimizer": {"choices": ["sgd", "adam"]},
        "layers": {"range": [1, 4]},
        "momentum": {"range": [0.0, 1.0]},
        "warmup": {"range": [1, 100], "log": True},
    })  # fmt: skip
    space.add(EqualsCondition(space["momentum"], space["optimizer"], "sgd"))
    space.add(GreaterThanCondition(space["warmup"], space["momentum"], 0.5))
    forbidden = ForbiddenEqualsClause(space["optimizer"], "adam"), ForbiddenEqualsClause(space["layers"], 4)
    space.add(ForbiddenAndConjunction(*forbidden))
    return space


ENCODINGS = {
    "mixed": lambda: Hyperparameters(from_plain(MIXED)),
    "conditional": lambda: Hyperparameters(conditional()),
    "ordinals": lambda: Hyperparameters(
        from_plain({"size": {"ordered": [1, 4, 9, 100]}, "kind": {"ordered": ["low", "high"]}, "one": {"constant": 3}})
    ),
    "categories": lambda: Hyperparameters(from_plain({f"edge{i}": {"choices": list("abcdef")} for i in range(3)})),
}
SAMPLERS = {  # name: (how one is made, which encodings it takes)
    "random": (lambda encoding, seed: Independent(encoding.draw, seed), ENCODINGS),
    "kde": (KDE, ENCODINGS),
    "kde-greedy": (lambda encoding, seed: KDE(encoding, seed, random_fraction=0, samples=4), ENCODINGS),
    "hpbandster": (
        lambda encoding, seed: HpBandSter(encoding, seed, samples=4),
        [name for name in ENCODINGS if name != "ordinals"],
    ),
    "evolution": (lambda encoding, seed: Evolution(encoding, seed, population=4, sample=2), ENCODINGS),
    "reinforce": (lambda encoding, seed: Reinforce(encoding, seed, learning_rate=1.0), ["ordinals", "categories"]),
    "tpe": (lambda encoding, seed: samplers.TPE(encoding, seed, startup=4), ENCODINGS),
}
NEEDS = {"tpe": "optuna"}


def maker(sampler, encoding):
    if (library := NEEDS.get(sampler)) and importlib.util.find_spec(library) is None:
        pytest.skip(f"needs {library}: pip install 'asha-nas[{sampler}]'")
    return lambda seed: SAMPLERS[sampler][0](encoding, seed)


@pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(("sampler", "space"), [(name, space) for name in SAMPLERS for space in SAMPLERS[name][1]])
@settings(max_examples=5)
@given(play=contract.plays())
def test_contract(sampler, space, law, play):
    encoding = ENCODINGS[space]()
    law(maker(sampler, encoding), encoding, play)


@pytest.mark.parametrize("sampler", ["kde", "hpbandster"])
@pytest.mark.parametrize("space", ["mixed", "conditional", "categories"])
def test_plays_are_long_enough_for_a_model(sampler, space):
    encoding = ENCODINGS[space]()
    play = contract.Play(2, tuple((i, Outcome(float(i % 5)), False) for i in range(7)))
    log = contract.Table(maker(sampler, encoding)(0), play).finish().log
    assert {made.origin for made in contract.proposals(log)} >= {"random", "model"}


def test_libraries_are_imported_on_first_use():
    code = (
        "import sys, asha_nas.samplers; sys.exit(bool({'optuna', 'smac', 'scipy', 'ConfigSpace'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class _Leaky:
    """A sampler with a defect of choice; the suite must find it."""

    shared = itertools.count()

    def __init__(self, defect, encoding, seed):
        self.defect = defect
        self.sampler = Independent(encoding.draw, 0 if defect == "no seed" else seed)
        self.space = encoding.space
        self.learned = []
        self.first = None

    def propose(self, number):
        if self.defect == "the space's generator":
            return Proposal(dict(self.space.sample_configuration()), "random")
        made = dict(self.sampler.propose(number).config)
        match self.defect:
            case "global draw":
                made["rate"] = float(np.random.uniform(0.1, 1))  # noqa: NPY002
            case "global seed":
                np.random.seed(number)  # noqa: NPY002
            case "shared":
                made["width"] = next(self.shared) % 9 + 1
            case "NumPy values":
                made["width"] = np.int64(made["width"])
            case "out of range":
                made["width"] = 10
            case "counts on its first":
                self.first = made if number == 0 else self.first
                made = dict(self.first)
            case "results first":
                made["width"] = min(self.learned)[1] if number > 4 else made["width"]
            case "losses only":
                made["width"] = 1 + len([loss for loss, _ in self.learned if loss < 0])
        return Proposal(made, "" if self.defect == "no origin" else "random")

    def learn(self, job, outcome):
        self.learned.append((outcome.loss, job.config["width"]))
        if self.defect == "changes jobs":
            job.config["width"] = 1


@pytest.mark.parametrize(
    ("defect", "law"),
    [
        ("global draw", contract.replaying_the_log_gives_the_same_proposals),
        ("global draw", contract.global_randomness_is_neither_used_nor_changed),
        ("global seed", contract.global_randomness_is_neither_used_nor_changed),
        ("the space's generator", contract.global_randomness_is_neither_used_nor_changed),
        ("shared", contract.replaying_the_log_gives_the_same_proposals),
        ("shared", contract.two_samplers_share_nothing),
        ("no seed", contract.the_seed_matters),
        ("NumPy values", contract.proposals_are_legal_and_plain),
        ("out of range", contract.proposals_are_legal_and_plain),
        ("no origin", contract.proposals_are_legal_and_plain),
        ("changes jobs", contract.it_changes_nothing_it_is_given),
        ("losses only", contract.it_learns_from_failures_alone),
        ("results first", contract.it_needs_no_results),
        ("counts on its first", contract.another_may_propose_the_first),
    ],
)
def test_the_suite_finds_defects(defect, law):
    encoding = ENCODINGS["mixed"]()
    play = contract.Play(2, ((0, Outcome(2.0), True), (1, Outcome(1.0), False)))
    law(maker("random", encoding), encoding, play)  # as it should be
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a defective sampler does
        law(lambda seed: _Leaky(defect, encoding, seed), encoding, play)


def test_spaces_are_what_their_names_say():
    assert isinstance(conditional(), ConfigurationSpace)
    assert ENCODINGS["conditional"]().decode({"optimizer": "adam", "layers": 4}) is None
