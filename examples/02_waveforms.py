"""An earthquake's source from its first minute of displacement records.

Prior     east, north -50..50 km, depth 2..24 km, magnitude 6..8, strike 0..360,
          rake -90..90, cos(dip) 0..1, all uniform (each double couple once); duration
          about 1e-8 M0^(1/3) s, main slip 0..20 s behind the first P wave
Forward   a point source in a layered Earth: sums of six unit tensors (pyprop8)
Data      displacement at ten GNSS stations, three components, means over 3 s, from the
          first P wave on
Noise     4 mm (horizontal), 10 mm (vertical); 20 % of each trace, and 1 s at each
          station and of the first P wave, because the Earth has no layers
Targets   position, depth, magnitude, strike, rake, cos(dip), each by itself

After Kaeufl et al. (2015), BSSA 105:2299, doi:10.1785/0120150010.

    python 02_waveforms.py --records FILE.npz     the event of 4 April 2010; by default
        examples/data/el_mayor_waveforms.npz, and a synthetic one where that is missing
"""

import argparse
import sys
import time
from pathlib import Path

import fmdn
import numpy as np

try:
    import pyprop8  # noqa: F401
except ImportError:
    sys.exit(print("skipped: needs pyprop8 (pip install pyprop8)"))

from waveforms_model import (
    LONGEST,
    PRIOR,
    STEP,
    TARGETS,
    Forward,
    Pattern,
    noise,
    read_records,
    window,
)

RECORDS = Path(__file__).parent / "data" / "el_mayor_waveforms.npz"
# Wei et al. (2011, Nature Geoscience 4:615): two segments of strike 312 and 131, dip 75
# and 60, right-lateral, slip above 10 km. A point source cannot tell a fault from the
# plane across it; with rakes of -90..90 this is that one. Position: docs/el_mayor.md.
KNOWN = {
    "east": "about 7",
    "north": "about -15",
    "depth": "below 10",
    "magnitude": "7.17 to 7.25",
    "strike": "41 or 222",
    "rake": "-30 to 15",
    "cos_dip": "0 to 0.3",
}
LIKE_IT = [
    -8.0,
    5.0,
    8.0,
    7.2,
    222.0,
    10.0,
    0.15,
    1.05,
    12.0,
]  # if there are no records


def learn(samples, seconds, targets, settings):
    """Train for data of the first seconds."""
    data = window(samples.data, seconds)
    cut = fmdn.Samples(samples.models, data, prior=PRIOR)
    inversion = fmdn.Inversion(
        cut, fmdn.FunctionNoise(noise), targets, encoder=Pattern(), **settings
    )
    return inversion.fit()


def print_table(posteriors, truth):
    print(f"\n{'target':11}{'unit':9}{'median':>8}{'90 % interval':>18}{'gain':>11}"
          "   known")  # fmt: skip
    for row in posteriors.summary():
        digits = 2 if PRIOR[row.target].std() < 1 else 1
        interval = f"{row.low:.{digits}f} to {row.high:.{digits}f}"
        known = (
            f"{truth[row.target]:.{digits}f}" if truth else KNOWN.get(row.target, "")
        )
        print(f"{row.target:11}{row.unit:9}{row.median:8.{digits}f}{interval:>18}"
              f"{row.gain:7.2f} nat   {known}")  # fmt: skip


def warn_early(samples, observed, settings, step):
    """The magnitude's posterior every few seconds, and how long each took to find."""
    updates = {}
    print(f"\n{'data':>7}{'magnitude':>11}{'90 % interval':>16}{'P(M > 6.8)':>12}"
          f"{'update':>10}")  # fmt: skip
    for seconds in range(step, LONGEST + 1, step):
        inversion = learn(samples, seconds, ["magnitude"], settings)
        part = window(observed, seconds)
        start = time.perf_counter()
        post = inversion["magnitude"].posterior(part)
        low, high = post.interval(0.9)
        large = post.prob(6.8, 8)
        took = time.perf_counter() - start
        updates[seconds] = post
        print(f"{seconds:5d} s{post.median():10.2f}{f'{low:.2f} to {high:.2f}':>17}"
              f"{large:12.2f}{1e3 * took:7.1f} ms")  # fmt: skip
    return updates


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--figure", type=Path, help="draw the figure there")
    parser.add_argument("--records", type=Path, default=RECORDS, help="see the page")
    parser.add_argument("--cache", type=Path, help="file to keep Green's functions in")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    quick, seed = options.quick, options.seed

    n_samples, n_test = (2000, 300) if quick else (8000, 1000)
    windows = (30, 60) if quick else (12, 24, 36, 48, 60)
    settings = {"hidden": [20, 20], "kernels": 4, "seed": seed, "patience": 30}
    settings |= {"n_members": 2, "max_iter": 40 if quick else 150}
    forward = Forward(quick, options.cache)
    samples, test = (
        fmdn.simulate(PRIOR, forward, n, seed=s, vectorised=True, batch_size=100)
        for n, s in ((n_samples, seed), (n_test, seed + 1000))
    )
    test_data = noise(np.random.default_rng(seed + 2000), test.data)
    if options.records.exists():
        observed, truth = read_records(options.records), {}
    else:
        clean = forward.data(np.array([LIKE_IT]))
        observed = noise(np.random.default_rng(seed + 3000), clean)[0]
        truth = dict(zip(TARGETS, LIKE_IT, strict=False))

    gains = {}
    for seconds in windows:
        inversion = learn(samples, seconds, TARGETS, settings)
        posteriors = inversion.posterior(window(observed, seconds))
        checks = fmdn.calibration(
            inversion.posterior(window(test_data, seconds)), test, PRIOR
        )
        gains[seconds] = {name: one.gain.value for name, one in checks.items()}
        found = fmdn.novelty(inversion, window(observed, seconds))
        print(f"\n--- {seconds} s of data; the event lies at {found.distance[0]:.1f} % "
              f"of the training cloud")  # fmt: skip
        print_table(posteriors, truth)
    print(f"\n{LONGEST} s of data of {n_test} events that nothing was trained on:")
    print(checks.summary())
    updates = warn_early(samples, observed, settings, 15 if quick else STEP)
    if options.figure:
        from waveforms_figure import draw

        draw(options.figure, posteriors, updates, gains, truth)

    low, high = posteriors["magnitude"].interval(0.99)
    passed = {
        "magnitude 7.2 inside 99 %": low < 7.2 < high,
        "coverage of 90 % within 0.80..0.97": quick
        or all(0.80 < one.coverage(0.9) < 0.97 for one in checks.values()),
        "magnitude gains": gains[60]["magnitude"] > (0.3 if quick else 1.0),
        "more data, more gain": sum(gains[60].values())
        > sum(gains[windows[0]].values()),
    }
    for what, fine in passed.items():
        print(f"{'passed' if fine else 'FAILED'}: {what}")
    return not all(passed.values())


if __name__ == "__main__":
    sys.exit(main())
