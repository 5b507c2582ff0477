"""Prior sampling where the posterior is known: exact, cursed, and what it costs.

    prior     c parameters, uniform in [-1, 1]; c = 2, 5, 10
    forward   their distance from the origin, |m| (hypersphere.py)
    noise     N(0, 0.1^2)
    target    the first parameter, m1

This is the toy problem of Kaeufl et al. (2016, section 3), with 5,000 prior samples and
three kernels as there. Its posterior is computed by quadrature, also for c > 2.

    python examples/09_theory.py [--quick] [--figure PATH]
"""

import argparse
import sys
import warnings
from pathlib import Path

import fmdn
import hypersphere as toy
import numpy as np
from hypersphere import GRID, NOISE, distance_of_cdfs, divergence, measure

N_SAMPLES, N_KERNELS = 5000, 3  # of the paper
MEMBERS = {2: 10, 5: 10, 10: 15}  # for each number of parameters, as there
PLACES = (0.0, 0.7)  # observed distances


def learn(c, n, n_members, targets="m1", seed=0, kernels=N_KERNELS, max_iter=1000):
    """Give the committee of a target, or of several together.

    Without a number of kernels the networks are those that the package chooses.
    """
    settings = {"n_members": n_members, "seed": seed}
    if kernels:
        settings |= {"hidden": (25, 50), "kernels": kernels, "max_iter": max_iter}
    samples = toy.simulate(c, n, seed)
    return fmdn.Inversion(samples, NOISE, [targets], **settings).fit()[targets]


# --- Exact, or cursed: figures 3 to 5 of the paper ----------------------------------


def compare(committees):
    """Print networks beside the exact posterior; give sd, sd and KL by (c, d0)."""
    print("                sd of m1      gain (nat)    KL(exact || prior samples")
    print(" c   d0    exact  learnt    exact  learnt      learnt)  within 0.1")
    rows = {}
    for c, committee in committees.items():
        data = toy.simulate(c, N_SAMPLES, 0).data
        for d0 in PLACES:
            exact, post = toy.exact_posteriors(d0, c)[0], committee.posterior([d0])
            sd = np.sqrt(np.average(GRID**2, weights=exact))
            kl = divergence(exact, post.pdf(GRID))
            numbers = sd, post.std(), divergence(exact, 0.5 + 0 * GRID)
            rows[c, d0] = sd, post.std(), kl
            text = "".join(f"{x:8.3f}" for x in numbers[:2])
            text += f"{numbers[2]:10.2f}"
            text += f"{post.information_gain(fmdn.Uniform(-1, 1)):8.2f}"
            near = np.sum(np.abs(data - d0) < 0.1)
            print(f"{c:2}{d0:5.1f}{text}{kl:12.3f}{near:12}")
    return rows


def check(committees, n):
    """Print gain and coverage on new simulations; give a `Calibration` for each c."""
    print(f"\n{n} new simulations   in region of    place in the training data of")
    print(" c   gain (nat)         50 %   90 %    d = 0              d = 0.7")
    checks = {}
    for c, committee in committees.items():
        samples, data = measure(c, n, seed=50 + c)
        post = committee.posterior(data)
        checks[c] = fmdn.calibration(post, samples["m1"], fmdn.Uniform(-1, 1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            place = fmdn.novelty(committee, np.reshape(PLACES, (-1, 1)))
        words = [
            f"{percent:7.3g} %{', unlike it' if far else '':11}"
            for percent, far in zip(place.channels[:, 0], place.unlike, strict=True)
        ]
        gain, (half, most) = checks[c].gain, 100 * checks[c].coverage([0.5, 0.9])
        text = f"{gain.value:8.3f} ± {gain.error:.3f}{half:10.1f}{most:7.1f}"
        print(f"{c:2}{text}{''.join(words)}".rstrip())
    return checks


# --- In the limit, and what it costs ------------------------------------------------


def approach(c, sizes, n_members, max_iter, n_data):
    """Errors with ever more prior samples: rows of n, two KL, two areas.

    KL with the paper's kernels and with networks that the package chooses, means over
    data drawn from the prior; areas are those between the distribution functions with
    the latter, in sd of the exact posterior. The last one is at d = 0.
    """
    data = np.vstack([measure(c, n_data, seed=90 + c)[1], [[0.0]]])
    exact, rows = toy.exact_posteriors(data, c), []
    for n in sizes:
        kl = []
        for k in (N_KERNELS, None):
            committee = learn(c, n, n_members, "m1", n, k, max_iter)
            post = committee.posterior(data)
            kl.append(divergence(exact, post.pdf(GRID))[:-1].mean())
        area = distance_of_cdfs(exact, post.cdf(GRID))
        rows.append((n, *kl, area[:-1].mean(), area[-1]))
    return np.array(rows)


def descend(c, sweeps, n_events):
    """Mean error of ever longer chains: rows of forward solutions an event, area."""
    data = measure(c, n_events, seed=70 + c)[1]
    exact, rows = toy.exact_posteriors(data, c), []
    for n_sweeps in sweeps:
        areas = []
        for i, d in enumerate(data):
            chain, solutions = toy.walk(c, d, n_sweeps, seed=i)
            cdf = np.searchsorted(np.sort(chain), GRID, side="right") / len(chain)
            areas.append(distance_of_cdfs(exact[i], cdf))
        rows.append((solutions, np.mean(areas)))
    return np.array(rows)


def break_even(approaches, descents):
    """Print from how many events on prior sampling is the cheaper way."""
    print(
        "\n   prior     mean KL (nat) with    error (sd)     McMC solutions events to"
    )
    print(" c samples 3 kernels    default   mean   d = 0   for that mean  break even")
    for c, rows in approaches.items():
        solutions, reached = descents[c].T  # errors of samples fall as n^(-1/2)
        for n, few, many, area, at_zero in rows:
            needed = np.exp(np.log(solutions * (reached / area) ** 2).mean())
            text = f"{n:8.0f}{few:10.4f}{many:10.4f}{area:9.3f}{at_zero:8.2f}"
            print(f"{c:2}{text}{needed:14.0f}{n / needed:12.2f}")


def judge(rows, checks, approaches, quick):
    """Print what must hold; give one if anything does not."""
    off = max(abs(100 * one.coverage(0.9) - 90) for one in checks.values())
    kl = np.array([of_c[:, 2] for of_c in approaches.values()])
    failed = 0
    for what, value, most in (
        ("c = 2, d = 0.7: KL (nat)", rows[2, 0.7][2], 0.05),
        ("c = 2, d = 0: sd too large by (share)", rows[2, 0.0][1] / 0.1 - 1, 0.5),
        ("c = 5, d = 0.7: sd off (share)", abs(rows[5, 0.7][1] / 0.3401 - 1), 0.08),
        (
            "c > 2, d = 0: sd too small by",
            0.1 - min(rows[c, 0.0][1] for c in (5, 10)),
            0,
        ),
        ("coverage of 90 % off (%)", off, 2),
        ("mean KL with most samples (nat)", kl[:, -1].max(), 0.01 if quick else 0.002),
        ("the same over that with fewest", (kl[:, -1] / kl[:, 0]).max(), 0.4),
    ):
        most *= 2.5 if quick else 1
        word = "" if value <= most else "FAILED"
        print(f"{what:38}{value:8.4f}, at most {most:g} {word}".rstrip())
        failed += value > most
    return int(failed > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--figure", type=Path, default=Path("09_theory.png"))
    options = parser.parse_args()
    quick = options.quick

    committees = {
        c: learn(c, N_SAMPLES, 3 if quick else n, max_iter=150 if quick else 1000)
        for c, n in MEMBERS.items()
    }
    rows = compare(committees)
    checks = check(committees, 400 if quick else 5000)
    sizes = (300, 3000) if quick else (300, 3000, 30_000, 100_000)
    sweeps = (100, 300) if quick else (100, 300, 1000)
    fits = (2, 100, 100) if quick else (3, 600, 300)
    approaches = {c: approach(c, sizes, *fits) for c in MEMBERS}
    descents = {c: descend(c, sweeps, 3 if quick else 12) for c in MEMBERS}
    break_even(approaches, descents)

    import hypersphere_figure

    joint = learn(2, N_SAMPLES, 2 if quick else 10, targets=("m1", "m2"), kernels=8)
    five = learn(2, N_SAMPLES, 2 if quick else 10, kernels=5)
    chains = {
        (c, d): toy.walk(c, d, 300 if quick else 3000)[0]
        for c in MEMBERS
        for d in PLACES
    }
    solved = committees, joint, five, chains
    hypersphere_figure.draw(options.figure, solved, checks[2], approaches, descents)
    print(f"{options.figure} written\n")
    return judge(rows, checks, approaches, quick)


if __name__ == "__main__":
    sys.exit(main())
