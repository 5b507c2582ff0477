"""Several Python threads at once, and other libraries with threads of their own."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fmdn import Committee


def at_once(functions):
    with ThreadPoolExecutor(len(functions)) as pool:
        return [task.result(60) for task in [pool.submit(one) for one in functions]]


def test_one_committee_answers_several_threads(committee, rows):
    inputs, targets = np.tile(rows[0], (4, 1)), np.tile(rows[1], (4, 1))

    def ask():
        post = committee.posterior(inputs)
        one = post.marginal("depth")
        return (
            post.weights,
            post.means,
            one.quantile([0.05, 0.95]),
            post.sample(3, seed=2),
            committee.log_density(inputs, targets),
        )

    expected = ask()
    for _ in range(5):
        for answer in at_once([ask] * 4):
            for here, there in zip(answer, expected, strict=True):
                np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_two_trainings_at_once(n_threads, rows, quick):
    settings = [quick | {"seed": seed, "n_threads": n_threads} for seed in range(4)]
    expected = [Committee(**one).fit(*rows).parameters_ for one in settings]
    tasks = [
        lambda one=one: Committee(**one).fit(*rows).parameters_ for one in settings
    ]
    for here, there in zip(at_once(tasks), expected, strict=True):
        np.testing.assert_array_equal(here, there)


def test_training_does_not_hold_the_interpreter(rows):
    """Other Python threads go on meanwhile."""
    committee = Committee(2, 20, 5, max_iter=1000, patience=None, n_threads=1)
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(committee.fit, *rows)
        turns = 0
        while not training.done():
            turns += 1
        training.result()
    # Holding it would let this thread have a turn between the members at most.
    assert turns > 1000


BESIDE = """
import sys
import numpy as np

rng = np.random.default_rng(0)
inputs = rng.normal(size=(3000, 2))
targets = inputs[:, 0] + 0.1 * rng.normal(size=3000)

def other():
    if sys.argv[1] == "torch":
        import torch
        assert (torch.ones(500, 500) @ torch.ones(500, 500)).sum() == 500**3
    else:
        from sklearn.cluster import KMeans
        assert KMeans(2, n_init=1, random_state=0).fit(inputs).inertia_ > 0

def train(n_threads):
    committee = Committee(2, 4, 2, max_iter=5, n_threads=n_threads)
    return committee.fit(inputs, targets).parameters_

if sys.argv[2] == "first":
    other()
from fmdn import Committee
alone = train(1), train(2)
other()
again = train(2)
assert (alone[0] == alone[1]).all() and (alone[0] == again).all()
print("same")
"""


@pytest.mark.parametrize("when", ["first", "later"])
@pytest.mark.parametrize("library", ["torch", "sklearn"])
def test_beside_libraries_with_an_openmp_of_their_own(library, when, run_python):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    assert run_python(BESIDE, library, when, OMP_NUM_THREADS="2") == "same\n"
