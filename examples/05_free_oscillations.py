"""The mantle's shear velocity and density from toroidal free oscillations.

Prior    deviation from PREM: of the shear velocity in six layers, normal with sd 2 %;
         of the density above and below 670 km, normal with sd 2 %; of ln Q there,
         normal with sd 0.1; depth of the "660", uniform from 640 to 700 km
Forward  toroidal modes by spectral elements, with anelastic dispersion
Noise    the errors of the observed periods, and 0.07 % for what the Earth has and the
         model has not: rotation, ellipticity, a crust of two kinds, lateral structure
Targets  shear velocity of each layer, both densities, the depth of the 660

Data are 20 periods of toroidal modes from table 5 of Dziewonski & Anderson (1981).

    python 05_free_oscillations.py [--quick] [--figure PATH]
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # on matrices as small as these threads cost

import argparse
import sys
from pathlib import Path

import fmdn
import numpy as np
from fmdn.reference import WeightedModels
from free_oscillations_model import (
    MODES,
    NOISE,
    OBSERVED,
    PRIOR,
    SHEAR,
    TARGETS,
    ak135_deviation,
    forward,
)
from scipy import stats
from toroidal import prem_earth, toroidal_periods


def exact(samples, n, seed):
    """Weighted models, drawn about a linear inversion, as an independent answer.

    Its derivatives are those of a linear regression of the periods on the models.
    """
    mean, sd = np.array([(one.mean(), one.std()) for one in PRIOR.values()]).T
    z = (samples.models - mean) / sd
    terms = np.column_stack([np.ones(len(z)), z])
    coefficients = np.linalg.lstsq(terms, samples.data, rcond=None)[0]
    slopes = coefficients[1:] / NOISE.sd
    covariance = np.linalg.inv(slopes @ slopes.T + np.eye(len(sd)))
    middle = mean + sd * (
        covariance @ slopes @ ((OBSERVED - coefficients[0]) / NOISE.sd)
    )
    covariance = sd[:, None] * covariance * sd
    for k in range(3):  # each time from the last one's mean and covariance
        drawn_from = stats.multivariate_normal(middle, 1.2 * covariance)
        models = drawn_from.rvs(n, random_state=seed + k)
        models = models[np.isfinite(PRIOR.logpdf(models))]
        misfit = (forward(models) - OBSERVED) / NOISE.sd
        log_weights = PRIOR.logpdf(models) - 0.5 * (misfit**2).sum(axis=1)
        log_weights -= drawn_from.logpdf(models)
        known = WeightedModels.of(models, log_weights, list(PRIOR))
        middle, covariance = known.mean(), known.cov()
    return known


def print_table(posterior, known):
    others = [f"{one:+.2f}" for one in ak135_deviation()]
    others += [""] * (len(TARGETS) - 1 - len(others)) + ["660"]
    print(f"{'':22}{'PREM':>6}{'ak135':>7}{'exact mean, sd':>17}"
          f"{'learnt mean, sd':>17}{'90 %':>18}{'gain':>8}")  # fmt: skip
    table = zip(TARGETS, others, known.mean(), known.std(), strict=False)
    for name, other, mean, sd in table:
        one, unit = posterior[name], PRIOR[name].unit
        low, high = one.interval(0.9)
        sign, own = ("", 670) if unit == "km" else ("+", 0)
        interval = f"{low:{sign}.2f} to {high:{sign}.2f} {unit}"
        print(
            f"{name:22}{own:6}{other:>7}{mean:{sign}10.2f}{sd:7.2f}"
            f"{one.mean():{sign}10.2f}{one.std():7.2f}"
            f"{interval:>21}{one.information_gain(PRIOR):6.2f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--figure", type=Path, default=Path("05_free_oscillations.png"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    quick, seed = options.quick, options.seed
    # nearly linear: small networks, that start from straight lines
    settings = {"hidden": 20, "kernels": 2, "linear_path": True, "seed": seed}
    settings |= {"n_members": 2 if quick else 8, "max_iter": 150 if quick else 600}

    in_prem = toroidal_periods(prem_earth(), MODES)[0]
    misfit = np.abs(OBSERVED / in_prem - 1)
    print(f"PREM's periods lie within {100 * misfit.max():.3f} % of those observed")
    sizes = (800, 300) if quick else (8_000, 2_000)
    samples, test = (
        fmdn.simulate(PRIOR, forward, n, seed=seed + k, vectorised=True, batch_size=200)
        for k, n in enumerate(sizes)
    )
    print(f"{sizes[0]} simulations to learn from")
    inversion = fmdn.Inversion(samples, NOISE, TARGETS, **settings).fit()
    posterior = inversion.posterior(OBSERVED)
    known = exact(samples, 1_000 if quick else 3_000, seed)
    print_table(posterior, known)
    print(f"exact: as good as {known.effective_size:.0f} draws")
    place = fmdn.novelty(inversion, OBSERVED)
    print(f"\nfarther out than {place.distance[0]:.1f} % of the training set")
    data = NOISE.add(test.data, seed)
    judged = fmdn.calibration(inversion.posterior(data), test, PRIOR)
    print(judged.summary())
    from free_oscillations_figure import draw

    draw(options.figure, posterior, known, in_prem)
    print(f"\n{options.figure} written; {sum(os.times()[:4]):.0f} s of processor time")

    outside = [
        name for name in SHEAR
        if not posterior[name].quantile(0.005) < 0 < posterior[name].quantile(0.995)
    ]  # fmt: skip
    compared = known.compare(posterior)
    worst = max(abs(one.coverage(0.9) - 0.9) for one in judged.values())
    checks = {
        "PREM's periods are right to 0.15 %": misfit.max() < 0.0015,
        "PREM lies inside the posteriors of the shear velocity": len(outside) < 2,
        "means are the exact ones within half an sd": all(
            abs(row.shift) < (1 if quick else 0.5) for row in compared
        ),
        "sd are the exact ones within 15 %": all(
            abs(row.sd_ratio - 1) < (0.4 if quick else 0.15) for row in compared
        ),
        "coverage": worst < (0.1 if quick else 0.03),
        "like the training set": not place.unlike[0],
    }
    for what, holds in checks.items():
        print(f"{what}: {'yes' if holds else 'FAILED'}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
