"""Bridgmanite, most of the lower mantle: its equation of state, in two ways.

Pressure, volume and temperature were measured together 42 times (Tange et al. 2012).

(a) Prior sampling: five parameters of an equation of state, jointly.
    prior     V0 ~ N(162.5, 0.2) Å^3, gamma0 and q ~ N(1, 1), as Wolf et al. (2015);
              K0 ~ N(250, 25) GPa and K0' ~ N(4, 0.5), where theirs is flat
    forward   pressures at the measured volumes and temperatures: Vinet at 300 K, and
              Mie-Grueneisen-Debye (mie_grueneisen_debye.py)
    noise     the published total error of each pressure, 0.1 to 1.6 GPa
    targets   V0, K0, K0', gamma0, q under one posterior with full covariance

(b) No equation of state (Rijal et al. 2021): networks learn the volume as a function of
    pressure and temperature from the measurements themselves.
    inputs    pressure and temperature; errors of pressure are drawn anew for each
              member, so that members differ as repeated measurements would
    target    volume; bulk modulus and thermal expansion are the derivatives

    python examples/07_equation_of_state.py [--quick] [--figure PATH]
"""

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path

import bridgmanite_model as bridgmanite
import fmdn
import numpy as np
from bridgmanite_model import OBSERVED, PRIOR, SD, TEMPERATURE, VOLUME, forward

# (GPa, K): among the measurements, at their cold edge, and outside of them
INSIDE = [(50, 900), (60, 1400), (85, 1600)]
EDGE, OUTSIDE = [(40, 300), (80, 300)], [(135, 2500), (30, 3500)]
PLACES = INSIDE + EDGE + OUTSIDE

# What must hold: most in full, most with --quick
BOUNDS = {
    "means off those of Wolf et al. (their sd)": (1, 2),
    "correlations off those of Wolf et al.": (0.1, 0.6),
    "means off least squares (sd)": (0.2, 1.5),
    "sd off those of least squares (share)": (0.15, 0.8),
    "coverage of 90 % regions off (%)": (5, 10),
    "measurements unlike the training data": (0, 0),
    "learnt volumes off (%)": (0.2, 1),
    "learnt bulk moduli off (%)": (5, 15),
    "learnt expansions off (%)": (15, 40),
    "places wrongly called like or unlike": (0, 0),
}


# --- (a) Parameters of an equation of state -----------------------------------------


def infer_parameters(n_samples, max_iter):
    samples = fmdn.simulate(PRIOR, forward, n_samples, seed=1, vectorised=True)
    settings = {"hidden": [30, 30, 30], "kernels": 2, "linear_path": True}
    settings |= {"max_iter": max_iter, "n_members": 2}
    # five parameters make about as many patterns in 42 pressures
    return fmdn.Inversion(samples, SD, [PRIOR.names], components=8, **settings).fit()


def report_parameters(inversion, joint, n_test):
    """Print the posterior beside other answers; give what is to be checked."""
    mean, sd, found = joint.mean(), joint.std(), bridgmanite.correlations(joint.cov())
    fitted, fitted_sd, exact = bridgmanite.fit_by_least_squares()
    published, published_sd = bridgmanite.PUBLISHED, bridgmanite.PUBLISHED_SD
    print("parameter       posterior       least squares       Wolf et al.      gain")
    for i, (name, prior) in enumerate(PRIOR.items()):
        rows = (mean, sd), (fitted, fitted_sd), (published, published_sd)
        text = "".join(f"{m[i]:11.3f} ± {s[i]:5.3f}" for m, s in rows)
        gain = joint.marginal(name).information_gain(prior)
        print(f"{name:9}{text}{gain:6.2f} nat")
    print("\ncorrelation of      posterior   least squares   Wolf et al.")
    for i, j in zip(*np.triu_indices(5, 1), strict=True):
        names = f"{PRIOR.names[i]:9}{PRIOR.names[j]:9}"
        there = bridgmanite.PUBLISHED_CORRELATION[i, j]
        print(f"{names}{found[i, j]:+10.2f}{exact[i, j]:+15.2f}{there:+14.2f}")
    misfit = (((forward(joint.sample(500)) - OBSERVED) / SD) ** 2).mean()
    test = fmdn.simulate(PRIOR, forward, n_test, seed=2, vectorised=True)
    data = fmdn.GaussianNoise(SD).add(test.data, seed=2)
    check = fmdn.calibration(inversion.posterior(data)[PRIOR.names], test.models, PRIOR)
    place = fmdn.novelty(inversion, OBSERVED)
    print(f"\nchi2 per datum of posterior samples: {misfit:.2f}")
    print(f"{place.distance[0]:.0f} % of the training data are nearer to their centre")
    half, most = 100 * check.coverage([0.5, 0.9])
    print(f"{n_test} new simulations: {check.gain.value:.2f} nat over the prior;")
    print(f"{half:.1f} % are in their 50 % region, {most:.1f} % in that of 90 %")
    return [
        np.abs((mean - published) / published_sd).max(),
        np.abs(found - bridgmanite.PUBLISHED_CORRELATION).max(),
        np.abs((mean - fitted) / fitted_sd).max(),
        np.abs(sd / fitted_sd - 1).max(),
        abs(most - 90),
        place.unlike.sum(),
    ]


# --- (b) Volumes learnt from the measurements alone ---------------------------------


def learn_volumes(pressures, n_members, seed=0):
    """Train small networks on measured pressures, temperatures and volumes."""

    def redraw(rng, inputs, sd):
        error = sd[:, 0] * rng.standard_normal(len(inputs))
        return inputs + np.column_stack([error, np.zeros(len(inputs))])

    settings = {"hidden": (4, 10), "kernels": 1, "max_iter": 300, "seed": seed}
    inputs = np.column_stack([pressures, TEMPERATURE])
    return fmdn.Committee(n_members, **settings).fit(
        inputs, VOLUME, noise=redraw, models=SD[:, np.newaxis], replicate=5
    )


def properties(committee, places):
    """Volume, bulk modulus in GPa and expansion in 1/K by each member: (3, members, n).

    K = -V / (dV/dP), alpha = (dV/dT) / V; a member is one kernel.
    """
    places = np.asarray(places, float)
    volume = committee.posterior(places).means
    by_pressure, by_temperature = np.moveaxis(committee.sensitivity(places).means, 2, 0)
    found = volume, -volume / by_pressure, by_temperature / volume
    return np.array(found).swapaxes(1, 2)


def find_unlike(committee, places):
    """Say which places are unlike the measurements, without the usual warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fmdn.novelty(committee, np.array(places, float)).unlike


def report_volumes(committee, n_repeats, n_members):
    """Print what was learnt beside the equation of state; give what to check."""
    learnt, known = properties(committee, PLACES), bridgmanite.by_equation(PLACES)
    unlike = find_unlike(committee, PLACES)
    print(
        "\nlearnt from the measurements alone; by the equation of state of Wolf et al."
    )
    print(
        "GPa     K     volume (Å³)            bulk modulus (GPa)   expansion (1e-5/K)"
    )
    for k, (p, t) in enumerate(PLACES):
        text = f"{p:3}{t:6}"
        for one, law, digits in zip(learnt, known, (2, 0, 2), strict=True):
            scale = 1e5 if law[k] < 1 else 1
            mean, sd = scale * one[:, k].mean(), scale * one[:, k].std()
            text += (
                f"{mean:9.{digits}f} ± {sd:4.{digits}f};{scale * law[k]:7.{digits}f}"
            )
        print(text + "  unlike" * bool(unlike[k]))
    off, truth = [], forward(bridgmanite.PUBLISHED[np.newaxis])
    for seed in range(1, n_repeats + 1):  # measurements of a crystal that is known
        data = fmdn.GaussianNoise(SD).add(truth, seed=seed)[0]
        one = properties(learn_volumes(data, n_members, seed), INSIDE + EDGE)
        off.append((one.mean(axis=1) - known[:, : one.shape[2]]) / one.std(axis=1))
    held = 100 * np.mean(np.abs(off) < 1.645, axis=0)
    print(f"90 % ranges of members that hold the truth, {n_repeats} artificial sets:")
    for name, row in zip(("volume", "bulk modulus", "expansion"), held, strict=True):
        inside, edge = row[: len(INSIDE)].mean(), row[len(INSIDE) :].mean()
        print(f"  {name:13}{inside:4.0f} % inside,{edge:4.0f} % at the edge")
    share = 100 * np.abs(learnt.mean(axis=1) / known - 1)[:, : len(INSIDE)].max(axis=1)
    expected = [False] * len(INSIDE + EDGE) + [True] * len(OUTSIDE)
    return [*share, np.sum(unlike != expected)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--figure", type=Path, default=Path("07_equation_of_state.png"))
    options = parser.parse_args()
    quick = options.quick

    inversion = infer_parameters(*((3000, 120) if quick else (30_000, 2000)))
    joint = inversion.posterior(OBSERVED)[PRIOR.names]
    found = report_parameters(inversion, joint, 300 if quick else 2000)
    committee = learn_volumes(OBSERVED, 10 if quick else 30)
    found += report_volumes(committee, *((3, 10) if quick else (30, 30)))

    import bridgmanite_figure

    at_places = partial(properties, committee), partial(find_unlike, committee)
    bridgmanite_figure.draw(options.figure, joint, *at_places)
    print(f"{options.figure} written\n")
    failed = 0
    for (what, most), value in zip(BOUNDS.items(), found, strict=True):
        fine = value <= most[quick]
        print(
            f"{what:42}{value:7.2f}, at most {most[quick]:g}{'' if fine else ' FAILED'}"
        )
        failed += not fine
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
