"""What an import brings in, and what it needs."""

import json

import pytest

IMPORTED = """
import json, os, sys
import fmdn
fmdn.Committee, fmdn.Mixture, fmdn.load
print(json.dumps([sorted({name.partition(".")[0] for name in sys.modules}),
                  os.environ.get("OMP_WAIT_POLICY")]))
"""


def test_the_import_is_small(run_python):
    modules, policy = json.loads(run_python(IMPORTED, OMP_WAIT_POLICY=""))
    assert "fmdn" in modules and "numpy" in modules
    heavy = {"scipy", "matplotlib", "sklearn", "pandas", "tqdm", "emcee", "torch"}
    assert not heavy & set(modules)


def test_waiting_threads_do_not_spin_unless_they_are_told_to(run_python):
    """Machines are shared, with BLAS and with others."""
    unset = "import os; os.environ.pop('OMP_WAIT_POLICY', None)\n" + IMPORTED
    assert json.loads(run_python(unset))[1] == "PASSIVE"
    assert json.loads(run_python(IMPORTED, OMP_WAIT_POLICY="ACTIVE"))[1] == "ACTIVE"


ALONE = """
import sys

class OnlyThese:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        known = sys.stdlib_module_names | {"numpy", "scipy", "fmdn", "_sysconfigdata"}
        if root not in known and not root.startswith("_sysconfigdata"):
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, OnlyThese())
try:
    import tqdm
except ImportError:
    pass
else:
    sys.exit("nothing is blocked")

import numpy as np
import fmdn

prior = fmdn.Prior(x=fmdn.Uniform(0, 1), y=fmdn.Normal(0, 1))
samples = fmdn.simulate(
    prior, lambda m: m @ [[1, 1], [1, -1]], 100, seed=1, vectorised=True
)
inversion = fmdn.Inversion(samples, fmdn.GaussianNoise(0.1), ["x", ("x", "y")],
                           n_members=2, max_iter=5).fit()
post = inversion.posterior([0.5, 0.5])
print(post.summary())
assert post["x"].hpd(0.9).shape[-1] == 2 and np.isfinite(post["x", "y"].mode()).all()
inversion.save(sys.argv[1])
assert fmdn.load(sys.argv[1]).posterior([0.5, 0.5])["x"].median() == post["x"].median()
committee = fmdn.Committee(2, max_iter=2)
try:
    committee.predict(samples.data)
except ValueError as error:
    print(error)
committee.fit(samples.data, samples.models)
try:
    committee.fit(samples.data, samples.models, progress=True)
except ImportError as error:
    print(error)
"""


def test_numpy_and_scipy_are_enough(run_python, tmp_path):
    said = run_python(ALONE, tmp_path / "model.mdn")
    assert "nat" in said and "not fitted yet" in said
    assert "progress=True needs tqdm: pip install tqdm" in said


def test_scikit_learn_has_its_own_exception_where_it_is_in_use():
    exceptions = pytest.importorskip("sklearn.exceptions")
    from fmdn import Committee

    with pytest.raises(exceptions.NotFittedError):
        Committee().predict([[1.0]])
