"""TPE: the tree-structured Parzen estimator of Optuna (extra ``tpe``), as a sampler.

Source: Bergstra et al. (2011), *Algorithms for hyper-parameter optimization*; the model is Optuna's ``TPESampler``, one
density for each hyperparameter, as in the paper and in the baselines of NAS-Bench-101. Here is only what lies between:
a space of ConfigSpace in Optuna's terms, results told, and seeds from which a study can be replayed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ConfigSpace import CategoricalHyperparameter, Constant, OrdinalHyperparameter
from ConfigSpace.hyperparameters import IntegerHyperparameter

from asha_nas.schedulers import Job, Outcome, Proposal
from spaces.encodings import Encoding
from spaces.errors import InvalidValue, UserError
from spaces.hyperparameters import compose

try:
    from optuna import Study, Trial, create_study
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState, create_trial
except ModuleNotFoundError as error:
    raise UserError("TPE needs Optuna, which is not installed\npip install 'asha-nas[tpe]'") from error

TRIES = 100
"""Suggestions that may make no valid configuration before one is drawn from the space instead."""


class TPE:
    """Proposes what Optuna's TPE suggests, once ``startup`` results are there; before, it draws as random search does.

    Each proposal is suggested by a fresh ``TPESampler`` with a seed from (seed, number). Trials in flight count as bad
    ones (its "constant liar"), so that several workers do not try the same. A trial counts with its result at its
    highest budget. Optuna ignores a failed trial: that is what a crash is told as. What diverged, and suggestions that
    stand for no valid configuration, are told as pruned before their first step, which TPE ranks behind all results.
    """

    def __init__(self, encoding: Encoding, seed: int, *, startup: int = 10) -> None:
        """A sampler that has learned nothing yet.

        Args:
            encoding: the space.
            seed: of the study.
            startup: results before the model is used, >= 1. 10 is Optuna's own default.

        Raises:
            InvalidValue: ``startup`` is less than 1.
        """
        if startup < 1:
            raise InvalidValue("startup", startup, "must be at least 1")
        self._encoding = encoding
        self._seed = seed
        self._startup = startup
        self._study = _new_study()
        self._numbers: dict[int, int] = {}  # the study's number of each of our trials
        self._results: set[int] = set()  # our trials that have one

    def propose(self, number: int) -> Proposal:
        """What TPE suggests, or a random configuration."""
        rng = np.random.default_rng([self._seed, number])
        self._study.sampler = _sampler(int(rng.spawn(1)[0].integers(2**32)))
        for _ in range(TRIES if len(self._results) >= self._startup else 0):
            trial, values = self._ask()
            config = self._encoding.decode(values)
            if config is not None:
                self._numbers[number] = trial.number
                return Proposal(config, "model")
            self._study.tell(trial, state=TrialState.PRUNED)
        config = self._encoding.draw(rng)
        self._add(number, self._encoding.encode(config))
        return Proposal(config, "random")

    def learn(self, job: Job, outcome: Outcome) -> None:
        """Tell Optuna how a trial ended; a later result of the same trial takes the place of the one before."""
        if job.trial not in self._numbers:
            self._add(job.trial, self._encoding.encode(job.config))
        first = not self._study.get_trials(deepcopy=False)[self._numbers[job.trial]].state.is_finished()
        crashed = outcome.loss is None and not outcome.diverged
        if not first and crashed:
            return
        state = TrialState.FAIL if crashed else TrialState.PRUNED if outcome.diverged else TrialState.COMPLETE
        if first:
            self._study.tell(self._numbers[job.trial], outcome.loss, state)
        else:
            self._replace(self._numbers[job.trial], outcome.loss, state)
        (self._results.discard if outcome.loss is None else self._results.add)(job.trial)

    def _ask(self) -> tuple[Trial, dict[str, Any]]:
        """A trial in flight, and its values: of a trial that was enqueued, or what the sampler suggests."""
        trial = self._study.ask()
        return trial, compose(self._encoding.space, lambda one: _suggest(trial, one))

    def _add(self, number: int, values: dict[str, Any]) -> None:
        """Let the study know of a trial in flight that it did not suggest."""
        space = self._encoding.space
        self._study.enqueue_trial({name: _internal(space[name], value) for name, value in values.items()})
        self._numbers[number] = self._ask()[0].number

    def _replace(self, number: int, loss: float | None, state: TrialState) -> None:
        """Change what a finished trial ended with; Optuna forbids that, so make a study with it."""
        known = self._study.get_trials(deepcopy=False)
        old = known[number]
        known[number] = create_trial(state=state, value=loss, params=old.params, distributions=old.distributions)
        self._study = _new_study()
        self._study.add_trials(known)


def _new_study() -> Study:
    with _quiet("optuna.storages"):
        return create_study(sampler=_sampler(0))


def _sampler(seed: int) -> TPESampler:
    # Random draws at the start are ours, from the space's own distribution, so Optuna need not make any.
    return TPESampler(n_startup_trials=0, multivariate=False, constant_liar=True, seed=seed)


def _suggest(trial: Trial, one: Any) -> Any:
    """A value of a hyperparameter. Optuna sees categories by their position: they need not be of a type it takes."""
    match one:
        case Constant():
            return one.value
        case CategoricalHyperparameter():
            return one.choices[trial.suggest_categorical(one.name, range(len(one.choices)))]
        case OrdinalHyperparameter():
            return one.sequence[trial.suggest_int(one.name, 0, len(one.sequence) - 1)]
        case IntegerHyperparameter():
            return trial.suggest_int(one.name, one.lower, one.upper, log=one.log)
    return trial.suggest_float(one.name, one.lower, one.upper, log=one.log)


def _internal(one: Any, value: Any) -> Any:
    """What Optuna would have suggested for a value."""
    match one:
        case CategoricalHyperparameter():
            return one.choices.index(value)
        case OrdinalHyperparameter():
            return one.sequence.index(value)
    return value


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Let a logger say nothing below a warning for a while."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
