"""REINFORCE on categories: the reinforcement-learning baseline of Ying et al., *NAS-Bench-101* (arXiv:1902.09635).

Every hyperparameter of the space has a categorical policy of its own, a softmax of logits that begin at zero. A
configuration is sampled from all of them; its reward r, the negated loss, moves the logits by gradient ascent,

    logits += learning_rate · (r − b) · ∂ log p(configuration) / ∂ logits,    ∂ log p / ∂ logits = onehot − softmax,

where b is a moving average of rewards with r in it already. Source: section 4 of the paper, and what NAS-Bench-1Shot1
(arXiv:2001.10422) ran as its baseline, whose learning rate 0.1 and decay 0.9 are the defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, Constant, OrdinalHyperparameter
from ConfigSpace.hyperparameters import IntegerHyperparameter

from asha_nas.schedulers import Job, Outcome, Proposal
from spaces.encodings import Encoding
from spaces.errors import InvalidValue
from spaces.hyperparameters import compose

MAX_INTEGERS = 64
"""Values that an integer range may have to count as categories."""
TRIES = 1000
"""Samples that may make no valid configuration before one is drawn from the space instead."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Policy:
    """Independent categorical distributions, one a row.

    Attributes:
        logits: (rows, most categories), −inf where a row has fewer.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        """Uniform over ``sizes[row]`` categories in each row."""
        self._last = np.array(sizes) - 1  # (rows,)
        self.logits: Floats = np.where(np.arange(max(sizes)) <= self._last[:, None], 0.0, -np.inf)

    def probabilities(self) -> Floats:
        """(rows, most categories); each row sums to 1."""
        weights = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def sample(self, rng: np.random.Generator) -> Ints:
        """A category for each row: (rows,)."""
        below = self.probabilities().cumsum(axis=1) < rng.random((len(self.logits), 1))
        return np.asarray(np.minimum(below.sum(axis=1), self._last))  # a row may sum to a little less than 1

    def log_gradient(self, picks: Ints) -> Floats:
        """Gradient of log p(picks) by the logits, in their shape; rows where picks is −1 have no part in it."""
        chosen = np.arange(self.logits.shape[1]) == picks[:, None]
        return np.where(picks[:, None] < 0, 0.0, chosen - self.probabilities())


class Baseline:
    """Exponential moving average of rewards, corrected for its beginning; and the worst of them."""

    def __init__(self, decay: float) -> None:
        """No rewards yet; ``decay`` is from 0 (the last one only) to below 1."""
        self._decay = decay
        self._sum = self._weight = 0.0
        self.worst: float | None = None

    def advantage(self, reward: float) -> float:
        """Take a reward in, and say how much better than average it is."""
        self._sum = self._decay * self._sum + (1 - self._decay) * reward
        self._weight = self._decay * self._weight + (1 - self._decay)
        self.worst = reward if self.worst is None else min(self.worst, reward)
        return reward - self._sum / self._weight


class Reinforce:
    """REINFORCE with one categorical policy for each hyperparameter of the encoding's space.

    Asynchronous: a result moves the policy as it is when the result arrives, by the gradient there; with several
    workers that is not quite the policy it was sampled from. Samples that stand for no valid configuration are drawn
    again, of which the gradient knows nothing, as in the paper. Of conditional hyperparameters only active ones learn.

    Each result of a trial that goes through several budgets is a step, against the average at its own budget. One that
    diverged counts as the worst so far at its budget; a crash says nothing.
    """

    def __init__(
        self, encoding: Encoding, seed: int, *, learning_rate: float = 0.1, baseline_decay: float = 0.9
    ) -> None:
        """A uniform policy.

        Args:
            encoding: the space; its hyperparameters are categories, ordinals, constants, or integers of few values.
            seed: of the study.
            learning_rate: > 0. A step of the logits is this times the advantage, so it goes with losses of about 0 to
                1, such as errors.
            baseline_decay: weight of the past in the average of rewards, from 0 to below 1.

        Raises:
            InvalidValue: a number is outside its range, or a hyperparameter has too many values for a category each.
        """
        if not learning_rate > 0:
            raise InvalidValue("learning_rate", learning_rate, "must be above 0")
        if not 0 <= baseline_decay < 1:
            raise InvalidValue("baseline_decay", baseline_decay, "must be at least 0 and below 1")
        self._encoding = encoding
        self._seed = seed
        self._learning_rate = learning_rate
        self._decay = baseline_decay
        self._choices = choices(encoding.space)
        self._policy = Policy([len(values) for values in self._choices.values()])
        self._picks: dict[int, Ints] = {}  # by trial
        self._baselines: dict[int, Baseline] = {}  # by budget

    @property
    def probabilities(self) -> dict[str, dict[Any, float]]:
        """Of each value of each hyperparameter, now."""
        rows = self._policy.probabilities().tolist()
        return {
            name: dict(zip(values, row, strict=False))
            for (name, values), row in zip(self._choices.items(), rows, strict=True)
        }

    def propose(self, number: int) -> Proposal:
        """A configuration sampled from the policy."""
        rng = np.random.default_rng([self._seed, number])
        for _ in range(TRIES):
            values = self._sample(rng)
            config = self._encoding.decode(values)
            if config is not None:
                self._picks[number] = self._rows(values)
                return Proposal(config, "policy")
        return Proposal(self._encoding.draw(rng), "random")

    def learn(self, job: Job, outcome: Outcome) -> None:
        """Take a step of gradient ascent."""
        baseline = self._baselines.setdefault(job.stop, Baseline(self._decay))
        reward = baseline.worst if outcome.loss is None else -outcome.loss
        if reward is None or (outcome.loss is None and not outcome.diverged):
            return
        picks = self._picks.get(job.trial)
        if picks is None:  # not proposed by the policy
            picks = self._rows(self._encoding.encode(job.config))
        step = self._learning_rate * baseline.advantage(reward)
        self._policy.logits += step * self._policy.log_gradient(picks)

    def _sample(self, rng: np.random.Generator) -> dict[str, Any]:
        picks = dict(zip(self._choices, self._policy.sample(rng).tolist(), strict=True))
        return compose(self._encoding.space, lambda one: self._choices[one.name][picks[one.name]])

    def _rows(self, values: dict[str, Any]) -> Ints:
        """Which category each hyperparameter has: (rows,), −1 where it is not active."""
        return np.array([known.index(values[name]) if name in values else -1 for name, known in self._choices.items()])


def choices(space: ConfigurationSpace) -> dict[str, tuple[Any, ...]]:
    """The values of each hyperparameter, as categories.

    Raises:
        InvalidValue: one has no such values, or too many.
    """
    return {name: _choices(one) for name, one in space.items()}


def _choices(hyperparameter: Any) -> tuple[Any, ...]:
    match hyperparameter:
        case CategoricalHyperparameter():
            return tuple(hyperparameter.choices)
        case OrdinalHyperparameter():
            return tuple(hyperparameter.sequence)
        case Constant():
            return (hyperparameter.value,)
        case IntegerHyperparameter() if hyperparameter.upper - hyperparameter.lower < MAX_INTEGERS:
            return tuple(range(hyperparameter.lower, hyperparameter.upper + 1))
    raise InvalidValue(
        hyperparameter.name, [hyperparameter.lower, hyperparameter.upper],
        f"REINFORCE needs a category for each value, and at most {MAX_INTEGERS} integers",
        "Give it as choices or as an ordered list of values, or take a sampler for numbers, such as kde or tpe.",
    )  # fmt: skip
