"""From a spec to what decides: the sampler that says what is tried next, and the scheduler core around it."""

from __future__ import annotations

from asha_nas import samplers, searching, tabulation
from asha_nas.problems import Problem
from asha_nas.samplers import DefaultFirst, Independent
from asha_nas.schedulers import ASHA, FullTraining, Sampler, Scheduler, Sweep, SynchronousHalving
from asha_nas.study import (
    LEARNING,
    AnyScheduler,
    Evolution,
    Full,
    Halving,
    Model,
    Promoting,
    Reinforce,
    Search,
    Smac,
    StudySpec,
    Tpe,
)
from spaces.encodings import Encoding


def sampler(spec: StudySpec, problem: Problem) -> Sampler:
    """A fresh sampler for a spec.

    Raises:
        InvalidValue: the sampler cannot work in the space of the problem.
        UserError: the library behind it is not installed.
    """
    if not isinstance(spec.scheduler, LEARNING):
        return Independent(problem.draw, spec.seed)
    assert problem.encoding is not None  # a spec pairs nothing else
    made = _learning(spec.scheduler, problem.encoding, spec.seed)
    default = problem.encoding.default
    if isinstance(spec.scheduler, Model) and spec.scheduler.default_first and default is not None:
        return DefaultFirst(default, made)
    return made


def _learning(options: AnyScheduler, encoding: Encoding, seed: int) -> Sampler:
    # The package imports each when it is named: behind some are libraries that take seconds to load, or are not there.
    if isinstance(options, Model):
        settings = {name: getattr(options, name) for name in _MODEL}
        model = samplers.HpBandSter if options.sampler == "hpbandster" else samplers.KDE
        return model(encoding, seed, **settings)
    if isinstance(options, Evolution):
        return samplers.Evolution(encoding, seed, population=options.population, sample=options.sample)
    if isinstance(options, Reinforce):
        return samplers.Reinforce(
            encoding, seed, learning_rate=options.learning_rate, baseline_decay=options.baseline_decay
        )
    if isinstance(options, Tpe):
        return samplers.TPE(encoding, seed, startup=options.startup)
    assert isinstance(options, Smac)
    return samplers.SMAC(encoding, seed, startup=options.startup)


_MODEL = ("top_n_percent", "samples", "random_fraction", "bandwidth_factor", "min_bandwidth", "min_points")
"""Settings of either model."""


def scheduler(spec: StudySpec, sampler: Sampler) -> Scheduler:
    """A fresh scheduler core for a spec, around a fresh sampler."""
    options, from_scratch = spec.scheduler, spec.problem.from_scratch
    if isinstance(options, Promoting):
        return ASHA(
            sampler, rungs=options.ladder, eta=options.eta, configs=options.configs, max_epochs=options.max_epochs,
            promotion=options.promotion, brackets=options.first_rungs, from_scratch=from_scratch,
        )  # fmt: skip
    if isinstance(options, Halving):
        return SynchronousHalving(
            sampler, rungs=options.ladder, brackets=options.brackets, iterations=options.runs,
            max_epochs=options.max_epochs, from_scratch=from_scratch,
        )  # fmt: skip
    if isinstance(options, Full):
        return FullTraining(sampler, R=options.R, configs=options.configs, max_epochs=options.max_epochs)
    return Sweep(searching.pieces(spec) if isinstance(spec.problem, Search) else tabulation.pieces(spec))
