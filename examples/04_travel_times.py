"""The mantle's P velocity from travel times.

Prior    deviation of the P velocity from ak135 in nine layers of the mantle, normal
         with sd 1 %; delay common to all times, normal with sd 3 s
Forward  first P by the delay time tau(p) in a spherical Earth, source 11 or 0 km deep
Noise    of a reading: Student's t with 3 degrees of freedom times 1.5 s; of a time in
         the Jeffreys-Bullen table: 0.3 s
Targets  the deviation in each layer

Data are P readings of the earthquake of 30 January 1967 near Spitak, Armenia, and the
Jeffreys-Bullen table of 1940. Both inversions learn from the same prior samples.

    python 04_travel_times.py [--quick] [--figure PATH]
"""

import argparse
import os
import sys
from pathlib import Path

import fmdn
import numpy as np
from earth_models import V_P, ak135, prem
from travel_times_model import (
    BOUNDARIES,
    DATA_SETS,
    ENDS,
    FREEDOM,
    IN_AK135,
    LAYERS,
    PRIOR,
    READING_ERROR,
    TABLE_ERROR,
    WANTED,
    Residuals,
    forward,
)

# --- Table and figure ---------------------------------------------------------------


def most_probable(name):
    """Mode of the posterior and linearised sd, by iterated least squares.

    An independent way to what the networks learn, for a problem that is as nearly
    linear as this one.
    """
    here, noise, observed = DATA_SETS[name]
    sd = np.array([one.std() for one in PRIOR.values()])
    x, step = np.zeros(len(sd)), 0.05
    for _ in range(10):
        times = forward(x + step * np.vstack([0 * x, np.eye(len(x))]))[:, here]
        slopes, late = (times[1:] - times[0]) / step, observed - times[0]
        weights = information = np.full(len(late), 1 / TABLE_ERROR**2)
        if callable(noise):  # Student's t
            weights = (FREEDOM + 1) / (FREEDOM * READING_ERROR**2 + late**2)
            information = (FREEDOM + 1) / (FREEDOM + 3) / READING_ERROR**2  # Fisher's
        precision = (slopes * weights) @ slopes.T + np.diag(sd**-2)
        x = x + np.linalg.solve(precision, slopes @ (weights * late) - x / sd**2)
    covariance = np.linalg.inv(
        slopes @ slopes.T * np.mean(information) + np.diag(sd**-2)
    )
    return x, np.sqrt(np.diag(covariance))


def print_table(posteriors, in_prem, others):
    print("\nP velocity minus ak135, %, and information gain, nats")
    print(f"{'':22}" + "".join(f"{name:>42}" for name in posteriors))
    columns = f"{'mode':>10}{'median':>12}{'90 %':>12}{'gain':>8}"
    print(f"{'layer':14}{'PREM':>8}" + columns * len(posteriors))
    for k, layer in enumerate(LAYERS):
        line = f"{layer:14}{in_prem[k]:+8.2f}"
        for name, posterior in posteriors.items():
            one, (mode, sd) = posterior[layer], others[name]
            low, high = one.interval(0.9)
            line += f"{mode[k]:+9.2f} ± {sd[k]:.2f}{one.median():+7.2f}"
            line += f"  {low:+.2f} to {high:+.2f}{one.information_gain(PRIOR):6.2f}"
        print(line)


def draw(posteriors, in_prem, path):
    """Draw what each data set says of each layer, and the times it says it by."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(12.5, 5.5), width_ratios=(2, 1, 2), layout="constrained"
    )
    low, high = PRIOR[LAYERS[0]].ppf([0.05, 0.95])
    left.axvspan(low, high, color="0.92", label="prior, 90 %")
    styles = [("#0b4f8a", "o", "", 0.33), ("#d1495b", "s", "////", 0.67)]
    for (name, posterior), style in zip(posteriors.items(), styles, strict=True):
        color, marker, hatch, at = style
        here, _, observed = DATA_SETS[name]
        depth = BOUNDARIES[:-1] + at * np.diff(BOUNDARIES)
        marginals = [posterior[layer] for layer in LAYERS]
        median = np.array([one.median() for one in marginals])
        ends = np.array([one.interval(0.9) for one in marginals]).T
        left.errorbar(median, depth, xerr=np.abs(ends - median), fmt=marker, ms=5,
                      color=color, capsize=3, label=f"{name}, 90 %")  # fmt: skip
        gains = [one.information_gain(PRIOR) for one in marginals]
        middle.barh(depth, gains, 0.25 * np.diff(BOUNDARIES), color=color,
                    hatch=hatch, edgecolor="white")  # fmt: skip
        distance = np.degrees(np.concatenate([one[0] for one in WANTED])[here])
        right.plot(distance, observed - IN_AK135[here], marker, color=color, ms=4.5,
                   mfc=color if hatch == "" else "none", label=name)  # fmt: skip
    left.stairs(in_prem, BOUNDARIES, orientation="horizontal", color="black", ls="--",
                baseline=None, label="PREM")  # fmt: skip
    left.set(xlabel="P velocity minus ak135 (%)", ylabel="depth (km)", xlim=(-2, 2))
    middle.set(xlabel="information gain (nats)", yticklabels=[])
    for ax in (left, middle):
        ax.set_ylim(BOUNDARIES[-1], 0)
        for boundary in BOUNDARIES:
            ax.axhline(boundary, color="0.8", lw=0.6, zorder=0)
    left.axvline(0, color="black", lw=0.8)
    right.axhline(0, color="black", lw=0.8)
    right.set(xlabel="distance (degrees)", ylabel="P time minus that in ak135 (s)")
    for ax in (left, right):
        ax.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--figure", type=Path, default=Path("04_travel_times.png"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    quick, seed = options.quick, options.seed
    settings = {"n_members": 2 if quick else 4, "max_iter": 60 if quick else 600}
    settings |= {"hidden": 20, "kernels": 2, "linear_path": True, "seed": seed}

    sizes = (1_500, 500) if quick else (20_000, 2_000)
    samples, test = (
        fmdn.simulate(PRIOR, forward, n, seed=seed + k, vectorised=True, batch_size=25)
        for k, n in enumerate(sizes)
    )
    print(f"{sizes[0]} simulations to learn from")
    posteriors, checks = {}, {}
    for name, (here, noise, observed) in DATA_SETS.items():
        some = fmdn.Samples(samples.models, samples.data[:, here], prior=PRIOR)
        encoder = Residuals(IN_AK135[here])
        inversion = fmdn.Inversion(some, noise, LAYERS, encoder=encoder, **settings)
        inversion.fit()
        posteriors[name] = inversion.posterior(observed)
        place = fmdn.novelty(inversion, observed)
        data = inversion.noise.add(test.data[:, here], seed)
        judged = fmdn.calibration(inversion.posterior(data), test, PRIOR)
        print(
            f"\n{name}: farther out than {place.distance[0]:.1f} % of the training set"
        )
        print(judged.summary())
        worst = max(abs(one.coverage(0.9) - 0.9) for one in judged.values())
        checks[f"{name}: coverage"] = worst < (0.08 if quick else 0.03)
        checks[f"{name}: like the training set"] = not place.unlike[0]
        gains = {key: one.gain.value for key, one in judged.items()}
        checks[f"{name}: the lower mantle is seen"] = gains["1800-2200 km"] > 0.2

    in_prem = np.array(
        [np.mean(prem(z, V_P) / ak135(z, "P")) for z in
         (np.linspace(top + 1, bottom - 1, 200) for top, bottom in ENDS)]
    )  # fmt: skip
    in_prem = 100 * (in_prem - 1)
    others = {name: most_probable(name) for name in DATA_SETS}
    print_table(posteriors, in_prem, others)
    for name, (mode, sd) in others.items():
        off = [posteriors[name][one].mean() for one in LAYERS] - mode[:-1]
        near = np.abs(off / sd[:-1]).mean() < (1 if quick else 0.7)
        checks[f"{name}: near the mode"] = near
    draw(posteriors, in_prem, options.figure)
    print(f"\n{options.figure} written; {sum(os.times()[:4]):.0f} s of processor time")
    for what, holds in checks.items():
        print(f"{what}: {'yes' if holds else 'FAILED'}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
