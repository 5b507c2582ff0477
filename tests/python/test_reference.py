"""The core against a slow, obvious NumPy version of the same formulas."""

import fmdn
import numpy as np
import pytest
from fmdn import _boundary
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import mdn_numpy

few = settings(max_examples=60, deadline=None, derandomize=True)

shapes = st.fixed_dictionaries(
    {
        "n_inputs": st.integers(1, 5),
        "n_targets": st.integers(1, 3),
        "n_members": st.integers(1, 3),
        "hidden": st.lists(st.integers(1, 6), min_size=1, max_size=3),
        "kernels": st.integers(1, 4),
        "covariance": st.sampled_from(["isotropic", "diagonal", "full"]),
        "linear_path": st.booleans(),
    }
)
seeds = st.integers(0, 2**32 - 1)


def random_committee(shape, seed, spread=0.6):
    """Layout and parameters, all random; scales are positive, weights sum to one."""
    rng = np.random.default_rng(seed)
    layout, parameters = _boundary.plan_committee(
        seed,
        shape["n_inputs"],
        shape["n_targets"],
        shape["n_members"],
        [(width, width) for width in shape["hidden"]],
        (shape["kernels"], shape["kernels"]),
        shape["covariance"],
        shape["linear_path"],
    )
    parameters[:] = spread * rng.normal(size=parameters.size)
    view = mdn_numpy.read(layout, parameters)
    for scale in (view.input_scale, view.target_scale):
        scale[:] = 10 ** rng.uniform(-3, 3, scale.size)
    view.weights[:] = rng.dirichlet(np.ones(view.weights.size))
    return layout, parameters, view


def random_rows(view, n, seed):
    rng = np.random.default_rng([seed, 1])
    inputs = view.input_centre + view.input_scale * rng.normal(
        size=(n, view.input_scale.size)
    )
    inputs[0] = view.input_centre + 30 * (inputs[0] - view.input_centre)
    targets = view.target_centre + 2 * view.target_scale * rng.normal(
        size=(n, view.target_scale.size)
    )
    return inputs, targets


def committee_of(layout, parameters):
    return fmdn.Committee._from_entry(("", layout, parameters, "{}"))


@few
@given(shape=shapes, n=st.integers(1, 40), weighted=st.booleans(), seed=seeds)
def test_loss_and_gradient(shape, n, weighted, seed):
    layout, parameters, view = random_committee(shape, seed)
    inputs, targets = random_rows(view, n, seed)
    weights = np.random.default_rng([seed, 2]).exponential(size=n)
    member = shape["n_members"] - 1
    loss, gradient = _boundary.loss_gradient(
        layout,
        parameters,
        inputs,
        targets,
        member=member,
        sample_weight=weights if weighted else None,
    )
    expected_loss, expected_gradient = mdn_numpy.loss_gradient(
        view, member, inputs, targets, weights if weighted else np.ones(n)
    )
    assert loss == pytest.approx(expected_loss, rel=1e-12, abs=1e-12)
    largest = np.abs(expected_gradient).max()
    np.testing.assert_allclose(
        gradient, expected_gradient, rtol=0, atol=1e-12 * largest
    )


@few
@given(shape=shapes, seed=seeds)
def test_where_outputs_are_clamped(shape, seed):
    """Parameters so large that many log standard deviations are beyond their bounds."""
    layout, parameters, view = random_committee(shape, seed, spread=12)
    inputs, targets = random_rows(view, 20, seed)
    for member in range(shape["n_members"]):
        loss, gradient = _boundary.loss_gradient(
            layout, parameters, inputs, targets, member=member
        )
        expected_loss, expected_gradient = mdn_numpy.loss_gradient(
            view, member, inputs, targets, np.ones(20)
        )
        # z = U (t - mean) cancels: terms of up to 1e4, and then their squares.
        assert loss == pytest.approx(expected_loss, rel=1e-8)
        largest = np.abs(expected_gradient).max()
        np.testing.assert_allclose(
            gradient, expected_gradient, rtol=0, atol=1e-7 * largest
        )


def test_reference_gradient():
    """The reference's own gradient is that of its own loss."""
    for covariance in ("isotropic", "diagonal", "full"):
        shape = {
            "n_inputs": 2,
            "n_targets": 3,
            "n_members": 1,
            "hidden": [3, 2],
            "kernels": 2,
            "covariance": covariance,
            "linear_path": True,
        }
        _, _, view = random_committee(shape, 1)
        inputs, targets = random_rows(view, 5, 1)
        weights = np.arange(1.0, 6.0)
        parameters = view.members[0].parameters
        _, gradient = mdn_numpy.loss_gradient(view, 0, inputs, targets, weights)
        differences = np.zeros_like(gradient)
        for i, value in enumerate(parameters):
            losses = []
            for h in (1e-5, -1e-5):
                parameters[i] = value + h
                losses.append(
                    mdn_numpy.loss_gradient(view, 0, inputs, targets, weights)[0]
                )
            parameters[i] = value
            differences[i] = (losses[0] - losses[1]) / 2e-5
        error = np.linalg.norm(gradient - differences) / np.linalg.norm(gradient)
        assert error < 1e-7


@few
@given(shape=shapes, seed=seeds)
def test_posterior(shape, seed):
    layout, parameters, view = random_committee(shape, seed)
    inputs, targets = random_rows(view, 3, seed)
    committee = committee_of(layout, parameters)
    one_target = shape["n_targets"] == 1
    posterior = committee.posterior(inputs)
    log_p = committee.log_density(inputs, targets[:, 0] if one_target else targets)
    for i, (x, t) in enumerate(zip(inputs, targets, strict=True)):
        weights, means, covariances = mdn_numpy.posterior(view, x)
        np.testing.assert_allclose(posterior.weights[i], weights, rtol=1e-12)
        if one_target:
            means, covariances = means[:, 0], covariances[:, 0, 0]
        # Covariances are inverted: errors grow with the condition.
        np.testing.assert_allclose(
            posterior.means[i], means, rtol=1e-12, atol=1e-12 * np.abs(means).max()
        )
        largest = np.abs(covariances).max()
        np.testing.assert_allclose(
            posterior.covariances[i], covariances, rtol=1e-8, atol=1e-9 * largest
        )
        expected = mdn_numpy.log_density(view, x, t)
        assert log_p[i] == pytest.approx(expected, rel=1e-11, abs=1e-11)
        at = t[0] if one_target else t
        assert posterior[i].logpdf(at) == pytest.approx(expected, rel=1e-10, abs=1e-10)


@few
@given(shape=shapes, n=st.integers(2, 40), seed=seeds)
def test_one_row_or_many_the_same_bits(shape, n, seed):
    layout, parameters, view = random_committee(shape, seed)
    inputs, _ = random_rows(view, n, seed)
    committee = committee_of(layout, parameters)
    many = committee.posterior(inputs)
    for i, row in enumerate(inputs):
        one = committee.posterior(row)
        np.testing.assert_array_equal(one.weights, many.weights[i])
        np.testing.assert_array_equal(one.means, many.means[i])
        np.testing.assert_array_equal(one.covariances, many.covariances[i])


@pytest.mark.parametrize("n", [127, 128, 129, 700])
def test_many_rows(n):
    """Across the edges of tiles, on one thread and on two."""
    shape = {
        "n_inputs": 3,
        "n_targets": 2,
        "n_members": 2,
        "hidden": [5, 3],
        "kernels": 2,
        "covariance": "full",
        "linear_path": True,
    }
    layout, parameters, view = random_committee(shape, n)
    inputs, targets = random_rows(view, n, n)
    weights = np.random.default_rng(n).exponential(size=n)
    expected_loss, expected_gradient = mdn_numpy.loss_gradient(
        view, 1, inputs, targets, weights
    )
    results = [
        _boundary.loss_gradient(
            layout,
            parameters,
            inputs,
            targets,
            member=1,
            sample_weight=weights,
            n_threads=n_threads,
        )
        for n_threads in (1, 2)
    ]
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
    assert results[0][0] == pytest.approx(expected_loss, rel=1e-12)
    np.testing.assert_allclose(results[0][1], expected_gradient, atol=1e-12)
    log_p = committee_of(layout, parameters).log_density(inputs, targets)
    expected = [
        mdn_numpy.log_density(view, x, t) for x, t in zip(inputs, targets, strict=True)
    ]
    np.testing.assert_allclose(log_p, expected, rtol=1e-11, atol=1e-11)
