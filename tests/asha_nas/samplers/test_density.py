"""Densities against statsmodels', their samples against SciPy's truncated normals, and what is filled in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from asha_nas.samplers.density import Density, impute

NAN = np.nan


def data(choices, n, seed=0):
    """(n, d) random points; of categories every choice is there."""
    rng = np.random.default_rng(seed)
    columns = [rng.permutation(np.resize(np.arange(c), n)) if c else rng.beta(2, 5, n) for c in choices]
    return np.column_stack(columns).astype(float)


@pytest.mark.filterwarnings("ignore:After 0.17:FutureWarning")
@pytest.mark.parametrize("choices", [(0,), (0, 0, 0), (3,), (0, 2, 0, 3), (0,) * 9])
def test_it_is_what_statsmodels_fits(choices):
    from statsmodels.nonparametric.kernel_density import KDEMultivariate

    kinds = "".join("u" if c else "c" for c in choices)
    points, at = data(choices, 40), data(choices, 25, seed=1)
    theirs = KDEMultivariate(points, kinds, bw="normal_reference")
    ours = Density.fit(points, np.array(choices), 1e-3)
    np.testing.assert_allclose(ours.bandwidths, theirs.bw, rtol=1e-12)
    relative = theirs.pdf(at) * np.prod([c or 1 for c in choices])
    np.testing.assert_allclose(np.exp(ours.log_at(at)), relative, rtol=1e-9)


@pytest.mark.parametrize("choices", [(4,), (2, 3), (12,)])
@pytest.mark.parametrize("points", ["all", "one"])
def test_probabilities_of_categories_are_positive_and_sum_to_one(choices, points):
    every = np.stack(np.meshgrid(*[np.arange(float(c)) for c in choices]), axis=-1).reshape(-1, len(choices))
    density = Density.fit(
        data(choices, 30) if points == "all" else np.repeat(every[-1:], 30, axis=0), np.array(choices), 1e-3
    )
    probabilities = np.exp(density.log_at(every)) / len(every)
    assert (probabilities > 0).all()
    assert probabilities.sum() == pytest.approx(1)


def test_categories_far_apart_by_index_give_the_uniform_kernel_at_most():
    density = Density.fit(np.array([[0.0], [11.0]] * 3), np.array([12]), 1e-3)
    np.testing.assert_allclose(density.bandwidths, 11 / 12)
    np.testing.assert_allclose(density.log_at(np.arange(12.0)[:, None]), 0, atol=1e-12)


def test_equal_points_get_the_least_bandwidth():
    density = Density.fit(np.full((5, 2), 0.5), np.array([0, 0]), 0.01)
    np.testing.assert_array_equal(density.bandwidths, [0.01, 0.01])
    peak = density.log_at(np.array([[0.5, 0.5]]))[0]
    assert peak == pytest.approx(-2 * np.log(0.01 * np.sqrt(2 * np.pi)))


def test_a_hundred_dimensions_neither_overflow_nor_vanish():
    for choices in (np.zeros(150, int), np.full(150, 10)):
        density = Density.fit(np.zeros((3, 150)), choices, 1e-3)
        assert np.isfinite(density.log_at(np.array([np.zeros(150), np.ones(150)]))).all()


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_numbers_are_sampled_from_truncated_normals_around_points(factor):
    density = Density(np.array([[0.1], [0.9]]), np.array([0]), np.array([0.2]))
    sampled = density.sample(np.random.default_rng(0), 2000, factor)[:, 0]
    scale = factor * 0.2
    kernels = [stats.truncnorm(-m / scale, (1 - m) / scale, loc=m, scale=scale) for m in (0.1, 0.9)]
    assert stats.kstest(sampled, lambda x: (kernels[0].cdf(x) + kernels[1].cdf(x)) / 2).pvalue > 0.05
    assert stats.kstest(sampled, kernels[0].cdf).pvalue < 1e-6  # the test could fail


def test_categories_are_kept_or_drawn_anew():
    density = Density(np.array([[2.0]]), np.array([4]), np.array([0.4]))
    sampled = density.sample(np.random.default_rng(0), 4000, 3.0)[:, 0]
    assert stats.chisquare(np.bincount(sampled.astype(int), minlength=4), [400, 400, 2800, 400]).pvalue > 0.05


@given(st.integers(0, 2**32), st.floats(1e-3, 2), st.floats(0.5, 10))
def test_samples_stay_within_bounds(seed, bandwidth, factor):
    density = Density(np.array([[0.0, 1.0, 0.0, 2.0]]), np.array([0, 0, 2, 3]), np.full(4, bandwidth))
    sampled = density.sample(np.random.default_rng(seed), 50, factor)
    assert ((sampled >= 0) & (sampled <= [1, 1, 1, 2])).all()
    assert (sampled[:, 2:] == np.rint(sampled[:, 2:])).all()


def test_what_is_inactive_gets_values_that_were_active():
    points = np.array([[0.1, NAN, NAN], [0.2, 0.5, 1.0], [0.3, NAN, NAN], [0.4, 0.7, 0.0], [0.5, NAN, NAN]])
    expected = [[0.1, 0.5, 1.0], [0.2, 0.5, 1.0], [0.3, 0.7, 0.0], [0.4, 0.7, 0.0], [0.5, 0.5, 1.0]]
    np.testing.assert_array_equal(impute(points, np.array([0, 0, 2])), expected)
    assert np.isnan(points).any()  # a copy was filled


def test_what_was_never_active_is_uniform_and_always_the_same():
    points = np.column_stack([np.linspace(0, 1, 900), np.full((900, 3), NAN)])
    choices = np.array([0, 0, 0, 3])
    filled = impute(points, choices)
    np.testing.assert_array_equal(filled, impute(points, choices))
    assert all(stats.kstest(filled[:, j], "uniform").pvalue > 0.05 for j in (1, 2))
    assert stats.chisquare(np.bincount(filled[:, 3].astype(int))).pvalue > 0.05
    assert abs(np.corrcoef(filled[:, 1], filled[:, 2])[0, 1]) < 0.1


def test_complete_points_stay_as_they_are():
    points = data((0, 3), 7)
    assert impute(points, np.array([0, 3])) is points
