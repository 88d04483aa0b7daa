"""BOHB's sampler: configurations that a model of the best results so far prefers.

Source: Falkner, Klein & Hutter (2018, arXiv:1807.01774), section 4 and algorithm 2, with the defaults of its code,
HpBandSter 0.7.4. Results of the highest budget that has enough of them are split into the best 15 % and the rest, and
to either a :class:`~asha_nas.samplers.density.Density` is fitted, l and g. Points are sampled around the good ones, and
the one with the greatest l/g is proposed. A third of all proposals stays random.

HpBandSter is what it is tested against. Where it differs it does so on purpose: a category has as many choices as the
space says, not as many as were seen (one gives NaN there), and its kernel is never negative; ordinals work; what cannot
vary is no dimension; inactive values are filled in by rule rather than at random; every result beyond the good ones is
bad, also the last; and a point that stands for no configuration gives way to the next best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from asha_nas.samplers.coordinates import Coordinates, min_points_of
from asha_nas.samplers.density import Density, Floats, Ints, impute
from asha_nas.schedulers import Config, Job, Outcome, Proposal
from spaces.encodings import Encoding

LEAST: Final = math.log(1e-32)
"""Below this logarithm densities count as equal: what is far from everything is not the better for being farther."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What good results look like, and what the others do."""

    good: Density
    bad: Density

    @classmethod
    def fit(cls, points: Floats, losses: Floats, n_good: int, choices: Ints, min_bandwidth: float) -> Model:
        """Split results into the best and the rest, equal ones in the order given.

        Args:
            points: (n, d), NaN where inactive.
            losses: (n,), infinite for failures.
            n_good: number of good ones, 1 <= n_good < n.
            choices: (d,), see :class:`~asha_nas.samplers.density.Density`.
            min_bandwidth: > 0.
        """
        order = np.argsort(losses, kind="stable")
        good, bad = (impute(points[part], choices) for part in (order[:n_good], order[n_good:]))
        return cls(Density.fit(good, choices, min_bandwidth), Density.fit(bad, choices, min_bandwidth))

    def suggest(self, rng: np.random.Generator, samples: int, factor: float) -> Floats:
        """Points (samples, d) around the good ones, those with the greatest l/g first."""
        points = self.good.sample(rng, samples, factor)
        ratios = np.maximum(self.good.log_at(points), LEAST) - np.maximum(self.bad.log_at(points), LEAST)
        # Rounded, so that among equals the order of sampling decides, not the last bit of a sum.
        return points[np.argsort(-np.round(ratios, 9), kind="stable")]


@dataclass(slots=True)
class _Results:
    """The results at one budget, and the model of the first ``modelled`` of them."""

    trials: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    model: Model | None = None
    modelled: int = 0


class KDE:
    """Proposes what is likely among good results and unlikely among the others.

    Until some budget has enough results, proposals are those of random search with the same seed.
    """

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
            encoding: the space.
            seed: >= 0; proposal i is drawn by (seed, i).
            top_n_percent: share of results that count as good, 1 to 99.
            samples: points sampled for each proposal, of which the best is taken, >= 1.
            random_fraction: share of proposals that are random although there is a model, 0 to 1.
            bandwidth_factor: by which kernels are wider where points are sampled, > 0.
            min_bandwidth: least bandwidth, > 0, of coordinates scaled to [0, 1].
            min_points: least number of good results; one more than there are dimensions if None.

        Raises:
            InvalidValue: ``min_points`` is not above the number of dimensions.
        """
        self._encoding = encoding
        self._seed = seed
        self._coordinates = Coordinates(encoding.space)
        self._dimensions = len(self._coordinates.choices)
        self._min_points = min_points_of(min_points, self._dimensions)
        self._top_n_percent = top_n_percent
        self._samples = samples
        self._random_fraction = random_fraction
        self._bandwidth_factor = bandwidth_factor
        self._min_bandwidth = min_bandwidth
        self._results: dict[int, _Results] = {}  # by budget
        self._configs: dict[int, Config] = {}  # by trial, until they are needed as points
        self._points: dict[int, Floats] = {}  # by trial

    def propose(self, number: int) -> Proposal:
        """A third at random, else the best of the model's samples that stands for a configuration."""
        rng = np.random.default_rng([self._seed, number])
        results = self._highest()
        if results is None or rng.random() < self._random_fraction:
            return Proposal(self._encoding.draw(rng), "random")
        for point in self._model(results).suggest(rng, self._samples, self._bandwidth_factor):
            config = self._encoding.decode(self._coordinates.values(point))
            if config is not None:
                return Proposal(config, "model")
        return Proposal(self._encoding.draw(rng), "random")

    def learn(self, job: Job, outcome: Outcome) -> None:
        """Keep the result; failed and diverged ones count as the worst. What follows from it waits for a proposal."""
        if job.trial not in self._points:
            self._configs[job.trial] = job.config
        results = self._results.setdefault(job.stop, _Results())
        results.trials.append(job.trial)
        results.losses.append(math.inf if outcome.loss is None else outcome.loss)

    def _highest(self) -> _Results | None:
        """The results at the highest budget that has enough for a model."""
        enough = [budget for budget, results in self._results.items() if self._enough(len(results.losses))]
        return self._results[max(enough)] if enough else None

    def _enough(self, results: int) -> bool:
        return results - self._good(results) > self._dimensions

    def _good(self, results: int) -> int:
        return max(self._min_points, self._top_n_percent * results // 100)

    def _model(self, results: _Results) -> Model:
        n = len(results.losses)
        if results.model is None or results.modelled < n:
            points = np.array([self._point(trial) for trial in results.trials])
            losses = np.array(results.losses)
            choices = self._coordinates.choices
            results.model = Model.fit(points, losses, self._good(n), choices, self._min_bandwidth)
            results.modelled = n
        return results.model

    def _point(self, trial: int) -> Floats:
        """Coordinates of a trial, worked out once however many results it has."""
        if trial not in self._points:
            self._points[trial] = self._coordinates.point(self._encoding.encode(self._configs.pop(trial)))
        return self._points[trial]
