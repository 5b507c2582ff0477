"""Derivatives of posteriors with respect to the inputs, against differences."""

import doctest
from pathlib import Path

import fmdn
import numpy as np
import pytest
from fmdn import Committee, Sensitivity

PAGE = Path(__file__).parents[2] / "docs" / "sensitivity.md"


def differences(ask, inputs, step):
    """Central differences of ask(inputs), of the fourth order; the input comes last."""
    parts = []
    for j, h in enumerate(step):
        move = np.zeros(inputs.shape[-1])
        move[j] = h
        near, far = (ask(inputs + k * move) - ask(inputs - k * move) for k in (1, 2))
        parts.append((8 * near - far) / (12 * h))
    return np.stack(parts, axis=-1)


def check(committee, inputs):
    found = committee.sensitivity(inputs)
    step = 1e-3 * np.nanstd(inputs, axis=0)
    for name in ("mean", "std", "weights", "means", "covariances"):

        def ask(x, name=name):
            answer = getattr(committee.posterior(x), name)
            return answer() if callable(answer) else answer

        expected = differences(ask, inputs, step)
        got = getattr(found, name)
        assert got.shape == expected.shape, name
        error = np.abs(got - expected) / np.abs(expected).max(
            axis=tuple(range(got.ndim - 1))
        )
        assert error.max() < 1e-7, name
    return found


def test_several_targets(committee, rows):
    found = check(committee, rows[0][:20])
    assert found.target_names == ["wave", "depth"] and len(found.input_names) == 3
    assert repr(found) == "<Sensitivity of wave, depth to 3 inputs>"


def test_flat_targets_with_a_prior(rows, quick):
    inputs, targets = rows
    strike = np.mod(40 * targets[:, 0], 360)
    prior = fmdn.Uniform(0, 360, period=360)
    check(Committee(**quick).fit(inputs, strike, prior=prior), inputs[:20])


def test_one_observation_has_no_axis_of_them(committee, rows):
    several, one = committee.sensitivity(rows[0][:2]), committee.sensitivity(rows[0][1])
    assert isinstance(one, Sensitivity)
    for name in ("mean", "std", "weights", "means", "covariances"):
        np.testing.assert_array_equal(getattr(one, name), getattr(several, name)[1])


def test_units_are_those_of_targets_and_inputs(rows, quick):
    """A factor of two changes no bit of the training, and the derivative by it."""
    inputs, targets = rows
    plain = Committee(**quick).fit(inputs, targets[:, 0])
    scaled = Committee(**quick).fit(inputs * [1, 4, 1], 8 * targets[:, 0])
    a, b = plain.sensitivity(inputs[:5]), scaled.sensitivity(inputs[:5] * [1, 4, 1])
    np.testing.assert_allclose(b.mean, a.mean * [8, 2, 8], rtol=1e-12)
    np.testing.assert_allclose(b.std, a.std * [8, 2, 8], rtol=1e-12)


def test_linear_problem():
    """d = m + noise, both normal: the mean rises by 1/(1 + s^2), the sd not at all."""
    rng = np.random.default_rng(3)
    models, sd = rng.normal(size=4000), 0.5
    data = models[:, np.newaxis] + sd * rng.normal(size=(4000, 1))
    settings = {"hidden": 6, "kernels": 1, "max_iter": 100, "n_members": 2}
    found = Committee(**settings).fit(data, models).sensitivity([[-1.0], [0.0], [1.0]])
    np.testing.assert_allclose(found.mean[:, 0], 1 / (1 + sd**2), atol=0.08)
    np.testing.assert_allclose(found.std[:, 0], 0, atol=0.08)


def test_missing_and_components(rows, quick):
    inputs, targets = rows
    settings = {"missing": [[0], [1, 2]], "components": 2, "noise": [0.1, 1, 1e-3]}
    committee = Committee(**quick).fit(inputs, targets[:, 0], **settings)
    observed = inputs[:10].copy()
    observed[3, 1] = np.nan
    found = check(committee, observed)
    assert not found.mean[3, 1:].any() and found.mean[3, 0] != 0


def test_refused(committee, rows):
    with pytest.raises(ValueError, match="features"):
        committee.sensitivity(rows[0][:, :2])
    with pytest.raises(ValueError, match="row 1, column 2"):
        committee.sensitivity([[0.0, 1, 2], [0, 1, np.nan]])
    with pytest.raises(Exception, match="not fitted"):
        Committee().sensitivity(rows[0])


def test_not_through_an_encoder(rows, quick):
    class Half:
        def transform(self, data):
            return data[:, :2]

    committee = Committee(**quick).fit(rows[0], rows[1][:, 0], encoder=Half())
    with pytest.raises(TypeError, match="encoder"):
        committee.sensitivity(rows[0][0])


def test_page():
    done = doctest.testfile(str(PAGE), module_relative=False)
    assert done.attempted > 10 and done.failed == 0
