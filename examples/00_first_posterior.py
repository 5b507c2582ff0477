"""Where is the whale? A first posterior, and every figure of the package.

Seven buoys drift in a line and hear a whale, the nearer the louder. From their levels
follow its range, which is bounded, and its bearing, which wraps; but hardly on which
side of the line it is, for that is almost straight. How loud it called is not known.

Prior     range 1..10 km and bearing 0..360 degrees, uniform; loudness 170 dB, sd 3 dB
Forward   the level falls by 20 dB for ten times the path
Noise     1 dB at each buoy
Targets   range, bearing, both together, and with the loudness

    python 00_first_posterior.py            numbers, and figures, in a minute or two
    python 00_first_posterior.py --quick    small numbers, for tests
"""

import argparse
import sys
from pathlib import Path

import fmdn
import numpy as np

PRIOR = fmdn.Prior(
    range=fmdn.Uniform(1, 10, unit="km"),
    bearing=fmdn.Uniform(0, 360, unit="°", period=360),
    loudness=fmdn.Normal(170, 3, unit="dB"),  # at 1 m; not asked for, so averaged over
)
EAST = np.arange(-3.0, 4)  # of the buoys, km; the range counts from the middle one
NORTH = np.array([0, 0, 0, 0, 0, 0.3, 0])  # one is a little off the line
NAMES = [f"buoy {i}" for i in range(1, 8)]
NOISE = fmdn.GaussianNoise(1.0)  # dB
TRUTH = {"range": 3.0, "bearing": 40.0}
WHALE = np.array([[3.0, 40.0, 172.0]])
EACH = ["range", "bearing"]


def levels(models):
    """Levels in dB that the buoys receive, (n, 3) to (n, 7)."""
    distance, bearing, loudness = models.T[..., np.newaxis]
    angle = np.radians(bearing)
    path = np.hypot(distance * np.sin(angle) - EAST, distance * np.cos(angle) - NORTH)
    return loudness - 20 * np.log10(1e3 * np.maximum(path, 0.1))


def learn(n_samples, **settings):
    """Train on prior samples: each parameter, and both together."""
    samples = fmdn.simulate(PRIOR, levels, n_samples, seed=1, vectorised=True)
    targets = [*EACH, ("range", "bearing"), ("range", "bearing", "loudness")]
    return fmdn.Inversion(samples, NOISE, targets, **settings).fit()


def hear_more(samples, observed, **settings):
    """Give posteriors of the range when 1, 2, ... buoys have reported."""
    late = [[i] for i in range(1, len(NAMES))]
    committee = fmdn.Committee(**settings).fit(
        samples.data,
        samples["range"],
        noise=NOISE,
        missing=late,
        prior=PRIOR["range"],
        target_names=["range"],
    )
    heard = np.arange(1, len(NAMES) + 1)
    rows = np.where(np.arange(len(NAMES)) < heard[:, np.newaxis], observed, np.nan)
    return heard, committee.posterior(rows)


def solve_on_a_grid(posterior, observed, n_points):
    """By another way, without networks."""
    from fmdn.reference import grid

    by_grid = grid(PRIOR, levels, NOISE, observed, n_points, vectorised=True)
    side = (np.abs(by_grid["bearing"] - 180) > 90) @ by_grid.weights
    found = float(posterior["bearing"].prob(270, 450))
    print(f"north of the line with probability {found:.2f}, by a grid {side:.2f}")
    print(by_grid.compare({"range": posterior["range"]}))
    return by_grid


def judge(checks, posterior, by_grid):
    """Print what should be so, and whether it is; 1 if something is not."""
    (row,) = by_grid.compare({"range": posterior["range"]})
    north = posterior["bearing"].prob(270, 450)
    passed = {
        "range like the grid's": abs(row.shift) < 0.5 and 0.6 < row.sd_ratio < 1.7,
        "side like the grid's": 0.5 < north < 0.99,
        "coverage of 90 % within 6 %": all(
            abs(checks[name].coverage(0.9) - 0.9) < 0.06 for name in EACH
        ),
        "it gained": all(one.gain.value > 0.5 for one in checks.values()),
    }
    for what, fine in passed.items():
        print(f"{'passed' if fine else 'FAILED'}: {what}")
    return not all(passed.values())


def draw(path, inversion, checks, posterior, by_grid, observed, table, window):
    """Draw everything: the posteriors to `path`, the rest beside it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    def save(figure, name=""):
        file = path.with_stem(f"{path.stem}_{name}") if name else path
        getattr(figure, "figure", figure).savefig(file, dpi=110)
        plt.close("all")

    marginals = {name: posterior[name] for name in EACH}
    save(by_grid.plot(marginals, PRIOR, truth=TRUTH))
    save(fmdn.plot_joint(posterior["range", "bearing"], PRIOR, truth=TRUTH), "corner")
    save(fmdn.plot_table(posterior, truth=TRUTH), "table")
    for name in EACH:
        check, unit = checks[name], PRIOR[name].unit
        save(fmdn.plot_truth(check), f"truth_{name}")
        save(
            fmdn.plot_columns(
                check.posterior,
                check.truths[:, 0],
                label=f"true {name} ({unit})",
                truth=check.truths[:, 0],
                prior=PRIOR[name],
            ),
            f"columns_{name}",
        )
    heard, ranges = window
    label = "buoys that have reported"
    ax = fmdn.plot_columns(
        ranges, heard, label=label, truth=TRUTH["range"], prior=PRIOR["range"]
    )
    save(ax, "window")
    save(checks.plot(), "calibration")
    save(fmdn.plot_scores(checks["range, bearing"]), "scores")
    save(fmdn.plot_near_truth(checks["range"]), "near_truth")
    save(fmdn.plot_history(inversion["range"]), "history")
    save(table.plot(), "learning")
    save(fmdn.novelty(inversion, observed).plot(), "novelty")
    draws = posterior["range", "bearing", "loudness"].sample(2000)
    predicted = fmdn.predictive_check(draws, levels, NOISE, observed, vectorised=True)
    save(predicted.plot(names=NAMES, unit="dB"), "predictive")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--figure", type=Path, default=Path("00_first_posterior.png"))
    options = parser.parse_args()
    quick = options.quick
    n, n_test, n_points = (3000, 300, 40) if quick else (10_000, 1000, 120)
    settings = {"hidden": 30, "kernels": 5, "n_members": 2 if quick else 4}
    settings["max_iter"] = 120 if quick else 300

    inversion = learn(n, **settings)
    observed = NOISE.add(levels(WHALE), seed=1)[0]
    posterior = inversion.posterior(observed)
    print(posterior.summary())
    place = fmdn.novelty(inversion, observed).distance[0]
    print(f"the call is farther out than {place:.0f} % of the training set")

    test = fmdn.simulate(PRIOR, levels, n_test, seed=2, vectorised=True)
    data = NOISE.add(test.data, seed=4)
    checks = fmdn.calibration(inversion.posterior(data), test, PRIOR)
    print(checks.summary())
    by_grid = solve_on_a_grid(posterior, observed, n_points)
    samples = inversion.samples
    table = fmdn.learning_curve(
        inversion["range"],
        samples.data,
        samples["range"],
        (data, test["range"]),
        PRIOR["range"],
        sizes=[n // 4, n] if quick else None,
        noise=NOISE,
    )
    print(table)
    window = hear_more(samples, observed, **settings)
    path = options.figure
    draw(path, inversion, checks, posterior, by_grid, observed, table, window)
    print(f"{options.figure} written, and more beside it")
    return judge(checks, posterior, by_grid)


if __name__ == "__main__":
    sys.exit(main())
