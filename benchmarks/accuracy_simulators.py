"""Three tasks of sbibm (Lueckmann et al. 2021) and its classifier two-sample test.

C2ST is the accuracy with which a network tells samples of the posterior from reference
samples: one half is perfect.
"""

import fmdn
import numpy as np
from accuracy_exact import coverage


def two_moons(models, rng):
    """Half a ring of data about a point that two models share."""
    angle = rng.uniform(-np.pi / 2, np.pi / 2, len(models))
    radius = rng.normal(0.1, 0.01, len(models))
    first, second = models.T
    x = radius * np.cos(angle) + 0.25 - np.abs(first + second) / np.sqrt(2)
    y = radius * np.sin(angle) + (second - first) / np.sqrt(2)
    return np.column_stack([x, y])


def gaussian_mixture(models, rng):
    """Data about the model, one half ten times as close as the other."""
    sd = np.where(rng.random(len(models)) < 0.5, 1.0, 0.1)[:, np.newaxis]
    return models + sd * rng.standard_normal(models.shape)


def gaussian_linear_uniform(models, rng):
    return models + np.sqrt(0.1) * rng.standard_normal(models.shape)


# Simulator, number of parameters, half the width of the uniform prior.
TASKS = {
    "gaussian_mixture": (gaussian_mixture, 2, 10.0),
    "two_moons": (two_moons, 2, 1.0),
    "gaussian_linear_uniform": (gaussian_linear_uniform, 10, 1.0),
}


def simulate(task, n, seed):
    """Data and models."""
    simulator, n_parameters, half = TASKS[task]
    rng = np.random.default_rng(seed)
    models = rng.uniform(-half, half, (n, n_parameters))
    return simulator(models, rng), models


def run(folder, task, n, seed, settings, observations=(1, 2, 3), n_samples=10_000):
    """C2ST at the observations, mean test loss, and coverage."""
    data, models = simulate(task, n, seed)
    _, n_parameters, half = TASKS[task]
    prior = fmdn.Prior(
        {f"parameter_{i}": fmdn.Uniform(-half, half) for i in range(n_parameters)}
    )
    committee = fmdn.Committee(seed=seed, **settings).fit(data, models, prior=prior)
    data, models = simulate(task, 5000, seed + 1000)
    found = {"loss": -committee.score(data, models)}
    found["coverage"] = coverage(committee, data[:2000], models[:2000])
    for number in observations:
        place = folder / "sbibm" / task / f"num_observation_{number}"
        observed = np.loadtxt(place / "observation.csv", delimiter=",", skiprows=1)
        reference = reference_samples(place)[:n_samples]
        samples = inside(committee.posterior(observed), half, len(reference))
        found[f"C2ST {number}"] = c2st(reference, samples)
    return found


def reference_samples(place):
    (path,) = place.glob("reference_posterior_samples.csv*")
    return np.loadtxt(path, delimiter=",", skiprows=1)


def inside(post, half, n):
    """Draw n samples within the prior's bounds; those outside are drawn again."""
    kept = np.empty((0, post.means.shape[-1]))
    for attempt in range(1000):
        samples = post.sample(n, seed=attempt)
        good = (np.abs(samples) <= half).all(axis=1)
        kept = np.concatenate([kept, samples[good]])
        if len(kept) >= n:
            return kept[:n]
    raise RuntimeError("nearly all of the posterior is outside the prior")


def c2st(reference, samples):
    """Classifier two-sample test as sbibm defines it."""
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.neural_network import MLPClassifier

    centre, scale = reference.mean(axis=0), reference.std(axis=0, ddof=1)
    both = (np.concatenate([reference, samples]) - centre) / scale
    labels = np.repeat([0, 1], [len(reference), len(samples)])
    units = 10 * reference.shape[1]
    network = MLPClassifier((units, units), max_iter=1000, random_state=1)
    folds = KFold(5, shuffle=True, random_state=1)
    return float(cross_val_score(network, both, labels, cv=folds, n_jobs=-1).mean())
