"""What tests of samplers share: small studies, and a space whose configurations say where they come from."""

import numpy as np

from asha_nas.schedulers import FullTraining, Job, Outcome
from spaces.encodings import Hyperparameters
from spaces.hyperparameters import from_plain

CRASHED = Outcome(None)
DIVERGED = Outcome(None, diverged=True)
SWITCHES = Hyperparameters(from_plain({f"switch{i}": {"choices": ["a", "b", "c"]} for i in range(8)}))


def switches(config):
    """An easy problem of SWITCHES: the part of the switches that are wrong."""
    return sum(value != "abc"[i % 3] for i, value in enumerate(config.values())) / len(config)


def job(trial, config, budget=1):
    return Job(trial, trial, config, 0, 0, budget)


def tell(sampler, trial, loss, budget=1, config=None):
    """Propose trial `trial`, unless it is given, and tell its end: a loss or an outcome. Gives the configuration."""
    if config is None:
        config = sampler.propose(trial).config
    sampler.learn(job(trial, config, budget), loss if isinstance(loss, Outcome) else Outcome(float(loss)))
    return config


def play(sampler, loss, trials, workers=1, seed=0):
    """Losses in the order in which trials end: any of those in flight, by lot."""
    core, rng, in_flight, losses = FullTraining(sampler, R=1, configs=trials), np.random.default_rng(seed), [], []
    while len(losses) < trials:
        while len(in_flight) < min(workers, trials - len(losses)):
            in_flight.append(core.ask())
        ended = in_flight.pop(int(rng.integers(len(in_flight))))
        losses.append(loss(ended.config))
        core.tell(ended, Outcome(losses[-1]))
    return losses


class Lineage:
    """A space of numbered beings; a child names its parent. `valid` says which values decode."""

    default = None

    def __init__(self, valid=lambda values: True):
        self.space = from_plain({"name": {"choices": ["a", "b", "c"]}, "size": {"ordered": [1, 2, 4]}})
        self.valid = valid
        self.asked = 0

    def draw(self, rng):
        return {"id": int(rng.integers(2**40)), "parent": None}

    def mutate(self, config, rng):
        return {"id": int(rng.integers(2**40)), "parent": config["id"]}

    def decode(self, values):
        self.asked += 1
        return dict(values) if self.valid(values) else None

    def encode(self, config):
        return {"name": config.get("name", "a"), "size": config.get("size", 1)}
