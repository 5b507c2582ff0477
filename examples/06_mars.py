"""Five parameters of Mars's interior from the outcome of 4.5 billion years.

Prior     that of the published runs, by histograms: Rayleigh number, activation energy
          and volume, enrichment of the crust in heat sources, initial temperature
Forward   convection in two dimensions with melting: 5,824 published runs of Agarwal et
          al. (2021), Earth and Space Science 8, doi:10.1029/2020EA001484, MIT licence
Data      heat flux at core and surface, contraction, thickness of lithosphere and of
          crust, production of crust, temperature at two depths: all eight, or the five
          that a mission could measure
Noise     none, as in the paper
Targets   all five parameters jointly, kernels of full covariance

    python 06_mars.py --data DIR     folder with the published tables; by default
                                     examples/data/mars
"""

import argparse
import json
import sys
from pathlib import Path

import fmdn
import numpy as np
from scipy import stats

DATA = Path(__file__).parent / "data" / "mars"
# Mean loss of the paper's network on these validation runs, nats, parameters scaled to
# 0..1: three kernels of diagonal covariance, 50,000 epochs.
PUBLISHED = -9.68
NAMES = {
    "log10Ra": "log10 Ra",
    "ERef": "energy",
    "VRef": "volume",
    "Enrichment_cr": "enrichment",
    "iniTempTop": "initial T",
}
MEASURABLE = [1, 2, 3, 4, 5]


def read(folder):
    """Give inputs and targets (training, validation), and the targets' scales."""
    scaling = json.loads((folder / "scaling.json").read_text())
    if scaling["par_names"] != list(NAMES):
        raise ValueError(f"{folder}: scaling.json speaks of other parameters")
    low, high = np.array(scaling["pMin"]), np.array(scaling["pMax"])
    tables = (
        np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1)
        for name in ("train", "cv")
    )
    sets = [(t[:, :8], low + (high - low) * t[:, 8:]) for t in tables]
    return *sets, high - low


def marginal(values):
    """Distribution of the runs' values: some failed, so that it is not uniform."""
    margin = 1e-3 * np.ptp(values)  # none lies on the bound itself
    ends = values.min() - margin, values.max() + margin
    return stats.rv_histogram(np.histogram(values, 20, ends), density=False)()


def print_table(posterior, prior, truth):
    print(f"\n{'target':12}{'median':>9}{'90 % interval':>18}{'gain':>11}   truth")
    inside = []
    for name, true in zip(NAMES.values(), truth, strict=True):
        one = posterior.marginal(name)
        low, high = one.interval(0.9)
        gain = one.information_gain(prior[name])
        inside.append(low < true < high)
        print(f"{name:12}{one.median():9.3f}{f'{low:.3f} to {high:.3f}':>18}"
              f"{gain:7.2f} nat   {true:.3f}")  # fmt: skip
    correlation = posterior.cov()
    correlation /= np.sqrt(np.outer(np.diag(correlation), np.diag(correlation)))
    i, j = np.unravel_index(np.abs(np.tril(correlation, -1)).argmax(), (5, 5))
    names = list(NAMES.values())
    print(f"strongest correlation: {correlation[i, j]:+.2f} ({names[i]}, {names[j]})")
    return inside


def draw(path, posterior, prior, truth, checks):
    import matplotlib

    matplotlib.use("Agg")
    from fmdn.plots_joint import plot_joint

    figure = plot_joint(posterior, prior, truth=dict(zip(NAMES.values(), truth,
                                                         strict=True)))  # fmt: skip
    ax = figure.add_axes((0.66, 0.64, 0.3, 0.22))
    place = np.arange(len(NAMES))
    for shift, hatch, (what, check) in zip(
        (-0.2, 0.2), ("", "///"), checks.items(), strict=True
    ):
        gains = [check[name].gain for name in NAMES.values()]
        ax.barh(place + shift, [g.value for g in gains], 0.36, hatch=hatch, label=what,
                xerr=[g.error for g in gains], edgecolor="white")  # fmt: skip
    ax.set_yticks(place, list(NAMES.values()))
    ax.invert_yaxis()
    ax.set_xlabel("mean gain on the validation runs (nat)")
    ax.legend(frameon=False, loc="center right")
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--figure", type=Path, help="draw the figure there")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the runs")
    parser.add_argument("--run", type=int, default=0, help="validation run to show")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not (options.data / "train.csv").exists():
        print(f"skipped: no published runs in {options.data}; docs/gallery/06-mars.md "
              "says where they are")  # fmt: skip
        return 0

    (inputs, targets), (test_inputs, test_targets), scale = read(options.data)
    names = list(NAMES.values())
    prior = fmdn.Prior(
        **{
            name: marginal(column)
            for name, column in zip(names, targets.T, strict=True)
        }
    )
    settings = {"seed": options.seed}
    if options.quick:
        settings |= {"n_members": 2, "hidden": [20, 20], "kernels": 3, "max_iter": 60}
    observables = {"all eight": list(range(8)), "five measurable": MEASURABLE}
    checks = {}
    for what, columns in observables.items():
        committee = fmdn.Committee(**settings).fit(
            inputs[:, columns], targets, prior=prior
        )
        post = committee.posterior(test_inputs[:, columns])
        marginals = {name: post.marginal(name) for name in names}
        truths = dict(zip(names, test_targets.T, strict=True))
        checks[what] = fmdn.calibration(marginals, truths, prior)
        loss = -committee.log_density(test_inputs[:, columns], test_targets)
        loss -= np.log(scale).sum()
        error = loss.std() / np.sqrt(len(loss))
        joint = fmdn.calibration(post, test_targets)
        print(f"\n--- {what} observables: loss {loss.mean():.2f} +- {error:.2f} nat on "
              f"{len(loss)} validation runs")  # fmt: skip
        if what == "all eight":
            first = post[options.run], loss.mean(), joint
            print(f"published network: {PUBLISHED} nat")
            found = fmdn.novelty(committee, test_inputs[options.run])
            print(f"run {options.run} lies at {found.distance[0]:.1f} % of the cloud")
        print(checks[what].summary())
        inside = print_table(post[options.run], prior, test_targets[options.run])
        if what == "all eight":
            n_inside = sum(inside)
    posterior, loss, joint = first
    print(f"\njoint posterior of all five: {joint!r}")
    if options.figure:
        draw(options.figure, posterior, prior, test_targets[options.run], checks)

    wanted = -4.0 if options.quick else PUBLISHED
    passed = {
        f"loss below {wanted}": loss < wanted,
        "truth inside 90 % for three of five": n_inside >= 3,
        "coverage of 90 % within 0.80..0.97": options.quick
        or all(0.80 < one.coverage(0.9) < 0.97 for one in checks["all eight"].values()),
    }
    for what, fine in passed.items():
        print(f"{'passed' if fine else 'FAILED'}: {what}")
    return not all(passed.values())


if __name__ == "__main__":
    sys.exit(main())
