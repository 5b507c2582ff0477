"""scikit-learn's users find themselves at home."""

import numpy as np
import pytest
from fmdn import Committee

pytest.importorskip("sklearn")
from sklearn.base import clone, is_regressor  # noqa: E402
from sklearn.compose import TransformedTargetRegressor  # noqa: E402
from sklearn.ensemble import BaggingRegressor  # noqa: E402
from sklearn.inspection import permutation_importance  # noqa: E402
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

NOT_EXPECTED_TO_PASS = {
    "check_fit_score_takes_y": (
        "fit's arguments are inputs and targets, as in the rest of the package; "
        "scikit-learn's own tools give them by place"
    ),
    "check_sample_weight_equivalence_on_dense_data": (
        "a row given twice may fall on both sides of a split, a row of weight two "
        "cannot; rows of weight zero do equal removed ones (test_committee.py)"
    ),
}


@parametrize_with_checks(
    [Committee(n_members=2, max_iter=20)],
    expected_failed_checks=lambda estimator: NOT_EXPECTED_TO_PASS,
)
@pytest.mark.filterwarnings("ignore:kernels=.*distinct targets:UserWarning")
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture
def estimator(quick):
    return Committee(**quick)


def test_clone_copies_the_settings_only(committee):
    copied = clone(committee)
    assert copied.get_params() == committee.get_params()
    assert not hasattr(copied, "layout_")
    assert is_regressor(copied)


def test_pipeline(rows, estimator):
    """The core scales its inputs itself: scaling before changes nearly nothing."""
    inputs, targets = rows
    pipeline = make_pipeline(StandardScaler(), estimator).fit(inputs, targets)
    alone = clone(estimator).fit(inputs, targets)
    assert pipeline.predict(inputs).shape == targets.shape
    np.testing.assert_allclose(
        pipeline.score(inputs, targets), alone.score(inputs, targets), atol=0.05
    )
    post = pipeline[-1].posterior(pipeline[:-1].transform(inputs[:2]))
    assert post.mean().shape == (2, 2)


def test_cross_validation_scores_log_densities(rows, estimator):
    inputs, targets = rows
    scores = cross_val_score(estimator, inputs, targets, cv=KFold(3))
    by_hand = [
        clone(estimator).fit(inputs[train], targets[train])
        .log_density(inputs[test], targets[test]).mean()
        for train, test in KFold(3).split(inputs)
    ]  # fmt: skip
    np.testing.assert_allclose(scores, by_hand, rtol=1e-12)
    r2 = cross_val_score(estimator, inputs, targets[:, 0], cv=KFold(3), scoring="r2")
    assert (r2 > 0.5).all()  # noise of 0.2 on a sine: the best possible is 0.92


def test_grid_search_finds_the_better_setting(rows, estimator):
    search = GridSearchCV(estimator, {"max_iter": [0, 30], "kernels": [1, 2]}, cv=2)
    search.fit(*rows)
    assert search.best_params_["max_iter"] == 30
    assert search.predict(rows[0]).shape == rows[1].shape
    in_processes = GridSearchCV(estimator, {"max_iter": [0, 30]}, cv=2, n_jobs=2)
    in_processes.fit(*rows)
    assert in_processes.best_params_ == {"max_iter": 30}


def test_other_tools_give_rows_by_place(rows, estimator):
    inputs, targets = rows[0], rows[1][:, 1]
    weights = np.linspace(1, 2, len(inputs))
    scaled = TransformedTargetRegressor(estimator, transformer=StandardScaler())
    bagged = BaggingRegressor(estimator, n_estimators=2, random_state=0)
    for tool in (scaled.fit(inputs, targets), bagged.fit(inputs, targets, weights)):
        assert np.corrcoef(tool.predict(inputs), targets)[0, 1] > 0.99
    importance = permutation_importance(
        clone(estimator).fit(inputs, targets),
        inputs,
        targets,
        n_repeats=2,
        random_state=0,
    )
    assert importance.importances_mean.argmax() == 1  # the target is the second input
