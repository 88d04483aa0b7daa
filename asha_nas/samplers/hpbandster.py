"""HpBandSter's own BOHB generator as a sampler: to compare with, and for who wants the original.

The one module that imports HpBandSter, which takes more than a second, so only when a sampler is made. HpBandSter draws
from numpy's global generator and swallows its errors; here it is seeded for each call and what it did is said in
:attr:`~asha_nas.schedulers.Proposal.origin`.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from ConfigSpace import ConfigurationSpace, OrdinalHyperparameter

from asha_nas.samplers.coordinates import min_points_of
from asha_nas.schedulers import Job, Outcome, Proposal
from spaces.encodings import Encoding
from spaces.errors import InvalidValue

MODEL_FAILED: Final = "random (model failed)"
"""Origin of a random configuration where the model should have made one, but could not or made none that is valid."""
NOT_FINITE: Final = "model (ratio not finite)"
"""Origin of a configuration that the model could not compare with others, as when all bad ones share a category."""


class HpBandSter:
    """Proposes what HpBandSter 0.7.4 would. Slow: about 50 ms a proposal."""

    def __init__(
        self,
        encoding: Encoding,
        seed: int,
        *,
        top_n_percent: int = 15,
        samples: int = 64,
        random_fraction: float = 1 / 3,
        bandwidth_factor: float = 3.0,
        min_bandwidth: float = 1e-3,
        min_points: int | None = None,
    ) -> None:
        """A sampler that has learned nothing yet.

        Args:
            encoding: the space; HpBandSter works on a copy of its hyperparameters.
            seed: >= 0; proposal i and what is learned i-th are seeded by (seed, i).
            top_n_percent: see :class:`~asha_nas.samplers.kde.KDE`, as for all others.
            samples: as there.
            random_fraction: as there.
            bandwidth_factor: as there.
            min_bandwidth: as there.
            min_points: as there, but that every hyperparameter counts.

        Raises:
            InvalidValue: a hyperparameter is ordinal, which HpBandSter cannot model; or ``min_points`` is too small.
        """
        self._encoding = encoding
        self._seed = seed
        self._space = copy.deepcopy(encoding.space)
        self._learned = 0
        self._said = _Said()
        _check(self._space)
        with _quiet():
            from hpbandster.optimizers.config_generators.bohb import BOHB  # noqa: PLC0415

            self._generator = BOHB(
                self._space, min_points_of(min_points, len(self._space)), top_n_percent, samples, random_fraction,
                bandwidth_factor, min_bandwidth, logger=self._said,
            )  # fmt: skip

    def propose(self, number: int) -> Proposal:
        """What the generator gives, or at random where that is no valid configuration."""
        rng = np.random.default_rng([self._seed, number])
        self._said.clear()
        with self._alone(rng):
            values, info = self._generator.get_config(None)  # it samples from the largest budget, whatever is asked for
        origin = self._origin(info["model_based_pick"])
        config = self._encoding.decode(values)
        if config is None:
            return Proposal(self._encoding.draw(rng), "random" if origin == "random" else MODEL_FAILED)
        return Proposal(config, origin)

    def learn(self, job: Job, outcome: Outcome) -> None:
        """Pass the result on; failed and diverged ones without a loss, which HpBandSter takes for infinite."""
        result = None if outcome.loss is None else {"loss": outcome.loss}
        told = {"budget": float(job.stop), "config": self._encoding.encode(job.config)}
        with self._alone(np.random.default_rng([self._seed, self._learned, 1])):
            self._generator.new_result(SimpleNamespace(id=job.number, kwargs=told, result=result, exception=None))
        self._learned += 1

    def _origin(self, picked: bool) -> str:
        if any("sing random configuration" in message for message in self._said):
            return MODEL_FAILED
        if picked and any("has EI value" in message for message in self._said):
            return NOT_FINITE
        return "model" if picked else "random"

    @contextmanager
    def _alone(self, rng: np.random.Generator) -> Iterator[None]:
        """Have the generator draw what ``rng`` says, from sources that are as before afterwards."""
        self._space.seed(int(rng.integers(2**31)))
        before = np.random.get_state()  # noqa: NPY002 - HpBandSter, SciPy and statsmodels draw from it
        np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002
        try:
            with _quiet():
                yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


class _Said(list[str]):
    """The generator's log, as its logger: the only place where it says that it fell back on random configurations."""

    def debug(self, message: str, *_: Any) -> None:
        self.append(message)

    warning = debug


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of names that ConfigSpace 1 still has but calls deprecated, and of divisions by zero."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _check(space: ConfigurationSpace) -> None:
    for name, one in space.items():
        if isinstance(one, OrdinalHyperparameter):
            rule = "HpBandSter has no model of ordered values"
            raise InvalidValue(f"space.{name}", list(one.sequence), rule, "Use --sampler kde, which has one.")
