"""What `simulate` itself costs: overhead per model, resuming, memory.

Prints tables in Markdown. The forward model does next to nothing, so that nearly all of
the time is overhead; `--models` sets how many there are. Each row is a Python of its
own, the median of `--repeat` of them; Dask is left out where it is not installed.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import fmdn
import numpy as np
from fmdn import running

PRIOR = fmdn.Prior(a=fmdn.Uniform(-1, 1), b=fmdn.Normal(2, 0.5))
BATCH = 500  # models; at 10 ms a model a batch would take 5 s


def forward(model):
    """Return ten data."""
    return np.repeat(model, 5)


def forward_many(models):
    """Return ten data for each model."""
    return np.repeat(models, 5, axis=1)


def wide(models, rng):
    """Return three thousand data in single precision for each model."""
    return np.stack([one.random(3000, np.float32) for one in rng])


def clock(n, **settings):
    """Seconds of a run once everything is imported and started."""
    settings = {"forward": forward, "n_samples": n} | settings
    few = settings | {"n_samples": 4}
    few.pop("store", None)
    fmdn.simulate(PRIOR, **few)
    begun = time.perf_counter()
    fmdn.simulate(PRIOR, **settings)
    return time.perf_counter() - begun


def serial(n, folder):
    """Keep to this process."""
    running.count_cores = lambda: 1
    return clock(n)


def vectorised(n, folder):
    """Call with a thousand models at once."""
    return clock(n, forward=forward_many, vectorised=True)


def in_a_store(n, folder):
    """Keep to this process, and write a store."""
    running.count_cores = lambda: 1
    return clock(n, store=folder / "run.zarr")


def pool(n, folder, **settings):
    """Use all cores, which such a fast function would not get otherwise."""
    running.FIRST_LOOK = running.WORTHWHILE = running.OVERHEAD = -1
    short = clock(100, batch_size=BATCH, **settings)  # the start of the processes
    return clock(n + 100, batch_size=BATCH, **settings) - short


def limited(n, folder):
    """Use all cores, with a time limit: one model at a time."""
    short = clock(100, timeout=60)
    return clock(n // 10 + 100, timeout=60) - short


def standard_pool(n, folder):
    """Use the pool of the standard library."""
    with ProcessPoolExecutor() as executor:
        return clock(n, executor=executor, batch_size=BATCH)


def dask(n, folder):
    """Use Dask, with a worker for each core."""
    import distributed

    cluster = distributed.LocalCluster(threads_per_worker=1, dashboard_address=":0")
    with cluster, distributed.Client(cluster) as client:
        return clock(n, executor=client.get_executor(), batch_size=BATCH)


OVERHEADS = {
    "this process": (serial, 1),
    "this process, into a store": (in_a_store, 1),
    "this process, `vectorised`": (vectorised, 1),
    f"all cores, batches of {BATCH}": (pool, 1),
    "all cores, `timeout`: one by one": (limited, 10),
    f"`ProcessPoolExecutor`, batches of {BATCH}": (standard_pool, 1),
    f"Dask on this machine, batches of {BATCH}": (dask, 1),
}


def resume(n, folder):
    """Seconds to fill a store, and to find that nothing is left to do."""
    settings = {"forward": forward_many, "vectorised": True}
    filled = clock(n, store=folder / "run.zarr", **settings)
    begun = time.perf_counter()
    fmdn.simulate(PRIOR, n_samples=n, store=folder / "run.zarr", **settings)
    return filled, time.perf_counter() - begun


def resident():
    """Bytes of memory in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak(n, folder, stored):
    """Bytes that a run needed, at most, and those of its data."""
    settings = {"vectorised": True, "batch_size": 100, "seed": 1}
    store, first = (folder / "wide.zarr", folder / "x.zarr") if stored else (None, None)
    fmdn.simulate(PRIOR, wide, 100, store=first, **settings)
    before, highest, done = resident(), [0], threading.Event()

    def watch():
        while not done.wait(0.01):
            highest[0] = max(highest[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    samples = fmdn.simulate(PRIOR, wide, n, store=store, **settings)
    done.set()
    watcher.join()
    size = samples.data.shape[0] * samples.data.shape[1] * samples.data.dtype.itemsize
    return highest[0] - before, size


def alone(call, repeat=1):
    """Median of what a call gives in processes of their own."""
    results = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            program = f"""
import json, pathlib, simulation
folder = pathlib.Path({folder!r})
print(json.dumps(simulation.{call}))
"""
            done = subprocess.run(
                [sys.executable, "-c", program],
                cwd=Path(__file__).parent,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return results[0] if repeat == 1 else statistics.median(results)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    n = given.models
    print(f"{platform.machine()}, {running.count_cores()} cores, ", end="")
    print(f"Python {platform.python_version()}, fmdn {fmdn.__version__}\n")
    print("| where | microseconds per model |\n|---|---:|")
    for where, (measure, fewer) in OVERHEADS.items():
        if measure is dask and not importlib.util.find_spec("distributed"):
            continue
        seconds = alone(f"{measure.__name__}({n}, folder)", given.repeat)
        print(f"| {where} | {seconds * fewer / n * 1e6:.0f} |", flush=True)
    if not importlib.util.find_spec("zarr"):
        return
    filled, resumed = alone("resume(100_000, folder)")
    print(f"\n1e5 models of 10 data: {filled:.2f} s into a store, ", end="")
    print(f"{resumed:.2f} s to go on with it")
    print("\n| 30,000 models of 3,000 data in float32 | data, MB | peak memory, MB |")
    print("|---|---:|---:|")
    for where, stored in (("in memory", False), ("in a store", True)):
        used, size = alone(f"peak(30_000, folder, {stored})")
        print(f"| {where} | {size / 1e6:.0f} | {used / 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
