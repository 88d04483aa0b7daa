"""Kernel densities over numbers and categories: what BOHB's model is made of.

Source: Falkner, Klein & Hutter (2018, arXiv:1807.01774), section 4, whose model is statsmodels' ``KDEMultivariate``: a
product over the coordinates of a Gaussian kernel for numbers and an Aitchison-Aitken kernel for categories, with
bandwidths by the normal reference rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, ndtr, ndtri

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """A mixture of kernels, one around each of the points it was fitted to.

    Coordinates are numbers in [0, 1], or categories as 0, 1, …, choices - 1.
    """

    points: Floats  # (n, d)
    choices: Ints
    """(d,): number of choices of each category, >= 2; 0 where a coordinate is a number."""
    bandwidths: Floats
    """(d,): standard deviation of a Gaussian kernel; probability that a category is another one."""

    @classmethod
    def fit(cls, points: Floats, choices: Ints, min_bandwidth: float) -> Density:
        """Bandwidths by the normal reference rule, ``1.06 σ n^(-1/(4 + d))``.

        Args:
            points: (n, d), n >= 1, without NaN.
            choices: (d,).
            min_bandwidth: least bandwidth, > 0, where the points are all the same or nearly so.
        """
        n, d = points.shape
        bandwidths = np.maximum(1.06 * points.std(axis=0) * n ** (-1 / (4 + d)), min_bandwidth)
        # A category's σ is that of its index. Beyond (c - 1)/c its kernel would prefer any other category, and beyond 1
        # be negative; there it is uniform instead.
        most = np.where(choices > 0, 1 - 1 / np.maximum(choices, 1), np.inf)
        return cls(points, choices, np.minimum(bandwidths, most))

    def log_at(self, points: Floats) -> Floats:
        """Logarithm of the density at points (m, d), relative to the uniform density: an array (m,)."""
        number = self.choices == 0
        h = self.bandwidths[number]
        kernels = -0.5 * cdist(points[:, number] / h, self.points[:, number] / h, "sqeuclidean")  # (m, n)
        kernels -= np.log(h * np.sqrt(2 * np.pi)).sum()
        for j in np.flatnonzero(~number):
            p, c = self.bandwidths[j], self.choices[j]
            same = points[:, None, j] == self.points[None, :, j]
            kernels += np.where(same, np.log(c * (1 - p)), np.log(c * p / (c - 1)))
        found: Floats = logsumexp(kernels, axis=1) - np.log(len(self.points))
        return found

    def sample(self, rng: np.random.Generator, count: int, factor: float) -> Floats:
        """Points (count, d) from wider kernels, so that what is proposed is not only what was tried.

        Args:
            rng: all randomness comes from it.
            count: number of points, >= 1.
            factor: by which the bandwidths of numbers are multiplied, > 0. Normals are truncated to [0, 1].
        """
        number = self.choices == 0
        sampled = self.points[rng.integers(len(self.points), size=count)]
        around, scale = sampled[:, number], factor * self.bandwidths[number]
        low, high = ndtr(-around / scale), ndtr((1 - around) / scale)
        quantiles = ndtri(low + (high - low) * rng.random(around.shape))
        sampled[:, number] = np.clip(around + scale * quantiles, 0, 1)
        # As in HpBandSter: a category is drawn anew, from all, with the probability that its kernel gives to others.
        anew = rng.integers(self.choices[~number], size=(count, np.count_nonzero(~number)))
        changes = rng.random(anew.shape) < self.bandwidths[~number]
        sampled[:, ~number] = np.where(changes, anew, sampled[:, ~number])
        return sampled


def impute(points: Floats, choices: Ints) -> Floats:
    """Fill in what is inactive, so that a density can be fitted.

    Each NaN gets a value of its column: those that are there in turn, so that the column keeps its distribution and
    coordinates that are inactive together get values that were active together. A column without any gets values from
    the uniform distribution. The same points are always filled in the same way.

    Args:
        points: (n, d), NaN where inactive.
        choices: (d,), see :class:`Density`.
    """
    missing = np.isnan(points)
    if not missing.any():
        return points
    filled = points.copy()
    for j in np.flatnonzero(missing.any(axis=0)):
        holes = missing[:, j]
        known = points[~holes, j] if not holes.all() else _uniform(int(j), len(points), int(choices[j]))
        filled[holes, j] = np.resize(known, np.count_nonzero(holes))
    return filled


def _uniform(column: int, count: int, choices: int) -> Floats:
    rng = np.random.default_rng(column)
    return rng.integers(choices, size=count).astype(np.float64) if choices else rng.random(count)
