"""Do two samples come from one distribution? A permutation test by the energy distance (Székely & Rizzo, 2013)."""

import numpy as np
from scipy.spatial.distance import cdist


def p_value(first, second, permutations=999, seed=0):
    """Probability, at most, of samples as far apart as these, (n, d) and (m, d), if they are from one distribution."""
    points = np.vstack([first, second])
    weights = np.repeat([1 / len(first), -1 / len(second)], [len(first), len(second)])
    rng = np.random.default_rng(seed)
    orders = np.array([weights, *(rng.permutation(weights) for _ in range(permutations))])
    distances = -((orders @ cdist(points, points)) * orders).sum(axis=1)  # 2 E|X-Y| - E|X-X'| - E|Y-Y'| of each order
    return float(np.mean(distances >= distances[0] - 1e-12))


def one_hot(points, choices):
    """Points with categories as unit vectors, any two of which are at the distance 1."""
    columns = [points[:, [j]] if not c else np.eye(c)[points[:, j].astype(int)] / 2**0.5 for j, c in enumerate(choices)]
    return np.hstack(columns)
