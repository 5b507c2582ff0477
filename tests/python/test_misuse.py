"""Bad input gets a clear error that names the argument and, for a number, its place."""

import warnings

import numpy as np
import pytest
from fmdn import Committee, Normal, Prior, Uniform

X = np.arange(60.0).reshape(20, 3)
Y = np.column_stack([np.arange(20.0), np.arange(20.0) ** 2])


def small(**settings):
    return Committee(
        **{"n_members": 2, "hidden": 2, "kernels": 1, "max_iter": 2} | settings
    )


def changed(array, value, *at, kind=float):
    array = array.astype(kind)
    array[at] = value
    return array


@pytest.fixture(scope="module")
def trained():
    return small().fit(X, Y)


# --- Numbers --------------------------------------------------------------------------

BAD_NUMBERS = [
    (changed(X, np.nan, 7, 2), ValueError, "contains NaN at row 7, column 2"),
    (changed(X, np.inf, 0, 1), ValueError, "contains inf at row 0, column 1"),
    (changed(X, -np.inf, 19, 0), ValueError, "contains inf at row 19, column 0"),
    (changed(X, None, 4, 2, kind=object), ValueError, "NaN at row 4, column 2"),
    (changed(X, "deep", 3, 1, kind=object), TypeError, "'deep' at row 3, column 1"),
    (changed(X, "1.5", 3, 1, kind=object), TypeError, "'1.5' at row 3, column 1"),
    (changed(X, 1j, 2, 0, kind=object), TypeError, "1j at row 2, column 0"),
    (changed(X, {}, 2, 0, kind=object), TypeError, "{} at row 2, column 0"),
    (X + 0j, ValueError, "Complex"),
    (X.astype(str), TypeError, "must be numbers, got dtype <U"),
    (X.astype(bytes), TypeError, "must be numbers, got dtype .S"),
    (X.astype("datetime64[s]"), TypeError, "must be numbers, got dtype datetime64"),
    (np.ma.masked_equal(X, 31.0), ValueError, "a masked value at row 10, column 1"),
    ([[1.0, 2.0], [3.0]], ValueError, "cannot be made an array"),
    ({"a": 1}, TypeError, "must be numbers"),
    (np.longdouble(10) ** 400 * X, ValueError, "contains inf at row 0, column 1"),
    (7.0, ValueError, "2-D, got shape ()"),
    (X[np.newaxis], ValueError, r"2-D, got shape \(1, 20, 3\)"),
]


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("bad, error, message", BAD_NUMBERS, ids=lambda x: str(x)[:20])
def test_numbers_that_are_none(bad, error, message, trained):
    with pytest.raises(error, match=f"inputs.*{message}"):
        small().fit(bad, Y)
    targets_message = message.replace("2-D", "1-D or 2-D").replace(
        "row 0, column 1", ""
    )
    with pytest.raises(error, match=f"targets.*{targets_message}"):
        small().fit(X, bad)
    with pytest.raises(error, match=f"monitor inputs.*{message}"):
        small().fit(X, Y, monitor=(bad, Y))
    with pytest.raises(error, match=f"weighting targets.*{targets_message}"):
        small().fit(X, Y, weighting=(X, bad))
    for ask in (trained.posterior, trained.predict, lambda x: trained.score(x, Y)):
        with pytest.raises(error, match=f"inputs.*{message}"):
            ask(bad)
    with pytest.raises(error, match=f"targets.*{targets_message}"):
        trained.log_density(X, bad)


def test_numbers_in_objects_are_numbers():
    objects = small().fit(X.astype(object), Y.astype(object))
    np.testing.assert_array_equal(objects.parameters_, small().fit(X, Y).parameters_)


def test_one_target_has_rows_only():
    with pytest.raises(ValueError, match="targets contains NaN at row 7$"):
        small().fit(X, changed(Y[:, 0], np.nan, 7))


def test_sparse_matrices_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match="inputs is a sparse matrix"):
        small().fit(sparse.csr_array(X), Y)


# --- Shapes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inputs, targets, given, message",
    [
        (X[:0], Y[:0], {}, r"inputs is empty: 0 sample"),
        (X[:, :0], Y, {}, r"inputs is empty: 0 feature"),
        (
            X,
            Y[:0],
            {},
            r"inputs and targets must have the same number of rows.*20 and 0",
        ),
        (X, Y[:0, 0], {}, r"the same number of rows.*20 and 0"),
        (X, Y[:, :0], {}, r"targets is empty: 0 feature"),
        (X, Y[:19], {}, r"the same number of rows.*20 and 19"),
        (X[:, 0], Y, {}, r"inputs must be 2-D, got shape \(20,\)"),
        (X, None, {}, "targets"),
        (X[:4], Y[:4], {}, "at least 5 rows.*got 4"),
        (X, Y, {"monitor": (X[:, :2], Y)}, "monitor inputs has 2 .* 3 .*expected"),
        (X, Y, {"monitor": (X, Y[:, 0])}, "monitor targets has 1 .* 2 .*expected"),
        (X, Y, {"monitor": (X[:0], Y[:0])}, "monitor inputs is empty"),
        (X, Y, {"monitor": (X, Y[:3])}, "monitor inputs and monitor targets"),
        (X, Y, {"weighting": (X[:, :2], Y)}, "weighting inputs has 2"),
        (X, Y, {"weighting": (X[:0], Y[:0])}, "weighting inputs is empty"),
        (X, Y, {"groups": np.arange(19)}, r"groups must have shape \(20,\)"),
        (X, Y, {"groups": np.arange(20) % 4}, "groups.*got 4"),
        (X, Y, {"groups": changed(Y[:, 0], np.nan, 6)}, "groups contains NaN at row 6"),
        (X, Y, {"sample_weight": np.ones(19)}, "sample_weight must have 20 entries"),
        (X, Y, {"sample_weight": np.ones((20, 1))}, "sample_weight must be 0-D or 1-D"),
        (X, Y, {"sample_weight": changed(Y[:, 0], -1, 6)}, "sample_weight.*at row 6"),
        (
            X,
            Y,
            {"sample_weight": changed(Y[:, 0], np.nan, 6)},
            "sample_weight.*NaN.*row 6",
        ),
        (X, Y, {"sample_weight": np.zeros(20)}, "sample_weight is zero everywhere"),
        (X, Y, {"sample_weight": np.arange(20) < 4}, "with weights.*got 4"),
        (X, Y, {"noise": [0.1, 0.2]}, "noise.*2 entries.*3"),
        (X, Y, {"noise": -0.1}, "noise"),
        (X, Y, {"noise": [0, np.nan, 0]}, "noise.*channel 1"),
        (
            X,
            Y,
            {"prior": Prior(a=Normal(0, 1))},
            "prior must have 2 distributions, got 1",
        ),
        (X, Y, {"prior": [Normal(0, 1)] * 3}, "prior must have 2 distributions, got 3"),
        (X, Y, {"target_names": ["a"]}, "target_names must have 2 entries, got 1"),
        (X, Y, {"target_names": ["a", "a"]}, "target_names: 'a' is there twice"),
        (X, Y, {"input_names": list("abcd")}, "input_names must have 3 entries, got 4"),
    ],
)
def test_shapes_that_do_not_fit(inputs, targets, given, message):
    with pytest.raises(ValueError, match=message):
        small().fit(inputs, targets, **given)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"monitor": X}, "monitor must be a pair"),
        ({"weighting": (X, Y, Y)}, "weighting must be a pair"),
        ({"groups": ["a", 1, *range(18)]}, None),
        (
            {"groups": np.array(["a", *range(19)], dtype=object)},
            "groups must be labels",
        ),
        ({"prior": Uniform(0, 1)}, "prior must be a Prior or 2 distributions"),
        ({"noise": "loud"}, "noise"),
        ({"checkpoint": 3.5}, "float"),
    ],
)
def test_arguments_of_another_kind(given, message):
    if message is None:  # NumPy makes strings of them
        small().fit(X, Y, **given)
        return
    with pytest.raises(TypeError, match=message):
        small().fit(X, Y, **given)


def test_asking_with_other_shapes(trained):
    for ask in (trained.posterior, trained.predict):
        with pytest.raises(ValueError, match="2 features.*expecting 3 features"):
            ask(X[:, :2])
        with pytest.raises(ValueError, match="empty: 0 sample"):
            ask(X[:0])
    with pytest.raises(ValueError, match="2 features.*expecting 3 features"):
        trained.posterior(X[0, :2])
    with pytest.raises(ValueError, match="inputs contains NaN at column 1"):
        trained.posterior([0.0, np.nan, 0.0])
    with pytest.raises(ValueError, match="inputs must be 2-D"):
        trained.predict(X[0])
    for targets in (Y[:3], Y[:, 0], Y[:0], Y[:, :1]):
        with pytest.raises(ValueError, match=r"targets must have shape \(20, 2\), got"):
            trained.log_density(X, targets)
    with pytest.raises(ValueError, match="sample_weight must have 20 entries"):
        trained.score(X, Y, np.ones(3))


# --- Settings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"n_members": 0}, ValueError, "n_members must be at least 1, got 0"),
        ({"n_members": 2.0}, TypeError, "n_members must be an integer, got 2.0"),
        ({"n_members": True}, TypeError, "n_members must be an integer, got True"),
        ({"hidden": 0}, ValueError, "hidden must be at least 1"),
        ({"hidden": []}, ValueError, "hidden must hold at least one"),
        ({"hidden": [3, 0]}, ValueError, "hidden must be at least 1"),
        ({"hidden": (5, 3)}, ValueError, "hidden: the low bound 5 exceeds"),
        ({"hidden": (1, 2, 3)}, ValueError, r"hidden must be a number or a pair"),
        ({"hidden": 10**9}, ValueError, "hidden must be at most"),
        ({"hidden": "many"}, TypeError, "hidden must be an integer, got 'many'"),
        ({"kernels": 0}, ValueError, "kernels must be at least 1, got 0"),
        ({"kernels": (0, 3)}, ValueError, "kernels must be at least 1, got 0"),
        ({"kernels": -1}, ValueError, "kernels must be at least 1"),
        ({"kernels": None}, TypeError, "kernels must be an integer"),
        ({"kernels": [2, 3]}, TypeError, "kernels must be an integer"),
        (
            {"covariance": "spherical"},
            ValueError,
            "covariance must be one of 'isotropic'",
        ),
        ({"covariance": None}, ValueError, "covariance must be one of"),
        ({"covariance": ["full"]}, ValueError, "covariance must be one of"),
        ({"max_iter": -1}, ValueError, "max_iter must be at least 0"),
        ({"max_iter": 1e3}, TypeError, "max_iter must be an integer"),
        ({"patience": 0}, ValueError, "patience must be at least 1"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": 2**63}, ValueError, "seed must be at most"),
        ({"seed": None}, TypeError, "seed must be an integer, got None"),
        ({"n_threads": 0}, ValueError, "n_threads must be at least 1"),
        ({"n_threads": 10**6}, ValueError, "n_threads must be at most"),
    ],
    ids=str,
)
def test_settings_of_no_use(settings, error, message):
    with pytest.raises(error, match=message):
        small(**settings).fit(X, Y)


def test_asking_before_training(tmp_path):
    for ask in (
        lambda one: one.posterior(X),
        lambda one: one.predict(X),
        lambda one: one.log_density(X, Y),
        lambda one: one.score(X, Y),
        lambda one: one.save(tmp_path / "none.mdn"),
    ):
        with pytest.raises(ValueError, match="not fitted yet: call fit"):
            ask(small())
    assert not list(tmp_path.iterdir())


def test_bad_input_leaves_a_trained_committee_as_it_is():
    committee = small().fit(X, Y)
    before = committee.predict(X)
    with pytest.raises(ValueError):
        committee.fit(X[:, :2], changed(Y, np.nan, 3, 0))
    np.testing.assert_array_equal(committee.predict(X), before)


# --- Few rows and few distinct targets ------------------------------------------------


@pytest.mark.parametrize("covariance", ["full", "diagonal", "isotropic"])
@pytest.mark.parametrize("n", [5, 6, 8])
def test_a_few_rows_work(n, covariance):
    """Six members: more than there are folds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        committee = Committee(6, covariance=covariance, max_iter=20).fit(X[:n], Y[:n])
    assert len(committee.history_) == 6
    assert np.isfinite(committee.predict(X)).all()
    assert np.isfinite(committee.score(X[:n], Y[:n]))


def test_given_sets_need_no_split():
    sets = {"monitor": (X, Y), "weighting": (X, Y)}
    assert np.isfinite(small().fit(X[:1], Y[:1], **sets).score(X, Y))
    assert np.isfinite(small().fit(X[:1], Y[:1], monitor=(X, Y)).score(X, Y))


def test_drawn_kernels_are_capped_with_one_warning():
    targets = np.arange(20) % 4
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        committee = Committee(12, hidden=2, kernels=(3, 8), max_iter=2).fit(X, targets)
    assert len(caught) == 1
    assert caught[0].category is UserWarning and caught[0].filename == __file__
    assert "only 4 distinct targets" in str(caught[0].message)
    assert {one.weights.shape[1] for one in committee.posterior(X).members} == {3, 4}
    below = Committee(3, hidden=2, kernels=(5, 8), max_iter=2)
    with pytest.warns(UserWarning, match="only 4 distinct"):
        below.fit(X, targets)
    assert below.posterior(X).weights.shape[1] == 3 * 4


def test_explicit_kernels_beyond_the_distinct_targets_are_refused():
    targets = np.arange(20) % 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Committee(2, hidden=2, kernels=4, max_iter=2).fit(X, targets)
        with pytest.raises(ValueError, match="kernels=5 is too many.*only 4 distinct"):
            Committee(2, hidden=2, kernels=5, max_iter=2).fit(X, targets)
        # one value is seen by the members that it does not monitor or weigh only
        targets[0] = 9
        with pytest.raises(ValueError, match="kernels=5 is too many"):
            Committee(10, hidden=2, kernels=5, max_iter=2).fit(X, targets)
        # targets of several columns are distinct as a whole
        pairs = np.column_stack([np.arange(20) // 4, np.arange(20) % 4])
        Committee(2, hidden=2, kernels=8, max_iter=2).fit(X, pairs)


# --- Mixtures -------------------------------------------------------------------------


def test_mixtures_refuse_what_makes_no_sense(trained):
    joint = trained.posterior(X)
    one = joint.marginal("target_0")
    for ask in (one.logpdf, one.pdf, one.cdf, one.sf):
        with pytest.raises(ValueError, match="x contains NaN"):
            ask([1.0, np.nan])
        with pytest.raises(ValueError, match="does not broadcast against 20"):
            ask(np.zeros((3, 4)))
    for q in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="q must lie between 0 and 1"):
            one.quantile(q)
    for confidence in (0, 1, np.nan):
        with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
            one.interval(confidence)
    with pytest.raises(ValueError, match="axis of 2 targets"):
        joint.logpdf([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="cdf needs one target"):
        joint.cdf(0.0)
    with pytest.raises(KeyError, match="no target 'depth'.*'target_0', 'target_1'"):
        joint.marginal("depth")
    with pytest.raises(KeyError, match="no target 'depth'"):
        joint.conditional(depth=1.0)
    with pytest.raises(ValueError, match="given contains NaN"):
        joint.conditional(target_0=np.nan)
    with pytest.raises(IndexError):
        joint[20]
    with pytest.raises(TypeError, match="no length"):
        len(joint[0])
    with pytest.raises(ValueError, match="size must be at least 0"):
        joint.sample(-1)


def test_points_at_infinity_have_no_density(trained):
    joint = trained.posterior(X)
    one = joint.marginal("target_0")
    far = [-np.inf, -1e300, -1e160, 1e160, 1e300, np.inf]
    assert (one.pdf(far) == 0).all() and (one.logpdf(far) < -1e100).all()
    np.testing.assert_array_equal(one.cdf(far), [[0, 0, 0, 1, 1, 1]] * 20)
    np.testing.assert_array_equal(one.sf(far), [[1, 1, 1, 0, 0, 0]] * 20)
    assert (one.logpdf([-np.inf, np.inf]) == -np.inf).all()
    far = np.inf, -np.inf, 1e300, -1e300, 1e140, -1e140
    corners = [[a, b] for a in (0.0, *far) for b in far]
    assert (joint.pdf(corners) == 0).all()
    np.testing.assert_array_equal(one.quantile([0, 1]), [[-np.inf, np.inf]] * 20)
