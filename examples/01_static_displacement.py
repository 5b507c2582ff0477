"""The El Mayor-Cucapah earthquake of 2010 from ever more GNSS stations.

Prior: a rectangular fault near the epicentre, magnitude 6.8 to 7.6 (el_mayor_model.py).
Forward model: static displacements in an elastic half-space (Okada 1985).
Noise: the records' scatter, 5 mm, and a tenth of each displacement for the model.
Targets: magnitude and strike jointly; position along and across the faults; rake.

In training stations are left out at random, so that one committee serves any network of
stations: here the nearest ones, more and more of them, as they would report one after
the other. `el_mayor.py` goes further with all of them (docs/el_mayor.md).

    python 01_static_displacement.py            5 minutes on two cores
    python 01_static_displacement.py --quick    small numbers, looser checks
"""

import argparse
import sys
from pathlib import Path

import fmdn
import numpy as np
from el_mayor_model import EAST, NORTH, OBSERVED, PRIOR, forward, noise_sd

JOINT = "magnitude", "strike"
TARGETS = [JOINT, "along", "across", "rake"]
STATIONS = [[i, i + len(EAST)] for i in range(len(EAST))]  # east and north go together
BY_DISTANCE = np.argsort(np.hypot(EAST, NORTH))
# McMC with all stations (docs/el_mayor.md): mean, 5 % and 95 %.
MCMC = {
    "magnitude": (7.17, 7.07, 7.28),
    "strike": (319.5, 315.5, 323.3),
    "along": (-17.2, -35.7, -1.4),
    "across": (-4.5, -9.0, -0.1),
    "rake": (206.8, 196.8, 221.0),
}


def measure(rng, data, models=None):
    """Make displacements noisy, and compress them: a few are large, most are small."""
    noisy = data + noise_sd(data) * rng.standard_normal(data.shape)
    return compress(noisy)


def compress(displacements):
    return np.arcsinh(displacements / 0.015)


def nearest(data, n):
    """Data of the n nearest stations; NaN says that the others are missing."""
    data = np.array(data)
    data[..., np.ravel([STATIONS[i] for i in BY_DISTANCE[n:]]).astype(int)] = np.nan
    return data


def learn(n, **settings):
    samples = fmdn.simulate(PRIOR, forward, n, seed=1, vectorised=True)
    settings |= {"hidden": [60, 60], "kernels": 4, "patience": 50, "seed": 1}
    return fmdn.Inversion(samples, measure, TARGETS, missing=STATIONS, **settings).fit()


# --- Numbers ------------------------------------------------------------------------


def print_table(posteriors):
    """Print the posteriors beside those of McMC; give the shifts in McMC's sd."""
    print(f"{'':12}{'median':>8}   90 % interval      McMC: mean, 90 % interval")
    shifts = {}
    for row in posteriors.summary():
        mean, low, high = MCMC[row.target]
        digits = 2 if row.target == "magnitude" else 1
        print(
            f"{row.target:12}{row.median:8.{digits}f}   "
            f"{f'{row.low:.{digits}f} to {row.high:.{digits}f}':18} "
            f"{mean:.{digits}f}, {low:.{digits}f} to {high:.{digits}f}"
        )
        shifts[row.target] = abs(row.median - mean) / ((high - low) / 3.29)
    joint = posteriors[JOINT].cov()
    correlation = joint[0, 1] / np.sqrt(joint[0, 0] * joint[1, 1])
    print(f"correlation of magnitude and strike {correlation:.2f}")
    return shifts


def gains_by_number(inversion, data, numbers):
    """Information gains (numbers, rows) of each parameter in nats."""
    gains = {name: [] for name in MCMC}
    for n in numbers:
        for name, one in inversion.posterior(nearest(data, n)).marginals().items():
            gains[name].append(np.atleast_1d(one.information_gain(PRIOR[name])))
    return {name: np.array(values) for name, values in gains.items()}


def draw(posteriors, numbers, gains, mean_gains, path):
    """Draw the joint posterior for a few stations and for all, and the gains."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
    magnitude, strike = np.linspace(6.805, 7.595, 121), np.linspace(290.5, 349.5, 121)
    points = np.stack(np.meshgrid(magnitude, strike), axis=-1)
    styles = zip(("0.65", "#d1495b", "#0b4f8a"), posteriors.items(), strict=True)
    for color, (n, posterior) in styles:
        density = posterior.pdf(points)
        ordered = np.sort(density, axis=None)
        share = 1 - np.cumsum(ordered) / ordered.sum()
        levels = [ordered[np.argmax(share < q)] for q in (0.9, 0.5)]
        left.contour(magnitude, strike, density, levels, colors=color,
                     linestyles=["--", "-"])  # fmt: skip
        left.plot([], [], color=color, label=f"{n} stations")
    left.plot(MCMC["magnitude"][0], MCMC["strike"][0], "k+", ms=12, label="McMC, all")
    left.set(xlabel="magnitude", ylabel="strike (degrees)")
    left.set_title("50 % (solid) and 90 % regions")
    left.legend(loc="lower right")

    for i, name in enumerate(gains):
        line = right.plot(numbers, gains[name][:, 0], "osD^v"[i] + "-", ms=4)[0]
        right.plot(numbers, mean_gains[name], "--", color=line.get_color())
        line.set_label(name)
    right.legend(frameon=False)
    right.set(xscale="log", ylim=(0, None))
    right.set(xlabel="nearest stations", ylabel="KL(posterior || prior) (nats)")
    right.set_xticks(numbers, [str(n) for n in numbers])
    right.minorticks_off()
    right.set_title("information gain: this event (solid), mean of others")
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--figure", type=Path, default=Path("01_static_displacement.png")
    )
    options = parser.parse_args()
    if options.quick:
        n_test, inversion = 300, learn(4_000, n_members=2, max_iter=60)
    else:
        n_test, inversion = 2000, learn(60_000, n_members=4, max_iter=1000)
    observed = compress(OBSERVED)
    shifts = print_table(inversion.posterior(observed))

    test = fmdn.simulate(PRIOR, forward, n_test, seed=2, vectorised=True)
    data = measure(np.random.default_rng(1), test.data)
    rng = np.random.default_rng(2)  # stations that are missing, at random
    out = rng.random((len(data), len(STATIONS))) < rng.random((len(data), 1)) ** 2
    data[np.tile(out, 2)] = np.nan
    checks = fmdn.calibration(inversion.posterior(data), test, PRIOR)
    print("\nearthquakes never seen, some stations missing:")
    print(checks.summary())
    place = fmdn.novelty(inversion, observed)
    print(
        f"\nthe observation lies at percentile {place.distance[0]:.0f} of the training "
        f"set's distances from their centre"
    )

    numbers = [1, 2, 3, 5, 8, 15, 30, len(STATIONS)]
    gains = gains_by_number(inversion, observed, numbers)
    others = measure(np.random.default_rng(3), test.data[:200])
    mean_gains = {
        name: values.mean(axis=1)
        for name, values in gains_by_number(inversion, others, numbers).items()
    }
    print(
        "\ninformation gain in nats, KL(posterior || prior), this event (mean of 200):"
    )
    print(f"{'stations':10}" + "".join(f"{n:>13}" for n in numbers))
    for name in gains:
        cells = zip(gains[name][:, 0], mean_gains[name], strict=True)
        print(f"{name:10}" + "".join(f"{a:6.2f} ({b:.2f})" for a, b in cells))
    joint = {n: inversion.posterior(nearest(observed, n))[JOINT] for n in (2, 8, 75)}
    draw(joint, numbers, gains, mean_gains, options.figure)
    return check(shifts, checks, gains, place, options.quick)


def check(shifts, checks, gains, place, quick):
    """Give 1, and say why, if something is wrong; looser where it was quick."""
    wrong = [
        f"{name} is {shift:.1f} sd from McMC"
        for name, shift in shifts.items()
        if shift > (3.5 if quick else 1.5)
    ]
    wrong += [
        f"{name} is overconfident: p = {one.p_value:.1e}"
        for name, one in checks.items()
        if one.p_value < 1e-4 and one.excess_coverage.value < 0
    ]
    wrong += [
        f"{name}: all stations teach no more than one"
        for name, gain in gains.items()
        if gain[-1, 0] < gain[0, 0] + (0.1 if quick else 0.25)
    ]
    wrong += ["the observation is unlike the training set"] * bool(place.unlike[0])
    print("\n".join(["", "all checks passed"] if not wrong else ["", *wrong]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
