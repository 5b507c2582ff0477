"""The exact posteriors of the example, against sampling and the closed forms."""

import numpy as np
import pytest
from hypersphere import (
    GRID,
    NOISE,
    distance,
    distance_of_cdfs,
    divergence,
    exact_posteriors,
    mean_likelihood,
    radii,
    walk,
)

FLAT = np.full(len(GRID), 0.5)


def spread(density):
    return np.sqrt(np.average(GRID**2, weights=density))


@pytest.mark.parametrize("c", [2, 5, 10])
def test_at_the_origin_the_posterior_is_gaussian(c):
    """p(m1|0) = N(0, 0.1^2) for any c (Kaeufl et al. 2016, eq. 23)."""
    density = exact_posteriors(0.0, c)[0]
    gaussian = np.exp(-0.5 * (GRID / NOISE) ** 2) / NOISE / np.sqrt(2 * np.pi)
    assert spread(density) == pytest.approx(NOISE, rel=2e-3)
    assert divergence(gaussian, density) < 1e-4


@pytest.mark.parametrize(
    ("c", "sd", "gain"), [(2, 0.5098, 0.159), (5, 0.3401, 0.376), (10, 0.2594, 0.628)]
)
def test_on_a_sphere_inside_the_cube(c, sd, gain):
    """By the one-dimensional integral over the radius of the other parameters.

    It neglects the corners of the cube, which are 3 sd away.
    """
    density = exact_posteriors(0.7, c)[0]
    rho = np.linspace(0, 1, 4001)[1:]
    z = (0.7 - np.hypot(GRID[:, np.newaxis], rho)) / NOISE
    direct = np.exp(-0.5 * z**2) @ rho ** (c - 2)
    assert spread(density) == pytest.approx(spread(direct), rel=5e-3)
    assert spread(density) == pytest.approx(sd, abs=1e-3)
    assert divergence(density, FLAT) == pytest.approx(gain, abs=3e-3)


@pytest.mark.parametrize(("c", "d0"), [(3, 1.3), (5, 1.6), (10, 2.2)])
def test_corners_count_where_the_sphere_leaves_the_cube(c, d0, scale):
    """Against prior samples that are weighted by their likelihood."""
    models = np.random.default_rng(5).uniform(-1, 1, (int(1e6 * scale), c))
    weights = np.exp(-0.5 * ((d0 - distance(models)[:, 0]) / NOISE) ** 2)
    size = weights.sum() ** 2 / (weights**2).sum()
    bins = np.linspace(-1, 1, 11)
    share = np.histogram(models[:, 0], bins, weights=weights)[0] / weights.sum()
    exact = exact_posteriors(d0, c)[0]
    cdf = np.append(0, (exact[1:] + exact[:-1]).cumsum() / 2 * (GRID[1] - GRID[0]))
    expected = np.diff(np.interp(bins, GRID, cdf))
    z = (share - expected) / np.sqrt(expected * (1 - expected) / size)
    assert np.abs(z).max() < 4.5


def test_radii_are_those_of_a_cube():
    """Mean square k/3, and all probability; one parameter is uniform."""
    for k in (1, 4, 9):
        radius, mass = radii(k)
        assert mass.sum() == pytest.approx(1, abs=1e-9)
        assert mass @ radius**2 == pytest.approx(k / 3, rel=1e-3)
    radius, mass = radii(1)
    assert mass[radius < 0.5].sum() == pytest.approx(0.5, abs=5e-3)


@pytest.mark.parametrize("c", [2, 3])
def test_mean_likelihood_is_that_of_prior_samples(c, scale):
    """Eq. 28, 6.27e-2 for two parameters."""
    models = np.random.default_rng(6).uniform(-1, 1, (int(1e6 * scale), c))
    z = distance(models)[:, 0] / NOISE
    values = np.exp(-0.5 * z**2) / NOISE / np.sqrt(2 * np.pi)
    error = values.std() / np.sqrt(len(values))
    assert mean_likelihood(c) == pytest.approx(values.mean(), abs=4.5 * error)
    assert mean_likelihood(2) == pytest.approx(6.27e-2, rel=1e-3)
    assert mean_likelihood(10) == pytest.approx(3.815e-9, rel=1e-3)


def test_distances_of_densities():
    """A Gaussian that is shifted by half its sd: KL 1/8, area between the cdfs 1/2."""
    from scipy.stats import norm

    one, other = norm(0, 0.1), norm(0.05, 0.1)
    assert divergence(one.pdf(GRID), other.pdf(GRID)) == pytest.approx(1 / 8, rel=1e-3)
    area = distance_of_cdfs(one.pdf(GRID), other.cdf(GRID))
    assert area == pytest.approx(0.5, rel=1e-2)


@pytest.mark.parametrize(("c", "d0"), [(2, 0.7), (5, 1.3)])
def test_chains_have_the_exact_posterior(c, d0):
    """Within three times the error of a thousand independent draws."""
    draws, solutions = walk(c, d0, 2000, seed=1)
    assert solutions == 20 * c * 2000
    cdf = np.searchsorted(np.sort(draws), GRID, side="right") / len(draws)
    assert distance_of_cdfs(exact_posteriors(d0, c)[0], cdf) < 3 * 0.8 / np.sqrt(1000)
