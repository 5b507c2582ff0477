"""Applying a committee, from Python and from Fortran; and starting up."""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import fmdn
import numpy as np
from fmdn import _boundary
from speed_loss import Shape, core_sets, limit
from workers import in_turns, median_time, pinned

N_INPUTS, N_MEMBERS = 100, 10


def make_committee():
    """Ten members of 25-50 units and 3-8 kernels that have begun to train."""
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((3_000, N_INPUTS))
    targets = np.tanh(inputs[:, 0]) + 0.3 * rng.standard_normal(3_000)
    settings = {"hidden": (25, 50), "kernels": (3, 8), "max_iter": 15}
    return fmdn.Committee(N_MEMBERS, **settings).fit(inputs, targets)


@contextmanager
def threads(cores):
    """Let the core use as many threads as cores."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(len(cores))
    try:
        with pinned(cores):
            yield
    finally:
        del os.environ["OMP_NUM_THREADS"]
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def from_fortran(committee, observed, build):
    """Microseconds of a call in a Fortran program, and the same answer as here."""
    program = Path(build) / "benchmarks" / "speed_posterior"
    if not program.exists():
        print(f"without Fortran's time: no {program}", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "committee.mdn"
        committee.save(file)
        command = [program, file, *map(str, observed)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    time, mean, sd = map(float, done.stdout.split())
    here = committee.posterior(observed)
    if not np.allclose([mean, sd], [here.mean(), here.std()], rtol=1e-12, atol=1e-14):
        raise AssertionError("the Fortran program has another posterior")
    return 1e-6 * time


def measure(options, rates):
    """Measure one observation, many, and questions to their posteriors; seconds."""
    many, some, repeats, seconds = 100_000, 10_000, 5, 0.5
    if options.quick:
        many, some, repeats, seconds = 2_000, 200, 1, 0.02
    committee = make_committee()
    rng = np.random.default_rng(3)
    observed = rng.standard_normal((many, N_INPUTS))
    posteriors = committee.posterior(observed[:some])
    kernels = posteriors.weights.shape[1]
    grid = np.linspace(-2, 2, 100)
    probabilities = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    cases = {
        "one": (lambda: committee.posterior(observed[0]), 1),
        "many": (lambda: committee.posterior(observed), many),
        "pdf": (lambda: posteriors.pdf(grid), some * grid.size * kernels),
        "cdf": (lambda: posteriors.cdf(grid), some * grid.size * kernels),
        "quantile": (
            lambda: posteriors.quantile(probabilities),
            some * probabilities.size * kernels,
        ),
    }

    def timed(function, cores):
        with threads(cores):
            function()
            return median_time(function, seconds)

    runs = {
        (case, name): lambda function=function, cores=cores: timed(function, cores)
        for case, (function, _) in cases.items()
        for name, cores in core_sets().items()
    }
    times = in_turns(runs, repeats)
    results = {"kernels": kernels, "observations": many, "posteriors": some}
    for (case, name), values in times.items():
        each = float(np.median(values)) / cases[case][1]
        results.setdefault(case, {})[name] = each
    results["one in Fortran"] = from_fortran(committee, observed[0], options.build)
    sizes = _boundary.describe(committee.layout_, committee.parameters_)
    limits = [
        limit(Shape(N_INPUTS, [units], k).forward_work(), rates)
        for units, k in zip(sizes.hidden.tolist(), sizes.kernels.tolist(), strict=True)
    ]
    results["limit"] = sum(limits) if rates else None
    return results


# --- Starting up ----------------------------------------------------------------------

PROGRAM = """
import numpy, time
start = time.perf_counter()
import fmdn
{}
print(time.perf_counter() - start)
"""
STARTS = {
    "import fmdn": "",
    "fmdn.Committee": "fmdn.Committee",
    "every public name": "[getattr(fmdn, name) for name in fmdn.__all__]",
}


def measure_start_up(options):
    """Seconds in a new process that has NumPy already."""

    def run(code):
        command = [sys.executable, "-c", PROGRAM.format(code)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(done.stdout)

    runs = {name: lambda code=code: run(code) for name, code in STARTS.items()}
    times = in_turns(runs, 3 if options.quick else 11)
    return {name: float(np.median(values)) for name, values in times.items()}
