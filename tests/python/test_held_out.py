"""`fit` says so when its posteriors are too narrow for the rows it kept back."""

import warnings

import numpy as np
import pytest
from fmdn import Committee, GaussianNoise, Inversion, Prior, Samples, Uniform
from fmdn.held_out import CoverageWarning


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((n, 8))
    return inputs, inputs[:, 0] + rng.standard_normal(n)


# far more weights than rows, trained until nothing is left to learn by heart
LEARNT_BY_HEART = {"hidden": 60, "kernels": 6, "patience": None, "max_iter": 400}


def test_a_committee_that_learnt_by_heart_is_noticed():
    own = rows(600)  # monitored by what it learns, it never stops
    others = rows(400, seed=1)
    with pytest.warns(CoverageWarning, match=r"depth: its 90 % regions hold \d\d % of"):
        Committee(2, **LEARNT_BY_HEART, seed=1).fit(
            *own, monitor=own, weighting=others, target_names="depth"
        )


@pytest.mark.parametrize("n", [500, 6000])
def test_good_posteriors_are_left_in_peace(n):
    """With rows to weigh the members, and without."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", CoverageWarning)
        Committee(3, max_iter=30, seed=1).fit(*rows(n))


def test_folds_speak_where_all_rows_train(monkeypatch):
    from fmdn import held_out

    inputs, targets = rows(300)
    found = []
    inside = held_out._inside
    monkeypatch.setattr(
        held_out, "_inside", lambda *a: found.append(inside(*a)) or 0.0 * found[-1]
    )
    with pytest.warns(CoverageWarning, match="its members' 90 % regions hold 0 % of"):
        Committee(12, max_iter=20, seed=1).fit(inputs, targets)
    assert sum(map(len, found)) == 300 and len(found) == 10  # each row once


def test_noise_is_on_the_rows_that_are_asked():
    """Without it posteriors would seem too wide, never too narrow."""
    from fmdn import held_out

    rng = np.random.default_rng(0)
    models = rng.uniform(-1, 1, (6000, 1))
    seen = []

    class Asked(Committee):
        def posterior(self, inputs):
            seen.append(np.array(inputs))
            return super().posterior(inputs)

    for noise in (0.5, GaussianNoise(0.5)):
        Asked(2, hidden=5, kernels=1).fit(
            np.zeros((6000, 1)), models[:, 0], noise=noise
        )
    assert all(abs(one.std() - 0.5) < 0.05 for one in seen)
    assert len(seen[0]) <= held_out.MOST_ROWS


def test_an_inversion_says_which_target(monkeypatch):
    from fmdn import held_out

    prior = Prior(a=Uniform(0, 1), b=Uniform(0, 1))
    models = prior.sample(600, seed=1)
    samples = Samples(models, models, prior=prior)
    monkeypatch.setattr(held_out, "_inside", lambda _, targets: targets[:, 0] < 0.5)
    with pytest.warns(CoverageWarning) as caught:
        inversion = Inversion(
            samples, 0.1, ["a", "b"], n_members=1, hidden=3, kernels=1
        )
        inversion.fit()
    assert [str(one.message)[0] for one in caught] == ["a", "b"]
