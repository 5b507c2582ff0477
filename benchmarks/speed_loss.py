"""One loss and gradient: ours, the peers', and what the arithmetic alone would take."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import fmdn
import numpy as np
from fmdn import _boundary
from workers import available_cores, in_turns, pinned, start

N_ROWS = 33_400  # the size of the original program's own test
N_MONITOR = 200
AGREEMENT = 1e-9  # of loss and gradient, relative to their size


@dataclass
class Shape:
    """A network and its mixture."""

    n_inputs: int
    hidden: list[int]
    n_kernels: int
    n_targets: int = 1

    def __str__(self):
        units = " + ".join(map(str, self.hidden))
        text = f"{self.n_inputs} inputs, {units} hidden, {self.n_kernels} kernels"
        return text + (f", {self.n_targets} targets" if self.n_targets > 1 else "")

    @property
    def widths(self):
        c = self.n_targets
        outputs = self.n_kernels * (1 + c + c * (c + 1) // 2)
        return [self.n_inputs, *self.hidden, outputs]

    def forward_work(self):
        """Multiplications and additions, and exp and tanh, for one row."""
        products = sum(np.multiply(self.widths[:-1], self.widths[1:]).tolist())
        # the softmax of the logits, and the scales
        exps = self.n_kernels * (1 + self.n_targets)
        return {"flops": 2 * products, "tanh": sum(self.hidden), "exp": exps}

    def work(self):
        """The same for loss and gradient, which multiplies with transposes too."""
        work = self.forward_work()
        first = 2 * self.widths[0] * self.widths[1]  # inputs need no derivative
        return {
            "flops": 3 * work["flops"] - first,
            "tanh": work["tanh"],
            "exp": work["exp"] + self.n_kernels,  # responsibilities
            "log": 2,
        }


SHAPES = [
    Shape(28, [30], 6),
    Shape(5, [25], 5),
    Shape(100, [50], 8),
    Shape(500, [50], 8),
    Shape(28, [50, 50], 6),
    Shape(28, [30], 5, n_targets=5),
]

PEERS = [("JAX", "jax"), ("PyTorch", "torch")]


# --- The limit ------------------------------------------------------------------------


def kernel_rates(build):
    """Rates of the native kernels on one core, the best of three runs, or {}."""
    program = Path(build) / "benchmarks" / "speed_kernels"
    if not program.exists():
        print(f"without the arithmetic limit: no {program}", file=sys.stderr)
        return {}
    rates = {}
    for _ in range(3):
        with pinned(available_cores()[:1]):
            done = subprocess.run([program], capture_output=True, text=True, check=True)
        for name, value in map(str.split, done.stdout.splitlines()):
            better = min if name in ("exp", "tanh", "log") else max
            rates[name] = better(rates.get(name, float(value)), float(value))
    return rates


def machine_scaling(build):
    """What a second core adds to the matrix kernel when both work: 2 at best."""
    program = Path(build) / "benchmarks" / "speed_kernels"
    cores = available_cores()[:2]
    if not program.exists() or len(cores) < 2 or not hasattr(os, "sched_setaffinity"):
        return None

    def product_rate(cores):
        runs = []
        for core in cores:
            with pinned([core]):
                runs.append(subprocess.Popen([program], stdout=-1, text=True))
        outputs = [run.communicate()[0].split() for run in runs]
        return sum(float(words[words.index("product") + 1]) for words in outputs)

    runs = {"one": lambda: product_rate(cores[:1]), "two": lambda: product_rate(cores)}
    rates = in_turns(runs, 3)
    return float(np.median(rates["two"]) / np.median(rates["one"]))


def limit(work, rates):
    """Seconds that the products and functions of one row take by themselves."""
    if not rates:
        return None
    fastest = max(rates[name] for name in ("product", "accumulate", "blas"))
    functions = sum(work.get(name, 0) * rates[name] for name in ("exp", "tanh", "log"))
    return 1e-9 * (work["flops"] / fastest + functions)


# --- One shape ------------------------------------------------------------------------


def make_problem(shape, n):
    """Rows that are standardised, and a committee of one that has begun to train."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((n, shape.n_inputs))
    noise = rng.standard_normal((n, shape.n_targets))
    targets = np.tanh(inputs[:, : shape.n_targets]) + 0.3 * noise
    inputs, targets = [(a - a.mean(0)) / a.std(0, ddof=1) for a in (inputs, targets)]
    committee = fit(shape, inputs, targets, max_iter=3)
    layout, whole = committee.layout_, committee.parameters_
    sizes = _boundary.describe(layout, whole)
    first, length = int(sizes.offset[0]), int(sizes.n_parameters[0])
    return {
        "inputs": inputs,
        "targets": targets,
        "layout": layout,
        "committee": whole,
        "parameters": whole[first : first + length],
        "widths": shape.widths,
        "n_kernels": shape.n_kernels,
    }


def fit(shape, inputs, targets, max_iter, n_threads=1):
    committee = fmdn.Committee(
        n_members=1,
        hidden=shape.hidden,
        kernels=shape.n_kernels,
        max_iter=max_iter,
        patience=None,
        n_threads=n_threads,
    )
    # All rows, those that monitor too, give the scales, which are thus one.
    monitor = inputs[:N_MONITOR], targets[:N_MONITOR]
    return committee.fit(inputs[N_MONITOR:], targets[N_MONITOR:], monitor=monitor)


def training_time(shape, problem, max_iter, cores):
    """Time of an evaluation inside a training, the minimiser's own work included."""
    with pinned(cores):
        rows = problem["inputs"], problem["targets"]
        history = fit(shape, *rows, max_iter, len(cores)).history_[0]
    seconds, evaluations = history["seconds"], history["evaluations"]
    return float((seconds[-1] - seconds[0]) / (evaluations[-1] - evaluations[0]))


def measure_shape(shape, n, workers, repeats, seconds, rates):
    """Times in seconds, ratios to ours, and how well loss and gradient agree."""
    problem = make_problem(shape, n)
    row = {"shape": str(shape), "rows": n, "agreement": {}}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "problem.npz", **problem)
        answers = {
            worker.name: worker.ask("load", str(Path(folder) / "problem.npz"))
            for worker in workers
        }
    ours = answers["fmdn, 1 core"]
    size = np.abs(ours["gradient"]).max()
    for name, answer in answers.items():
        errors = np.subtract(answer["gradient"], ours["gradient"]) / size
        error = np.abs([*errors, answer["loss"] / ours["loss"] - 1]).max()
        if not error < AGREEMENT:  # nor a NaN
            raise AssertionError(f"{name} has another loss or gradient: {error:.1e}")
        row["agreement"][name] = float(error)

    runs = {w.name: lambda w=w: w.ask("time", seconds) for w in workers}
    first = workers[0].ask("time", seconds)
    max_iter = int(np.clip(2 * seconds / first, 3, 60))
    for name, cores in core_sets().items():
        runs[f"training, {name}"] = lambda cores=cores: training_time(
            shape, problem, max_iter, cores
        )
    times = in_turns(runs, repeats)
    row["seconds"] = {name: float(np.median(values)) for name, values in times.items()}
    for key, ours in (("ratio", "fmdn"), ("ratio in training", "training")):
        row[key] = {}
        for name in times:
            base = times[f"{ours}, {name.split(', ')[-1]}"]
            row[key][name] = float(np.median(np.divide(times[name], base)))
    alone = limit(shape.work(), rates)
    row["limit"] = alone and alone * n
    return row


def core_sets():
    """One core and, where there are more, two."""
    cores = available_cores()[:2]
    return {f"{k} core{'s'[: k - 1]}": cores[:k] for k in range(1, len(cores) + 1)}


def measure(options, rates):
    """Measure every shape: a row each."""
    settings = []
    for name, cores in core_sets().items():
        settings.append((f"fmdn, {name}", "fmdn", "plain", cores))
        for peer, program in PEERS if options.peers else []:
            for form in ("plain", "tiles"):
                settings.append((f"{peer} {form}, {name}", program, form, cores))
    workers = start(settings)
    shapes, n, repeats, seconds = SHAPES, N_ROWS, 7, 0.2
    if options.quick:
        shapes, n, repeats, seconds = [SHAPES[0], SHAPES[-1]], 2_000, 3, 0.02
    try:
        return [
            measure_shape(shape, n, workers, repeats, seconds, rates)
            for shape in shapes
        ]
    finally:
        for worker in workers:
            worker.close()


def blas_rate():
    """GFLOP/s of NumPy's BLAS on one core."""
    (worker,) = start([("BLAS", "blas", "plain", available_cores()[:1])])
    best = min(worker.ask("time", 0.1) for _ in range(5))
    worker.close()
    return 2e-9 * 512**3 / best
