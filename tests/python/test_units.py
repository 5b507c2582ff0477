"""Units and weights of rows: what must not matter, and what must matter exactly so."""

import numpy as np
import pytest
from fmdn import Committee, GaussianNoise, _boundary
from scipy import stats

SETTINGS = {"n_members": 3, "hidden": (4, 8), "kernels": (2, 3), "max_iter": 60}
SD = np.array([0.1, 0.2, 30.0])


def problem(n, seed=0):
    """Three data and two targets, in units that differ; without noise."""
    rng = np.random.default_rng(seed)
    targets = rng.normal([5.0, -300.0], [0.2, 40.0], (n, 2))
    a, b = (targets - [5.0, -300.0]).T
    inputs = np.column_stack([a**2, 0.3 + a + b / 100, 1e3 + b])
    return inputs, targets


def scales_and_networks(committee):
    """Centres and scales of inputs and targets, and each member's parameters."""
    sizes = _boundary.describe(committee.layout_, committee.parameters_)
    n_scales = 2 * (sizes.n_inputs + sizes.n_targets)
    networks = [
        committee.parameters_[first : first + n]
        for first, n in zip(sizes.offset, sizes.n_parameters, strict=True)
    ]
    return committee.parameters_[:n_scales], networks


@pytest.mark.parametrize("covariance", ["full", "diagonal", "isotropic"])
@pytest.mark.parametrize("power", [1, -7, 40])
def test_powers_of_two_change_no_bit(power, covariance):
    """Inputs in units of 2^power, the targets in 2^(2 - power): the same networks."""
    inputs, targets = problem(600)
    x, y = 2.0**power, 2.0 ** (2 - power)
    settings = SETTINGS | {"covariance": covariance}
    one = Committee(**settings).fit(inputs, targets, noise=SD)
    two = Committee(**settings).fit(x * inputs, y * targets, noise=x * SD)

    scales, networks = scales_and_networks(one)
    scales_two, networks_two = scales_and_networks(two)
    assert (scales_two == scales * np.repeat([x, y], [6, 4])).all()
    for network, same in zip(networks, networks_two, strict=True):
        assert (network == same).all()
        assert network.any()
    assert (one.weights_ == two.weights_).all()

    observed = inputs[:20]
    post, post_two = one.posterior(observed), two.posterior(x * observed)
    assert (post.weights == post_two.weights).all()
    assert (post.means * y == post_two.means).all()
    assert (post.covariances * y**2 == post_two.covariances).all()
    assert (post.mean() * y == post_two.mean()).all()
    assert (post.std() * y == post_two.std()).all()
    samples = post.sample(5, seed=1)
    assert (samples * y == post_two.sample(5, seed=1)).all()
    # log p carries the units' logarithm, which rounds
    log_p = two.log_density(x * inputs, y * targets) + 2 * np.log(y)
    np.testing.assert_allclose(log_p, one.log_density(inputs, targets), rtol=1e-12)


@pytest.mark.parametrize("covariance", ["full", "diagonal", "isotropic"])
def test_factors_of_a_thousand_change_only_rounding(covariance):
    """After hundreds of iterations rounding has grown; at fixed parameters it has not.

    A centre of 25 sd, as the third input has, costs as many units of the last place.
    """
    inputs, targets = problem(600)
    inputs = GaussianNoise(SD).add(inputs)
    x, y = np.array([1e3, 1e-3, 1e3]), np.array([1e-3, 1e3])
    settings = SETTINGS | {"covariance": covariance}
    trained = Committee(**settings).fit(inputs, targets)
    scaled = Committee(**(settings | {"max_iter": 0})).fit(x * inputs, y * targets)
    n_scales = len(scales_and_networks(scaled)[0])
    parameters = trained.parameters_.copy()
    parameters[:n_scales] = scaled.parameters_[:n_scales]
    for k in range(3):
        loss, gradient = _boundary.loss_gradient(
            trained.layout_, trained.parameters_, inputs, targets, member=k
        )
        same_loss, same_gradient = _boundary.loss_gradient(
            trained.layout_, parameters, x * inputs, y * targets, member=k
        )
        assert abs(same_loss - loss) <= 1e-12 * abs(loss)
        difference = np.abs(same_gradient - gradient).max()
        # the trained gradient is small against what its terms sum up from
        assert difference <= 1e-12 * max(1.0, np.abs(gradient).max())


# --- Weights of rows ------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    inputs, targets = problem(600)
    return Committee(**SETTINGS).fit(inputs, targets)


def loss_gradient(committee, inputs, targets, weights=None):
    return _boundary.loss_gradient(
        committee.layout_, committee.parameters_, inputs, targets, sample_weight=weights
    )


def assert_same(one, other):
    assert abs(one[0] - other[0]) <= 1e-12 * abs(one[0])
    assert np.abs(one[1] - other[1]).max() <= 1e-12 * max(1.0, np.abs(one[1]).max())


def test_a_weight_is_a_number_of_copies(trained):
    inputs, targets = problem(500, seed=1)
    copies = np.random.default_rng(2).integers(0, 4, 500)
    weighted = loss_gradient(trained, inputs, targets, copies.astype(float))
    repeated = loss_gradient(
        trained, np.repeat(inputs, copies, axis=0), np.repeat(targets, copies, axis=0)
    )
    assert_same(weighted, repeated)
    # only ratios count
    assert_same(weighted, loss_gradient(trained, inputs, targets, 1e-9 * copies))


def test_rows_without_weight_do_not_matter(trained):
    inputs, targets = problem(500, seed=1)
    wild = np.concatenate([inputs, 1e9 * inputs, inputs])
    wilder = np.concatenate([targets, targets, -1e9 * targets])
    weights = np.repeat([1.0, 0.0], [500, 1000])
    assert_same(
        loss_gradient(trained, inputs, targets),
        loss_gradient(trained, wild, wilder, weights),
    )


def test_rows_without_weight_leave_scales_and_start_alone():
    inputs, targets = problem(500)
    settings = SETTINGS | {"max_iter": 0}
    given = {"monitor": problem(100, seed=1), "weighting": problem(100, seed=2)}
    one = Committee(**settings).fit(inputs, targets, **given)
    two = Committee(**settings).fit(
        np.concatenate([inputs, 1e9 * inputs]),
        np.concatenate([targets, 1e9 * targets]),
        sample_weight=np.repeat([1.0, 0.0], 500),
        **given,
    )
    assert (one.parameters_ == two.parameters_).all()


def test_training_with_weights_is_training_with_copies():
    """Weight two or a row twice, kept together: the same posterior but for rounding.

    The scales differ by what the copies do to mean and sd, so that the paths do; both
    end within the sampling error, sqrt(10/2000) = 7 % of the sd in the mean.
    """
    rng = np.random.default_rng(3)
    models = rng.standard_normal(2000)
    data = (models + 0.5 * rng.standard_normal(2000))[:, np.newaxis]
    copies = rng.integers(1, 3, 2000)
    settings = {"n_members": 4, "hidden": 5, "kernels": 1, "seed": 1}
    one = Committee(**settings).fit(data, models, sample_weight=copies)
    two = Committee(**settings).fit(
        np.repeat(data, copies, axis=0),
        np.repeat(models, copies),
        groups=np.repeat(np.arange(2000), copies),
    )
    grid = np.linspace(-2, 2, 9)[:, np.newaxis]
    a, b = one.posterior(grid), two.posterior(grid)
    assert np.abs((a.mean() - b.mean()) / b.std()).max() < 0.07
    assert np.abs(a.std() / b.std() - 1).max() < 0.05


def test_weights_change_the_prior(seed):
    """Rows drawn from N(0, 1) and weighted by N(1/2, 1)/N(0, 1) give its posterior."""
    rng = np.random.default_rng(seed)
    models = rng.standard_normal(20_000)
    noise = GaussianNoise(0.5)
    committee = Committee(n_members=5, hidden=8, kernels=1, seed=seed)
    committee.fit(
        models[:, np.newaxis],
        models,
        noise=noise,
        sample_weight=stats.norm.pdf(models, 0.5) / stats.norm.pdf(models),
    )
    observed = np.linspace(-1, 2, 7)
    post = committee.posterior(observed[:, np.newaxis])
    mean, sd = (observed + 0.5 * 0.25) / 1.25, np.sqrt(0.2)
    # exp(-1/4) of the rows are left in effect: sqrt(10/14,000) = 3 %
    assert np.abs(post.mean() - mean).max() < 0.1 * sd
    assert np.abs(post.std() / sd - 1).max() < 0.08
    # and not that of the rows' own prior, which lies 0.1 lower
    assert (np.abs(post.mean() - mean) < np.abs(post.mean() - observed / 1.25)).all()
