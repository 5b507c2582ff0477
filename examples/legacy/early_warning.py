"""Magnitude and depth from 100 channels: trained here, applied by programs.

    python early_warning.py PROGRAM...

trains two committees on toy amplitudes, feeds a thousand observations to each of the
programs (early_warning.f90 and early_warning.c, compiled), and sees that they print
what Python computes, to the last bit.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import fmdn
import numpy as np

TARGETS = ["magnitude", "depth"]
NOISE = 1.0
PROBABILITIES = [0.5, 0.05, 0.95]


def forward(models):
    """Amplitudes at 100 stations, the logarithm of displacement over noise."""
    magnitude, depth = models.T
    distance = np.linspace(10, 200, 100)
    radius = np.hypot(distance, depth[:, None])
    return magnitude[:, None] - 1.5 * np.log10(radius) - 0.002 * radius


prior = fmdn.Prior(magnitude=fmdn.Uniform(4, 8), depth=fmdn.Uniform(1, 60))
samples = fmdn.simulate(prior, forward, 4000, seed=1, vectorised=True)
inversion = fmdn.Inversion(samples, noise=NOISE, n_members=10, max_iter=100).fit()

fresh = fmdn.simulate(prior, forward, 1000, seed=2, vectorised=True)
observed = fresh.data + NOISE * np.random.default_rng(3).normal(size=fresh.data.shape)
lines = [" ".join(map(repr, row)) for row in observed.tolist()]
lines[500] = "lightning"  # the loop says so, and goes on
posteriors = inversion.posterior(observed)
expected = np.hstack([posteriors[name].quantile(PROBABILITIES) for name in TARGETS])
truth = fresh["magnitude"]
covered = np.mean((expected[:, 1] < truth) & (truth < expected[:, 2]))
print(f"magnitude: {covered:.0%} of the truths lie in their intervals of 90 %")
assert covered > 0.86  # four standard errors; ten members together err on the wide side

with tempfile.TemporaryDirectory() as folder:
    model = Path(folder) / "event.mdn"
    inversion.save(model)
    for program in sys.argv[1:]:
        done = subprocess.run(
            [program, model, *TARGETS],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            check=True,
        )
        print(f"{Path(program).name}: {done.stderr.strip()}")
        printed = done.stdout.splitlines()
        assert len(printed) == 1000 and printed[500].strip() == "unusable"
        del printed[500]
        numbers = np.array([line.split() for line in printed], dtype=float)
        assert np.array_equal(numbers, np.delete(expected, 500, axis=0))
