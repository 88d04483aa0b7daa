"""From a spec to what decides: the sampler that says what is tried next, and the scheduler core around it."""

from __future__ import annotations

from typing import Any

from asha_nas import searching, tabulation
from asha_nas.problems import Problem
from asha_nas.samplers import DefaultFirst, Independent
from asha_nas.schedulers import ASHA, FullTraining, Sampler, Scheduler, Sweep, SynchronousHalving
from asha_nas.study import (
    LEARNING,
    Evolution,
    Full,
    Halving,
    Model,
    Promoting,
    Reinforce,
    Search,
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


def _learning(options: Model | Evolution | Reinforce | Tpe | Any, encoding: Encoding, seed: int) -> Sampler:
    # Each is imported when it is asked for: behind some are libraries that take seconds to load, or are not there.
    if isinstance(options, Model):
        return _model(options, encoding, seed)
    if isinstance(options, Evolution):
        from asha_nas.samplers.evolution import Evolution as Aging  # noqa: PLC0415

        return Aging(encoding, seed, population=options.population, sample=options.sample)
    if isinstance(options, Reinforce):
        from asha_nas.samplers.reinforce import Reinforce as Policy  # noqa: PLC0415

        return Policy(encoding, seed, learning_rate=options.learning_rate, baseline_decay=options.baseline_decay)
    if isinstance(options, Tpe):
        from asha_nas.samplers.tpe import TPE  # noqa: PLC0415

        return TPE(encoding, seed)
    from asha_nas.samplers.smac import SMAC  # noqa: PLC0415

    return SMAC(encoding, seed)


def _model(options: Model, encoding: Encoding, seed: int) -> Sampler:
    settings = {
        name: getattr(options, name)
        for name in ("top_n_percent", "samples", "random_fraction", "bandwidth_factor", "min_bandwidth", "min_points")
    }
    if options.sampler == "hpbandster":
        from asha_nas.samplers.hpbandster import HpBandSter  # noqa: PLC0415

        return HpBandSter(encoding, seed, **settings)
    from asha_nas.samplers.kde import KDE  # noqa: PLC0415

    return KDE(encoding, seed, **settings)


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
