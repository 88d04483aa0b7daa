"""SMAC: sequential model-based configuration with random forests, from SMAC3 (extra ``smac``), as a sampler.

Source: Hutter, Hoos & Leyton-Brown (2011), *Sequential model-based optimization for general algorithm configuration*,
and Lindauer et al. (2022, arXiv:2109.09831). The forest, the expected improvement and the search for its maximum are
SMAC3's, put together as its facade for hyperparameters does. That facade itself is not used: it carries generators from
call to call, writes into folders, knows no later result of the same trial, and starts its local searches in an order of
hashes of text, so that a study could not be replayed in another process.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from ConfigSpace import Configuration

from asha_nas.schedulers import Config, Job, Outcome, Proposal
from spaces.encodings import Encoding
from spaces.errors import InvalidValue, UserError

try:
    from smac.acquisition.function import EI
    from smac.acquisition.maximizer import LocalAndSortedRandomSearch, LocalSearch
    from smac.model.random_forest import RandomForest
except ModuleNotFoundError as error:
    raise UserError("SMAC needs SMAC3, which is not installed\npip install 'asha-nas[smac]'") from error

ROUNDS = 5
"""Searches that may find no new valid configuration before one is drawn from the space instead."""
SMALLEST = 1e-10
"""Of a loss on the scale from 0 to 1, before its logarithm is taken."""

Floats = npt.NDArray[np.float64]


class SMAC:
    """Proposes where a random forest expects the greatest improvement, once ``startup`` results are there.

    Before that, and now and then later, it draws at random. A new forest is grown for each proposal, with a seed from
    (seed, number), from the result of each trial at its highest budget. What diverged, and what stood for no valid
    configuration, counts as the worst loss; a crash says nothing. Trials in flight are not proposed again.
    """

    def __init__(
        self, encoding: Encoding, seed: int, *, startup: int = 10, random_fraction: float = 0.2, challengers: int = 1000
    ) -> None:
        """A sampler that has learned nothing yet.

        Args:
            encoding: the space.
            seed: of the study.
            startup: results before the forest is used, >= 1. SMAC3 begins with ten for each hyperparameter.
            random_fraction: of later proposals, from 0 to 1; 0.2 is SMAC3's own.
            challengers: random configurations, of which the best ten start local searches, >= 10. SMAC3's facade for
                hyperparameters takes 10,000, the one for few evaluations 1,000.

        Raises:
            InvalidValue: a number is outside its range.
        """
        if startup < 1:
            raise InvalidValue("startup", startup, "must be at least 1")
        if not 0 <= random_fraction <= 1:
            raise InvalidValue("random_fraction", random_fraction, "must be from 0 to 1")
        if challengers < 10:
            raise InvalidValue("challengers", challengers, "must be at least 10")
        self._encoding = encoding
        self._space = copy.deepcopy(encoding.space)  # its generator is ours to seed
        self._seed = seed
        self._startup = startup
        self._random_fraction = random_fraction
        self._challengers = challengers
        self._trials: dict[int, Configuration] = {}  # proposed
        self._losses: dict[int, float | None] = {}  # by trial; None: diverged
        self._invalid: list[Configuration] = []

    def propose(self, number: int) -> Proposal:
        """The configuration with the greatest expected improvement, or a random one."""
        rng = np.random.default_rng([self._seed, number])
        enough = sum(loss is not None for loss in self._losses.values()) >= self._startup
        chance = rng.spawn(1)[0]  # so that what is drawn is what random search would draw
        if enough and chance.random() >= self._random_fraction:
            for seed in chance.integers(2**31, size=ROUNDS).tolist():
                for challenger in self._best(seed):
                    config = self._encoding.decode(dict(challenger))
                    if config is not None:
                        self._trials[number] = challenger
                        return Proposal(config, "model")
                    self._invalid.append(challenger)
        config = self._encoding.draw(rng)
        self._trials[number] = self._configuration(config)
        return Proposal(config, "random")

    def learn(self, job: Job, outcome: Outcome) -> None:
        """Remember how a trial ended, in place of how it ended at a lower budget."""
        if outcome.loss is not None or outcome.diverged:
            self._trials.setdefault(job.trial, self._configuration(job.config))
            self._losses[job.trial] = outcome.loss

    def _configuration(self, config: Config) -> Configuration:
        return Configuration(self._space, values=self._encoding.encode(config))

    def _best(self, seed: int) -> Iterator[Configuration]:
        """Configurations not seen yet, the greatest expected improvement first."""
        known = [self._trials[trial] for trial in self._losses] + self._invalid
        losses = [*self._losses.values(), *(None for _ in self._invalid)]
        worst = max(loss for loss in losses if loss is not None)
        told = np.array([worst if loss is None else loss for loss in losses])
        acquisition = self._improvement(np.array([one.get_array() for one in known]), told, seed)
        seen = {_key(one) for one in (*self._trials.values(), *self._invalid)}
        search = LocalAndSortedRandomSearch(self._space, acquisition, self._challengers, seed=seed)
        search._local_search = _Ordered(self._space, acquisition, seed=seed)
        self._space.seed(seed)
        return (one for one in search.maximize(known) if _key(one) not in seen)

    def _improvement(self, points: Floats, losses: Floats, seed: int) -> EI:
        """Expected improvement by a forest grown on points (n, d) with losses (n,); settings of SMAC3's facade."""
        # The same trees as with a million leaves, which scikit-learn would make room for each time (0.2 s a tree); and
        # in one thread, since a thread's start takes longer than a tree.
        forest = RandomForest(
            self._space, log_y=True, n_trees=10, ratio_features=1.0, min_samples_split=2, min_samples_leaf=1,
            max_leaf_nodes=len(points) + 1, bootstrapping=True, n_jobs=1, seed=seed,
        )  # fmt: skip
        forest.train(points, log_scaled(losses)[:, None])
        acquisition = EI(log=True)
        acquisition.update(model=forest, eta=float(forest.predict_marginalized(points)[0].min()))
        return acquisition


class _Ordered(LocalSearch):
    """SMAC3's local search, from the same starting points in an order that does not change from process to process."""

    def _get_init_points_from_previous_configs(self, *args: Any, **kwargs: Any) -> list[Configuration]:
        return sorted(super()._get_init_points_from_previous_configs(*args, **kwargs), key=_key)


def log_scaled(losses: Floats) -> Floats:
    """Losses as SMAC3's forest learns them: on a linear scale to (0, 1], then their logarithms.

    The scale begins as far below the best loss as the 5th percentile lies above it. (n,) to (n,); zeros where all are
    equal.
    """
    best, worst = losses.min(), losses.max()
    low = best - (np.percentile(losses, 5) - best)
    return np.log(np.maximum((losses - low) / (worst - low), SMALLEST)) if worst > best else np.zeros_like(losses)


def _key(configuration: Configuration) -> tuple[float, ...]:
    """The configuration's vector, −1 where it has no value."""
    return tuple(np.nan_to_num(configuration.get_array(), nan=-1.0).tolist())
