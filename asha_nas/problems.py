"""From a spec to what runs: how configurations are drawn, and what a trial does with one.

What trains is imported where it is needed, so that a study of look-ups does without PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ConfigSpace import ConfigurationSpace

from asha_nas import lookups, searching, tabulation
from asha_nas.schedulers import Config, Draw
from asha_nas.study import (
    Curves,
    FullTraining,
    Lookup,
    Objective,
    PartialTraining,
    Search,
    StudySpec,
    Tabulation,
    Tune,
    Workers,
)
from spaces import hyperparameters
from spaces.darts_cell import parse_genotype
from spaces.encodings import DartsCnn, Encoding, Hyperparameters, encoding_of
from spaces.errors import InvalidValue
from trials import objective
from trials.contract import Trial
from trials.folders import data_folder


@dataclass(frozen=True, slots=True)
class Problem:
    """What is optimised."""

    draw: Draw
    """Draws a configuration."""
    trial: Trial
    """Trains one. Picklable where its function is."""
    metric: str
    """The metric a scheduler compares trials by."""
    maximise: bool = False
    encoding: Encoding | None = None
    """The space as samplers that learn see it; ``None`` where configurations are listed or always the same."""

    def loss(self, metrics: Mapping[str, float]) -> float:
        """The one place where a direction is settled: less is better. NaN if the metric is missing."""
        value = metrics.get(self.metric, math.nan)
        return -value if self.maximise else value


def build(spec: StudySpec, function: objective.Function | None = None) -> Problem:
    """The problem of a spec.

    Args:
        spec: what to run.
        function: stands in for ``problem.objective`` when that cannot be imported by name.

    Raises:
        InvalidValue: the spec names a function or a space that is not installed.
        UserError: its table or its curves are not there, or do not have all that the study will ask for.
    """
    problem = spec.problem
    if isinstance(problem, Objective):
        return _objective(problem, function, None if isinstance(spec.engine, Workers) else PLAYED_SECONDS)
    if isinstance(problem, Lookup):
        encoding = encoding_of(problem.space)
        return Problem(encoding.draw, lookups.checked_table(spec), problem.metric, encoding=encoding)
    if isinstance(problem, Curves):
        curves = lookups.checked_curves(spec)
        return Problem(curves.encoding.draw, curves, problem.metric, encoding=curves.encoding)
    if isinstance(problem, Tabulation):
        return _tabulation(spec, problem)
    if isinstance(problem, Search | Tune):
        return _one_shot(problem)
    return _training(problem, spec.scheduler.R)


def identity(spec: StudySpec, config: Config) -> str | None:
    """Canonical identity of the architecture in ``config``, where the space has one."""
    if isinstance(spec.problem, PartialTraining | FullTraining):
        return parse_genotype(config["genotype"]).identity
    if isinstance(spec.problem, Lookup):
        return lookups.cell_of(spec.problem, config).hash
    return None


def _data_dir() -> str:
    """The driver's data folder, for all workers: their environment and working folder may be others."""
    return str(data_folder().absolute())


def _nothing(_rng: Any) -> Config:
    """A sweep's configurations are listed, not drawn."""
    raise AssertionError


@dataclass(frozen=True, slots=True)
class _Always:
    genotype: str

    def __call__(self, _rng: Any) -> Config:
        return {"genotype": self.genotype}


def _training(problem: PartialTraining | FullTraining, R: int) -> Problem:
    from trials import training  # noqa: PLC0415 - imports PyTorch

    if isinstance(problem, PartialTraining):
        encoding = DartsCnn(problem.operations)
        partial = training.PartialTraining(problem.data, problem.recipe, horizon=R, data_dir=_data_dir())
        return Problem(encoding.draw, partial, problem.metric, encoding=encoding)
    full = training.FullTraining(problem.data, problem.recipe, horizon=R, data_dir=_data_dir())
    return Problem(_Always(problem.genotype), full, problem.metric)


def _tabulation(spec: StudySpec, problem: Tabulation) -> Problem:
    from trials.cell_training import CellTraining  # noqa: PLC0415 - imports PyTorch

    tabulation.check_channels(spec)
    return Problem(_nothing, CellTraining(problem.data, problem.recipe, _data_dir()), problem.metric)


def _one_shot(problem: Search | Tune) -> Problem:
    from trials.search import OneShotSearch  # noqa: PLC0415 - imports PyTorch

    searching.scorer(problem)  # say now, not in every worker, what it cannot score
    trial = OneShotSearch(
        problem.optimizer, problem.space, problem.data, problem.recipe, problem.table, problem.variant, _data_dir()
    )
    if isinstance(problem, Search):
        return Problem(_nothing, trial, problem.metric)
    encoding = Hyperparameters(problem.described())
    return Problem(encoding.draw, trial, problem.metric, encoding=encoding)


PLAYED_SECONDS = 1.0
"""What an epoch of a function counts on a virtual clock, unless its reports say."""


def _objective(problem: Objective, function: objective.Function | None, seconds: float | None) -> Problem:
    if function is None:
        objective.resolve_function(problem.objective)  # say now, not in every worker, that it is not installed
    space = problem.space
    described = objective.resolve(space) if isinstance(space, str) else hyperparameters.from_plain(space)
    if not isinstance(described, ConfigurationSpace):
        raise InvalidValue("space", space, "must name a ConfigSpace.ConfigurationSpace")
    trial = objective.Objective(function or problem.objective, problem.metric, seconds)
    encoding = Hyperparameters(described)
    return Problem(encoding.draw, trial, problem.metric, problem.mode == "max", encoding)
