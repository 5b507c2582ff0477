"""Rapid location: hypocentre and origin time while the first picks come in.

Prior    epicentre uniform within 250 km east or west, north or south of 41.5 N 44.5 E,
         depth uniform from 0 to 40 km, origin time uniform about the first pick
Forward  first P and S at 21 stations within 12 degrees, through ak135
Noise    of a pick: Student's t with 3 degrees of freedom times 1.2 s (P) or 2.5 s (S);
         a tenth of the stations is out; what has not come yet is not seen
Targets  epicentre (a joint posterior), depth, origin time

The earthquake is that of 30 January 1967 near Spitak, Armenia. One inversion, trained
beforehand, answers at any time after the first pick, with whatever picks there are.

    python 08_rapid_location.py [--quick] [--figure PATH]
"""

import argparse
import os
import sys
import timeit
from pathlib import Path

import fmdn
import numpy as np
from fmdn.reference import WeightedModels
from rapid_location_inputs import locate, misfit, residuals, simulate_inputs
from rapid_location_model import (
    PICKS,
    PRIOR,
    TABLE,
    TRUTH,
    as_seen,
    origin_time,
    travel_times,
)

SHARES = [0.5, 0.05, 0.95]
CLOCKS = [3.0, 6.0, 10.0, 20.0, 40.0, 80.0, 160.0]  # s after the first pick


def learn(n_samples, seed, **settings):
    """Simulate earthquakes and train."""
    models, inputs, _ = simulate_inputs(n_samples, seed)
    samples = fmdn.Samples(models, inputs, prior=PRIOR)
    targets = [("east", "north"), "depth", {"origin": origin_time}]
    return fmdn.Inversion(samples, 0, targets, seed=seed, **settings).fit()


def inputs_at(clock, picks=PICKS):
    """What the networks see of the earthquake at some time, (1, n_inputs)."""
    clock = np.array([clock])
    return locate(as_seen(picks[None], clock), clock)


def answer(inversion, clock):
    """From picks to posteriors and their quantiles."""
    posterior = inversion.posterior(inputs_at(clock)[0])
    return posterior, [posterior[name].quantile(SHARES) for name in TRUTH]


def exact(clock, n=200_000):
    """Weigh models by their likelihood, drawn ever closer to where it is high."""
    (low, high), clock = PRIOR.bounds.T, np.array([clock])
    seen = as_seen(PICKS[None], clock)
    for _ in range(4):
        models = low + (high - low) * np.random.default_rng(0).random((n, len(PRIOR)))
        origin = origin_time(models)
        late = residuals(seen, clock, travel_times(models) + origin[:, None])
        log_likelihood = -0.5 * misfit(late)
        likely = models[log_likelihood > log_likelihood.max() - 7]
        margin = 0.1 * np.ptp(likely, axis=0)
        low = np.maximum(PRIOR.bounds[:, 0], likely.min(axis=0) - margin)
        high = np.minimum(PRIOR.bounds[:, 1], likely.max(axis=0) + margin)
    models = np.column_stack([models[:, :3], origin])
    return WeightedModels.of(models, log_likelihood, list(TRUTH))


def print_answers(inversion):
    """Print what is known at each time and how long the answer took."""
    heads = "".join(f"{name:>20}" for name in TRUTH)
    print(f"{'clock':>6}{'picks':>6}{heads}{'ms':>7}")

    def cell(median, low, high):
        return f"{f'{median:.0f} ({low:.0f} to {high:.0f})':>20}"

    posteriors, references = [], {}
    for clock in CLOCKS:
        took = timeit.repeat(lambda at=clock: answer(inversion, at), number=1)
        posterior, parts = answer(inversion, clock)
        row = "".join(cell(*part) for part in parts)
        print(f"{clock:4.0f} s{np.sum(PICKS < clock):6d}{row}{1e3 * min(took):7.0f}")
        posteriors.append(posterior)
        if clock in CLOCKS[::2]:
            known = exact(clock)
            references[clock] = {name: known.quantile(name, SHARES) for name in TRUTH}
            row = "".join(cell(*part) for part in references[clock].values())
            print(f"{'exact':12}{row}   from {known.effective_size:.0f} models")
    print(f"{'bulletin':12}" + "".join(f"{value:20.0f}" for value in TRUTH.values()))
    return posteriors, references


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--figure", type=Path, default=Path("08_rapid_location.png"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    quick, seed = options.quick, options.seed
    settings = {"n_members": 2, "hidden": 15, "kernels": 3, "max_iter": 100}
    n_samples, n_test, within = 2_000, 400, 0.08
    if not quick:
        settings = {"n_members": 4, "hidden": [25, 25], "kernels": 5, "max_iter": 400}
        n_samples, n_test, within = 30_000, 3_000, 0.03

    inversion = learn(n_samples, seed, linear_path=True, **settings)
    print(f"{n_samples} simulations to learn from\n")
    posteriors, references = print_answers(inversion)
    seen = np.concatenate([inputs_at(clock) for clock in CLOCKS])
    place = fmdn.novelty(inversion, seen).distance.round(1)
    print("farther out than so many % of the training set:", *place)

    picks = PICKS.copy()
    picks[np.argsort(TABLE["distance_deg"])[:3]] = np.nan
    print("\nat the end, without P of the three nearest stations:")
    print(inversion.posterior(inputs_at(CLOCKS[-1], picks)[0]).summary())

    models, inputs, origin = simulate_inputs(n_test, seed + 1)
    truths = dict(zip(TRUTH, (*models[:, :3].T, origin), strict=True))
    answers = inversion.posterior(inputs)
    judged = fmdn.calibration(answers, truths, answers.prior)
    print(f"\n{judged.summary()}")
    from rapid_location_figure import draw

    draw(options.figure, dict(zip(CLOCKS, posteriors, strict=True)), references)
    print(f"\n{options.figure} written; {sum(os.times()[:4]):.0f} s of processor time")

    last, known = posteriors[-1], references[CLOCKS[-1]]
    off = [last[name].median() - known[name][0] for name in ("east", "north")]
    away = [last[name].median() - TRUTH[name] for name in ("east", "north")]
    worst = max(abs(one.coverage(0.9) - 0.9) for one in judged.values())
    checks = {
        "coverage": worst < within,
        "the epicentre is the exact one's": np.hypot(*off) < (15 if quick else 8),
        "the epicentre is the bulletin's": np.hypot(*away) < (40 if quick else 25),
    }
    for what, holds in checks.items():
        print(f"{what}: {'yes' if holds else 'FAILED'}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
