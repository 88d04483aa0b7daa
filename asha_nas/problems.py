"""From a spec to what runs: how configurations are drawn, and what a trial does with one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ConfigSpace import ConfigurationSpace

from asha_nas import searching, tabulation
from asha_nas.schedulers import Config, Draw
from asha_nas.study import FullTraining, Objective, PartialTraining, Search, StudySpec, Tabulation, Tune
from spaces import hyperparameters
from spaces.darts_cell import parse_genotype, sample_genotype
from spaces.encodings import Encoding, Hyperparameters
from spaces.errors import InvalidValue
from trials import objective, training
from trials.cell_training import CellTraining
from trials.contract import Trial
from trials.data import data_folder
from trials.search import OneShotSearch


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
        UserError: its table is not there, or cannot score every cell of the space that is searched.
    """
    problem, R = spec.problem, spec.scheduler.R
    if isinstance(problem, Objective):
        return _objective(problem, function)
    if isinstance(problem, Tabulation):
        tabulation.check_channels(spec)
        return Problem(_nothing, CellTraining(problem.data, problem.recipe, _data_dir()), problem.metric)
    if isinstance(problem, Search):
        return Problem(_nothing, _one_shot(problem), problem.metric)
    if isinstance(problem, Tune):
        space = Hyperparameters(problem.described())
        return Problem(space.draw, _one_shot(problem), problem.metric, encoding=space)
    if isinstance(problem, PartialTraining):
        partial = training.PartialTraining(problem.data, problem.recipe, horizon=R, data_dir=_data_dir())
        return Problem(_Architectures(problem.operations), partial, problem.metric)
    full = training.FullTraining(problem.data, problem.recipe, horizon=R, data_dir=_data_dir())
    return Problem(_Always(problem.genotype), full, problem.metric)


def identity(spec: StudySpec, config: Config) -> str | None:
    """Canonical identity of the architecture in ``config``, where the space has one."""
    if isinstance(spec.problem, PartialTraining | FullTraining):
        return parse_genotype(config["genotype"]).identity
    return None


def _data_dir() -> str:
    """The driver's data folder, for all workers: their environment and working folder may be others."""
    return str(data_folder().absolute())


def _nothing(_rng: Any) -> Config:
    """A sweep's configurations are listed, not drawn."""
    raise AssertionError


@dataclass(frozen=True, slots=True)
class _Architectures:
    operations: str

    def __call__(self, rng: Any) -> Config:
        return {"genotype": str(sample_genotype(rng, self.operations))}


@dataclass(frozen=True, slots=True)
class _Always:
    genotype: str

    def __call__(self, _rng: Any) -> Config:
        return {"genotype": self.genotype}


def _one_shot(problem: Search | Tune) -> OneShotSearch:
    searching.scorer(problem)  # say now, not in every worker, what it cannot score
    return OneShotSearch(
        problem.optimizer, problem.space, problem.data, problem.recipe, problem.table, problem.variant, _data_dir()
    )


def _objective(problem: Objective, function: objective.Function | None) -> Problem:
    if function is None:
        objective.resolve_function(problem.objective)  # say now, not in every worker, that it is not installed
    space = problem.space
    described = objective.resolve(space) if isinstance(space, str) else hyperparameters.from_plain(space)
    if not isinstance(described, ConfigurationSpace):
        raise InvalidValue("space", space, "must name a ConfigSpace.ConfigurationSpace")
    trial = objective.Objective(function or problem.objective, problem.metric)
    encoding = Hyperparameters(described)
    return Problem(encoding.draw, trial, problem.metric, problem.mode == "max", encoding)
