"""From a spec to what decides: the sampler that says what is tried next, and the scheduler core around it."""

from __future__ import annotations

from asha_nas import searching, tabulation
from asha_nas.problems import Problem
from asha_nas.samplers import Independent
from asha_nas.schedulers import ASHA, FullTraining, Sampler, Scheduler, Sweep
from asha_nas.study import Asha, Random, Search, StudySpec


def sampler(spec: StudySpec, problem: Problem) -> Sampler:
    """A fresh sampler for a spec."""
    return Independent(problem.draw, spec.seed)


def scheduler(spec: StudySpec, sampler: Sampler) -> Scheduler:
    """A fresh scheduler core for a spec, around a fresh sampler."""
    options = spec.scheduler
    if isinstance(options, Asha):
        return ASHA(
            sampler, rungs=options.ladder, eta=options.eta, configs=options.configs,
            max_epochs=options.max_epochs, promotion=options.promotion, from_scratch=spec.problem.from_scratch,
        )  # fmt: skip
    if isinstance(options, Random):
        return FullTraining(sampler, R=options.R, configs=options.configs, max_epochs=options.max_epochs)
    return Sweep(searching.pieces(spec) if isinstance(spec.problem, Search) else tabulation.pieces(spec))
