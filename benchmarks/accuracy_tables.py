"""Tables of data: the UCI sets on their standard splits, and mantle convection."""

import fmdn
import numpy as np

UCI = {
    "boston": "bostonHousing",
    "concrete": "concrete",
    "energy": "energy",
    "yacht": "yacht",
    "wine": "wine-quality-red",
}
GRID_STEP = 1.0  # of the wine's marks
N_PARAMETERS = 5  # of the mantle


def uci(folder, name, split):
    """Inputs and targets of a standard split: training, then test."""
    folder = folder / "uci" / UCI[name]
    table = np.loadtxt(folder / "data.txt")
    features = np.loadtxt(folder / "index_features.txt", dtype=int)
    target = int(np.loadtxt(folder / "index_target.txt"))
    parts = []
    for part in ("train", "test"):
        rows = np.loadtxt(folder / f"index_{part}_{split}.txt", dtype=int)
        parts += [table[rows][:, features], table[rows, target]]
    return parts


def run_uci(folder, name, split, settings):
    """Mean test loss in nats; for the wine also with a floor on the kernels' widths."""
    inputs, targets, test_inputs, test_targets = uci(folder, name, split)
    committee = fmdn.Committee(seed=split, **settings).fit(inputs, targets)
    found = {"loss": -committee.score(test_inputs, test_targets)}
    if name == "wine":
        post = committee.posterior(test_inputs)
        floor = GRID_STEP / 4
        sd = np.maximum(np.sqrt(post.covariances.reshape(post.weights.shape)), floor)
        z = (test_targets[:, np.newaxis] - post.means.reshape(sd.shape)) / sd
        density = post.weights * np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * sd)
        found["loss with a floor"] = -np.log(density.sum(axis=1)).mean()
    return found


def run_mars(folder, seed, settings):
    """Mean loss of five parameters jointly on the published validation set."""
    training, test = (
        np.loadtxt(folder / "mars" / f"{name}.csv", delimiter=",", skiprows=1)
        for name in ("train", "cv")
    )
    inputs, targets = training[:, :-N_PARAMETERS], training[:, -N_PARAMETERS:]
    committee = fmdn.Committee(seed=seed, **settings).fit(inputs, targets)
    losses = -committee.log_density(test[:, :-N_PARAMETERS], test[:, -N_PARAMETERS:])
    return {"loss": losses.mean(), "error": losses.std() / np.sqrt(len(losses))}
