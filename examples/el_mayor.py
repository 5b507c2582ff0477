"""The El Mayor-Cucapah earthquake of 2010 from its GNSS offsets, by prior sampling.

A rectangle of uniform slip in an elastic half-space stands for the fault. Earthquakes
are drawn from the prior, their static displacements are computed and made as noisy as
the real ones, and for each parameter a committee of mixture density networks learns its
posterior. What was measured on 4 April 2010 is then one more input.

    python el_mayor.py            table and figure, in two minutes on two cores
    python el_mayor.py --check    the same posteriors by McMC, and coverage
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import fmdn
import numpy as np
from el_mayor_inputs import FirstGuess, make_inputs
from el_mayor_model import (
    AZIMUTH,
    EAST,
    NORTH,
    OBSERVED,
    PRIOR,
    TARGETS,
    UNITS,
    add_noise,
    fault_length,
    forward,
    from_normal,
    normal_targets,
    to_normal,
)
from scipy import stats
from scipy.special import ndtr, ndtri


@dataclass
class Posterior:
    """A posterior on the normal scale, seen in the parameter's own unit."""

    normal: fmdn.Mixture
    prior: object

    def quantile(self, q):
        return self.prior.ppf(ndtr(self.normal.quantile(q)))

    def interval(self, confidence):
        tail = (1 - confidence) / 2
        return self.quantile(tail), self.quantile(1 - tail)

    def pdf(self, x):
        z = np.clip(ndtri(self.prior.cdf(x)), -4, 4)
        return self.normal.pdf(z) * self.prior.pdf(x) / stats.norm.pdf(z)

    def std(self):
        return self.quantile((np.arange(2000) + 0.5) / 2000).std()

    def information_gain(self):
        return self.normal.information_gain(fmdn.Normal(0, 1))

    @property
    def members(self):
        return [Posterior(member, self.prior) for member in self.normal.members]


# --- Training -----------------------------------------------------------------------


@dataclass
class Story:
    """What was learnt: enough to turn any observation into posteriors."""

    guess: FirstGuess
    committees: dict
    joint: fmdn.Committee

    def posteriors(self, data):
        """Give a posterior of each parameter for one observation, (n_data,)."""
        inputs = make_inputs(data[None], self.guess)[0]
        return {
            name: Posterior(committee.posterior(inputs), TARGETS[name])
            for name, committee in self.committees.items()
        }

    def models(self, data, size, seed):
        """Draw models from the joint posterior of one observation."""
        inputs = make_inputs(data[None], self.guess)[0]
        z = self.joint.posterior(inputs).sample(size, seed)
        return from_normal(z, PRIOR.values())


def learn(seed, n_samples, n_members, max_iter, progress=True):
    """Simulate earthquakes and train the committees."""
    # The first guess has simulations of its own: then it is as good on the others as
    # it will be on an observation.
    samples = fmdn.simulate(
        PRIOR, forward, 2 * n_samples, seed=seed, vectorised=True, progress=progress
    )
    data = add_noise(samples.data, seed)
    z = to_normal(samples.models, PRIOR.values())
    guess = FirstGuess(data[n_samples:], z[n_samples:])
    inputs = make_inputs(data[:n_samples], guess, progress)
    targets = normal_targets(samples.models[:n_samples])

    settings = {"hidden": [20, 20], "kernels": 4, "linear_path": True, "seed": seed}
    settings |= {"max_iter": max_iter, "patience": 40}
    committees = {}
    for column, name in zip(targets.T, TARGETS, strict=True):
        committee = fmdn.Committee(n_members=n_members, **settings)
        committees[name] = committee.fit(
            inputs, column, target_names=[name], progress=progress
        )
    joint = fmdn.Committee(n_members=2, **settings | {"kernels": 2})
    joint.fit(inputs, z[:n_samples], target_names=PRIOR.names, progress=progress)
    return Story(guess, committees, joint)


# --- Table and figure ---------------------------------------------------------------


def print_table(posteriors):
    print(f"{'parameter':12}{'unit':10}{'median':>8}   90 % interval    gain (nats)")
    for name, one in posteriors.items():
        low, high = one.interval(0.9)
        digits = 2 if name == "magnitude" else 1
        interval = f"{low:.{digits}f} to {high:.{digits}f}"
        print(
            f"{name:12}{UNITS[name]:10}{one.quantile(0.5):8.{digits}f}   {interval:16} "
            f"{one.information_gain():11.2f}"
        )


def draw(posteriors, models, path):
    """Draw the posteriors beside a map of observed and predicted displacements."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from fmdn.plots import plot_posterior

    figure = plt.figure(figsize=(13, 8.5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.05))
    axes = left.subplots(4, 2).ravel()
    for ax, (name, one) in zip(axes, posteriors.items(), strict=True):
        plot_posterior(one, TARGETS[name], name=name, unit=UNITS[name], ax=ax)
        ax.set_ylabel("")
        ax.set_yticks([])
    left.supylabel("probability density")
    labels = axes[0].get_legend_handles_labels()
    left.legend(*labels, loc="outside upper center", ncols=3, frameon=False)

    ax = right.subplots()
    predicted = forward(models).reshape(len(models), 2, -1)
    arrows = {"angles": "xy", "scale_units": "xy", "scale": 0.0025, "units": "inches"}
    for i, one in enumerate(predicted):
        label = None if i else f"predicted by {len(models)} posterior samples"
        ax.quiver(EAST, NORTH, *one, **arrows, color="#d1495b", alpha=0.3, width=0.012,
                  label=label)  # fmt: skip
    ax.quiver(EAST, NORTH, *OBSERVED.reshape(2, -1), **arrows, width=0.02,
              label="observed (scale: 10 cm)")  # fmt: skip
    ax.quiver(50, 195, 0.1, 0, **arrows, width=0.02)
    axis = np.radians(AZIMUTH)
    for i, (along, across, _, strike, *_) in enumerate(models):
        x = along * np.sin(axis) + across * np.cos(axis)
        y = along * np.cos(axis) - across * np.sin(axis)
        half = fault_length(models)[i] / 2
        dx, dy = half * np.sin(np.radians(strike)), half * np.cos(np.radians(strike))
        label = None if i else "their faults, seen from above"
        ax.plot([x - dx, x + dx], [y - dy, y + dy], "#0b4f8a", alpha=0.3, label=label)
    ax.set(xlim=(-250, 150), ylim=(-110, 210), aspect="equal")
    ax.set(xlabel="east of 115.4 W (km)", ylabel="north of 32.4 N (km)")
    ax.legend(loc="lower left", frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with McMC")
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("el_mayor.png"))
    options = parser.parse_args()

    sizes = {"n_samples": 30_000, "n_members": 4, "max_iter": 400}
    if options.quick:
        sizes = {"n_samples": 3_000, "n_members": 2, "max_iter": 60}
    print(
        f"{sizes['n_samples']} simulations to learn from, as many for a first guess; "
        f"{sizes['n_members']} members of each committee"
    )
    start = time.perf_counter()
    story = learn(options.seed, **sizes)
    posteriors = story.posteriors(OBSERVED)
    print_table(posteriors)
    draw(posteriors, story.models(OBSERVED, 30, options.seed), options.output)
    print(f"{options.output} written; {time.perf_counter() - start:.0f} s in all")
    if options.check:
        import el_mayor_check

        el_mayor_check.check(story, options.seed, options.quick)


if __name__ == "__main__":
    main()
